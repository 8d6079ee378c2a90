package main

import (
	"encoding/csv"
	"encoding/json"
	"encoding/xml"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mxglue/mxglue/smtpprobe"
)

// Read back as a build server does: a suite for each domain, in it a case for each address and one for the domain.
func TestJUnit(t *testing.T) {
	down := smtpprobe.Report{Domain: "down.example", Status: smtpprobe.StatusCritical, Verdict: smtpprobe.NoAddress, Reason: "No exchanger has an address.",
		MX: []smtpprobe.Exchanger{{Name: "a.down.example", Verdict: smtpprobe.NXDomain, Detail: "the name does not exist"}, {Name: "b.down.example", Verdict: smtpprobe.Skipped},
			{Name: "c.down.example", Verdict: smtpprobe.DNSFail}}}
	evil := smtpprobe.Report{Domain: "evil.example", Status: smtpprobe.StatusUnknown, Reason: "]]> \x00 <failure/> \"&"}
	var b strings.Builder
	w := &junitWriter{out: &b}
	for _, r := range []smtpprobe.Report{seed(), down, evil} {
		if err := w.write(outcome{Report: r}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.end(); err != nil {
		t.Fatal(err)
	}
	var read struct {
		XMLName xml.Name     `xml:"testsuites"`
		Suites  []junitSuite `xml:"testsuite"`
	}
	if err := xml.Unmarshal([]byte(b.String()), &read); err != nil {
		t.Fatalf("%v:\n%s", err, b.String())
	}
	type result struct{ name, result string }
	want := map[string][]result{
		"enprovence.com": {{"mail.monaco.net 194.79.150.9:25", "failure refused: connection refused"}, {"dns2.monaco.net 194.79.150.2:25", ""}, {"enprovence.com", ""}},
		"down.example": {{"a.down.example", "failure nxdomain: the name does not exist"}, {"b.down.example", "skipped"}, {"c.down.example", "error dns_fail: dns_fail"},
			{"down.example", "failure critical: No exchanger has an address."}},
		"evil.example": {{"evil.example", "error unknown: ]]> \uFFFD <failure/> \"&"}},
	}
	for _, s := range read.Suites {
		var got []result
		failures, errors, skipped := 0, 0, 0
		for _, c := range s.Cases {
			r := result{name: c.Name}
			switch {
			case c.Failure != nil:
				r.result = "failure " + c.Failure.Type + ": " + c.Failure.Message
				failures++
			case c.Error != nil:
				r.result = "error " + c.Error.Type + ": " + c.Error.Message
				errors++
			case c.Skipped != nil:
				r.result = "skipped"
				skipped++
			}
			if c.Class != s.Name {
				t.Errorf("%s is of class %q, want %q", c.Name, c.Class, s.Name)
			}
			got = append(got, r)
		}
		if !slices.Equal(got, want[s.Name]) {
			t.Errorf("suite %s: %v, want %v", s.Name, got, want[s.Name])
		}
		if s.Tests != len(s.Cases) || s.Failures != failures || s.Errors != errors || s.Skipped != skipped {
			t.Errorf("suite %s counts %d tests, %d failures, %d errors, %d skipped; it has %d, %d, %d, %d", s.Name, s.Tests, s.Failures, s.Errors, s.Skipped, len(s.Cases), failures, errors, skipped)
		}
	}
	if len(read.Suites) != 3 || read.Suites[0].Output != "dns2.monaco.net ends lines with LF alone." || read.Suites[0].Time != "0.115" {
		t.Errorf("%d suites, the first with time %s and output %q", len(read.Suites), read.Suites[0].Time, read.Suites[0].Output)
	}
	if empty := write(t, func(out io.Writer) writer { return &junitWriter{out: out} }, outcome{}); xml.Unmarshal([]byte(empty), &read) != nil {
		t.Errorf("no XML: %s", empty)
	}
}

// One line for each address, the same columns in each, and nothing that a spreadsheet would run.
func TestCSV(t *testing.T) {
	r := seed()
	r.MX[1].Attempts[0].Greeting = "=HYPERLINK(\"http://evil.example\"),\nx"
	r.MX = append(r.MX, smtpprobe.Exchanger{Name: "gone.example", Preference: 5, Verdict: smtpprobe.NXDomain, Detail: "the name does not exist", Attempts: []smtpprobe.Attempt{}})
	var b strings.Builder
	w := &csvWriter{out: &b}
	for _, r := range []smtpprobe.Report{r, {Domain: "null.example", Status: smtpprobe.StatusOK, Verdict: smtpprobe.NullMX, Reason: "It takes no mail."}} {
		if err := w.write(outcome{Report: r}); err != nil {
			t.Fatal(err)
		}
	}
	lines, err := csv.NewReader(strings.NewReader(b.String())).ReadAll()
	if err != nil || len(lines) != 5 || !slices.Equal(lines[0], csvColumns) {
		t.Fatalf("error %v; want a header and four lines of as many columns:\n%s", err, b.String())
	}
	for i, want := range []map[string]string{
		{"domain": "enprovence.com", "status": "warning", "exchanger": "mail.monaco.net", "preference": "0", "address": "194.79.150.9", "port": "25", "address_verdict": "refused",
			"code": "", "source": "glue", "ttl": "300", "ad": "false", "connect_ms": "", "dane": "none", "mta_sts": "none", "plain_sender": "defer", "detail": "connection refused"},
		{"exchanger": "dns2.monaco.net", "address_verdict": "ok", "code": "220", "greeting": `'=HYPERLINK("http://evil.example"), / x`, "ad": "true", "connect_ms": "31.204",
			"tls_version": "TLS 1.3", "tls_verdict": "ok", "dane": "secure", "dane_sender": "authenticated", "mta_sts_sender": "encrypted"},
		{"exchanger": "gone.example", "preference": "5", "address": "", "address_verdict": "nxdomain", "detail": "the name does not exist"},
		{"domain": "null.example", "status": "ok", "verdict": "null_mx", "exchanger": "", "detail": "It takes no mail."},
	} {
		for column, value := range want {
			if at := slices.Index(csvColumns, column); at < 0 || lines[i+1][at] != value {
				t.Errorf("line %d, %s: %q, want %q", i+1, column, lines[i+1], value)
			}
		}
	}
	for _, cells := range csvLines(r) {
		for column := range cells {
			if !slices.Contains(csvColumns, column) {
				t.Errorf("a cell for %q, which is no column", column)
			}
		}
	}
}

// A formula begins where a cell does, and where one begins for who reads semicolons as separators.
func TestHarmless(t *testing.T) {
	for cell, want := range map[string]string{
		"":                  "",
		"220 a-b; c=d":      "220 a-b; c=d",
		"=1":                "'=1",
		"＝1":                "'＝1",
		"mx ;=1+1;\" @x;-2": "mx ;'=1+1;\" '@x;'-2",
	} {
		if got := harmless(cell); got != want {
			t.Errorf("%q becomes %q, want %q", cell, got, want)
		}
	}
}

func TestJSON(t *testing.T) {
	got := write(t, func(out io.Writer) writer { return jsonWriter{out} }, outcome{Report: seed()})
	var read smtpprobe.Report
	if strings.Count(got, "\n") != 1 || json.Unmarshal([]byte(got), &read) != nil || read.Domain != "enprovence.com" || len(read.MX) != 2 {
		t.Errorf("not one line with the report: %s", got)
	}
}

// A former output says what is done. Only where the output goes on in it, its torn last line is cut off.
func TestReadFormer(t *testing.T) {
	var asCSV strings.Builder
	w := &csvWriter{out: &asCSV}
	for _, d := range []string{"a.example", "b.example"} {
		if err := w.write(outcome{Report: smtpprobe.Report{Domain: d}}); err != nil {
			t.Fatal(err)
		}
	}
	former := map[string]string{
		"json": `{"domain":"a.example"}` + "\n" + `{"domain":"b.example"}` + "\n",
		"csv":  asCSV.String(),
	}
	for format, text := range former {
		for _, torn := range []string{"", text[len(text)-10 : len(text)-1]} {
			name := filepath.Join(t.TempDir(), "former")
			if err := os.WriteFile(name, []byte(text+torn), 0o600); err != nil {
				t.Fatal(err)
			}
			done, goesOn, err := readFormer(name, format, io.Discard)
			if err != nil || goesOn || len(done) != 2 || !done["a.example"] || !done["b.example"] {
				t.Errorf("%s, torn %q: %v, %t, error %v; want a.example and b.example", format, torn, done, goesOn, err)
			}
			if left, err := os.ReadFile(name); err != nil || string(left) != text+torn {
				t.Errorf("%s: a file that is not written to was changed to %q, error %v", format, left, err)
			}
			out, err := os.OpenFile(name, os.O_WRONLY|os.O_APPEND, 0)
			if err != nil {
				t.Fatal(err)
			}
			_, goesOn, err = readFormer(name, format, out)
			out.Close()
			left, _ := os.ReadFile(name)
			if err != nil || !goesOn || string(left) != text {
				t.Errorf("%s, torn %q, written to: left %q, goes on %t, error %v; want whole lines", format, torn, left, goesOn, err)
			}
		}
		other := map[string]string{"json": "csv", "csv": "json"}[format]
		name := filepath.Join(t.TempDir(), "former")
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, _, err := readFormer(name, other, io.Discard); err == nil || !strings.Contains(err.Error(), "--format "+other) {
			t.Errorf("%s read as %s: error %v", format, other, err)
		}
	}
	if done, goesOn, err := readFormer(filepath.Join(t.TempDir(), "none"), "json", io.Discard); len(done) > 0 || goesOn || err != nil {
		t.Errorf("no former run: %v, %t, error %v", done, goesOn, err)
	}
}
