package main

import (
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/mxglue/mxglue/smtpprobe"
)

// What the Nagios Plugins Development Guidelines say of performance data:
// 'label'=value[UOM];[warn];[crit];[min];[max], figures separated by spaces, no = nor ' in a label, a UOM of s, %, c or
// bytes, thresholds that are ranges.
var (
	figureForm = regexp.MustCompile(`^'([^'=|]+)'=(-?[0-9]+(?:\.[0-9]+)?)(s|us|ms|%|B|KB|MB|TB|c)?;([^;]*);([^;]*)(?:;([^;]*)(?:;([^;]*))?)?$`)
	rangeForm  = regexp.MustCompile(`^(@?(?:(?:~|-?[0-9.]+):)?(?:-?[0-9.]+)?)$`)
	numberForm = regexp.MustCompile(`^-?[0-9]*(?:\.[0-9]+)?$`)
)

// nagiosOutput is what Nagios makes of a plugin's output.
type nagiosOutput struct {
	status, text string
	figures      map[string]string // value with its unit, by label
	long         []string
}

// parseNagios reads output as Nagios does, and fails the test where it breaks the guidelines.
func parseNagios(t *testing.T, output string) nagiosOutput {
	t.Helper()
	if len(output) > 4096 {
		t.Errorf("%d octets, of which old versions read 4096", len(output))
	}
	lines := strings.Split(strings.TrimSuffix(output, "\n"), "\n")
	text, data, found := strings.Cut(lines[0], " | ")
	first := regexp.MustCompile(`^MX (OK|WARNING|CRITICAL|UNKNOWN) - (.+)$`).FindStringSubmatch(text)
	if !found || first == nil || strings.Contains(data, "|") {
		t.Fatalf("the first line is not status, text and performance data: %q", lines[0])
	}
	out := nagiosOutput{status: first[1], text: first[2], figures: map[string]string{}, long: lines[1:]}
	for _, one := range strings.Fields(data) {
		f := figureForm.FindStringSubmatch(one)
		if f == nil || !rangeForm.MatchString(f[4]) || !rangeForm.MatchString(f[5]) || !numberForm.MatchString(f[6]) || !numberForm.MatchString(f[7]) {
			t.Errorf("figure %q is not as the guidelines have it", one)
			continue
		}
		if out.figures[f[1]] != "" {
			t.Errorf("label %q stands there twice", f[1])
		}
		out.figures[f[1]] = one[strings.Index(one, "=")+1:]
	}
	for _, line := range out.long {
		if strings.Contains(line, "|") {
			t.Errorf("a long line with | begins performance data: %q", line)
		}
	}
	return out
}

// alerts tells whether a value alerts for a threshold: 10 is exceeded by more than 10 or less than 0, 2: by less than 2.
func alerts(t *testing.T, value float64, threshold string) bool {
	t.Helper()
	if threshold == "" {
		return false
	}
	low, high, both := strings.Cut(threshold, ":")
	if !both {
		low, high = "0", threshold
	}
	from, _ := strconv.ParseFloat(low, 64)
	to, err := strconv.ParseFloat(high, 64)
	return value < from || err == nil && value > to
}

func asNagios(limits thresholds) func(io.Writer) writer {
	return func(out io.Writer) writer { return nagiosWriter{out, limits} }
}

func TestNagios(t *testing.T) {
	o := outcome{seed(), 1204 * time.Millisecond}
	got := parseNagios(t, write(t, asNagios(thresholds{5, 10}), o))
	if got.status != "WARNING" || got.text != "enprovence.com 1/2 MX ok (mail.monaco.net: refused)" {
		t.Errorf("%s: %s", got.status, got.text)
	}
	for label, want := range map[string]string{
		"time": "1.204s;5;10;0", "mx_ok": "1;2:;1:;0;2", "greet_dns2.monaco.net": "0.080s;5;10;0", "cert_days_dns2.monaco.net": "41;21:;7:",
	} {
		if got.figures[label] != want {
			t.Errorf("%s is %q, want %q", label, got.figures[label], want)
		}
	}
	if len(got.figures) != 4 || len(got.long) != 1 {
		t.Errorf("figures %v, long output %q", got.figures, got.long)
	}
}

// --warning and --critical, from both sides of each, and not swapped. The status is that of the figures.
func TestNagiosThresholds(t *testing.T) {
	ok := smtpprobe.Report{Domain: "d.example", Verdict: smtpprobe.OK, Status: smtpprobe.StatusOK, Reason: "1 of 1 exchanger says 220.",
		MX: []smtpprobe.Exchanger{{Name: "mx.d.example", Verdict: smtpprobe.OK}}}
	for _, test := range []struct {
		took, greeting float64 // seconds
		limits         thresholds
		status         string
		mention        string
	}{
		{4.9, 0.1, thresholds{5, 10}, "OK", ""},
		{5, 0.1, thresholds{5, 10}, "OK", ""},
		{5.1, 0.1, thresholds{5, 10}, "WARNING", "the check took 5.100s, more than 5s"},
		{10, 0.1, thresholds{5, 10}, "WARNING", "more than 5s"},
		{10.1, 0.1, thresholds{5, 10}, "CRITICAL", "more than 10s"},
		{0.1, 7, thresholds{5, 10}, "WARNING", "the greeting of mx.d.example took 7.000s"},
		{0.1, 11, thresholds{5, 10}, "CRITICAL", "the greeting of mx.d.example"},
		{99, 0.1, thresholds{}, "OK", ""},
		{99, 0.1, thresholds{warning: 0.5}, "WARNING", "more than 0.5s"},
		{99, 0.1, thresholds{critical: 0.5}, "CRITICAL", "more than 0.5s"},
	} {
		r := ok
		r.MX[0].Attempts = []smtpprobe.Attempt{{MS: smtpprobe.Phases{Greeting: test.greeting * 1000}}}
		o := outcome{r, time.Duration(test.took * float64(time.Second))}
		got := parseNagios(t, write(t, asNagios(test.limits), o))
		if got.status != test.status || !strings.Contains(got.text, test.mention) {
			t.Errorf("%v s, greeting %v s, %+v: %s - %s; want %s with %q", test.took, test.greeting, test.limits, got.status, got.text, test.status, test.mention)
		}
		f := checkOptions{format: "nagios", thresholds: test.limits}
		if want := map[string]int{"OK": 0, "WARNING": 1, "CRITICAL": 2}[test.status]; f.exitCode(o) != want {
			t.Errorf("%s: exit code %d, want %d", got.status, f.exitCode(o), want)
		}
		worst := "OK"
		for _, figure := range got.figures {
			parts := strings.Split(figure, ";")
			value, _ := strconv.ParseFloat(strings.TrimSuffix(parts[0], "s"), 64)
			switch {
			case alerts(t, value, parts[2]):
				worst = "CRITICAL"
			case alerts(t, value, parts[1]) && worst == "OK":
				worst = "WARNING"
			}
		}
		if worst != got.status {
			t.Errorf("%s - %s, but the figures alert to %s: %v", got.status, got.text, worst, got.figures)
		}
	}
	late := thresholds{5, 10}
	if code, _ := late.judge(outcome{smtpprobe.Report{Status: smtpprobe.StatusUnknown}, 6 * time.Second}); code != exitUnknown {
		t.Errorf("slow and unknown: %d, want unknown", code)
	}
}

// The first line of what is no count of exchangers, and of what somebody in between wants to break.
func TestNagiosText(t *testing.T) {
	up := smtpprobe.Exchanger{Name: "mx.d.example", Verdict: smtpprobe.OK}
	for _, test := range []struct {
		report smtpprobe.Report
		want   string
	}{
		{smtpprobe.Report{Domain: "d.example", Verdict: smtpprobe.NXDomain, Status: smtpprobe.StatusCritical, Reason: "d.example does not exist (NXDOMAIN)."}, "MX CRITICAL - d.example does not exist (NXDOMAIN)."},
		{smtpprobe.Report{Domain: "d.example", Verdict: smtpprobe.NullMX, Status: smtpprobe.StatusOK, Reason: "d.example takes no mail."}, "MX OK - d.example takes no mail."},
		{smtpprobe.Report{Domain: "d.example", Verdict: smtpprobe.Critical, Status: smtpprobe.StatusCritical, Reason: "1 of 1 exchanger says 220; but DANE senders defer.", MX: []smtpprobe.Exchanger{up}}, "MX CRITICAL - d.example 1/1 MX ok: DANE senders defer"},
		{smtpprobe.Report{Domain: "d.example", Verdict: smtpprobe.Critical, Status: smtpprobe.StatusCritical, Reason: "A null MX stands among others.", MX: []smtpprobe.Exchanger{up}}, "MX CRITICAL - A null MX stands among others."},
		{smtpprobe.Report{Domain: "d.example", Verdict: smtpprobe.Unknown, Status: smtpprobe.StatusUnknown, Reason: "It was cut short.", MX: []smtpprobe.Exchanger{up}}, "MX UNKNOWN - It was cut short."},
		{smtpprobe.Report{Verdict: smtpprobe.Unknown, Status: smtpprobe.StatusUnknown, Reason: "target \"a|b\nMX OK\" | 'x'=1"}, `MX UNKNOWN - target "a/b\x0aMX OK" / 'x'=1`},
	} {
		got := write(t, asNagios(thresholds{}), outcome{Report: test.report})
		parseNagios(t, got)
		if !strings.HasPrefix(got, test.want+" | ") {
			t.Errorf("got %q, want %q", got, test.want)
		}
	}
	proof := smtpprobe.Report{Domain: "d.example", Verdict: smtpprobe.OK, Status: smtpprobe.StatusOK, Reason: "1 of 1 exchanger tried says 220.",
		MX: []smtpprobe.Exchanger{up, {Name: "ms1.msv1.invalid", Verdict: smtpprobe.Skipped}}}
	if got := parseNagios(t, write(t, asNagios(thresholds{}), outcome{Report: proof})); got.figures["mx_ok"] != "1;1:;1:;0;1" {
		t.Errorf("what was not tried alerts: %v", got.figures)
	}
	proof.Findings = []smtpprobe.Finding{{Severity: smtpprobe.SeverityWarning, Text: "It has no rule."}}
	if got := write(t, asNagios(thresholds{}), outcome{Report: proof}); !strings.HasSuffix(got, "\nIt has no rule.\n") {
		t.Errorf("of a finding without a rule: %q", got)
	}
	evil := seed()
	evil.MX[0].Name = "a'b=c d|é.example"
	evil.MX[0].Attempts[0].MS.Greeting = 3
	for i := range 40 {
		evil.Findings = append(evil.Findings, smtpprobe.Finding{Severity: smtpprobe.SeverityCritical, Text: fmt.Sprint(i, "| ", strings.Repeat("x", 1000))})
	}
	got := parseNagios(t, write(t, asNagios(thresholds{}), outcome{Report: evil}))
	if got.figures["greet_a_b_c_d__.example"] == "" {
		t.Errorf("figures %v", got.figures)
	}
}

// However many hosts there are and however long their names, Nagios gets a first line that is whole and figures that are, and
// is told what it does not get.
func TestNagiosLength(t *testing.T) {
	const hosts = 10
	long := smtpprobe.Report{Domain: "d.example", Verdict: smtpprobe.Warning, Status: smtpprobe.StatusWarning, Reason: "10 of 10 exchangers say 220."}
	for i := range hosts {
		tls := &smtpprobe.TLS{NotAfter: time.Now().Add(time.Hour)}
		long.MX = append(long.MX, smtpprobe.Exchanger{Name: fmt.Sprintf("mx%d.%s.example", i, strings.Repeat("x", 240)), Verdict: smtpprobe.OK,
			Attempts: []smtpprobe.Attempt{{MS: smtpprobe.Phases{Greeting: 80}, TLS: tls}}})
		for range 2 {
			long.Findings = append(long.Findings, smtpprobe.Finding{Severity: smtpprobe.SeverityWarning, Text: strings.Repeat("é", 400)})
		}
	}
	got := parseNagios(t, write(t, asNagios(thresholds{5, 10}), outcome{Report: long}))
	of := 0
	for i, e := range long.MX {
		switch greeting, days := got.figures["greet_"+e.Name] != "", got.figures["cert_days_"+e.Name] != ""; {
		case greeting != days:
			t.Errorf("half of the figures of %s", e.Name)
		case greeting && of < i:
			t.Errorf("figures of %s, and not of those before it", e.Name)
		case greeting:
			of++
		}
	}
	if of == 0 || of == hosts || got.figures["mx_ok"] != "10;10:;1:;0;10" {
		t.Errorf("figures of %d hosts: %v", of, got.figures)
	}
	if want := fmt.Sprintf("the last %d of %d", hosts-of, hosts); !strings.Contains(got.long[0], want) {
		t.Errorf("%q does not say %q", got.long[0], want)
	}
	shown := len(got.long) - 2
	if want := fmt.Sprintf("findings not shown here: %d", len(long.Findings)-shown); shown < 1 || got.long[len(got.long)-1] != want {
		t.Errorf("%d findings are shown, then %q; want %q", shown, got.long[len(got.long)-1], want)
	}
}
