package bulk

import (
	"slices"
	"strings"
	"testing"
)

func TestReadDomains(t *testing.T) {
	domains, err := ReadDomains(strings.NewReader("\ufeff# customers\r\nExample.com\r\n\n  b.example # moved\npostmaster@example.COM.\nbücher.example\nxn--bcher-kva.example\n"))
	if want := []string{"example.com", "b.example", "xn--bcher-kva.example"}; err != nil || !slices.Equal(domains, want) {
		t.Errorf("got %q, %v; want %q", domains, err, want)
	}
}

func TestReadDomainsNamesBadLines(t *testing.T) {
	domains, err := ReadDomains(strings.NewReader("a.example\n192.0.2.1\n# x\nhttp://b.example/\nc.example\n"))
	if want := []string{"a.example", "c.example"}; !slices.Equal(domains, want) {
		t.Errorf("got %q, want %q", domains, want)
	}
	for _, want := range []string{`line 2: domain "192.0.2.1"`, `line 4: domain "http://b.example/"`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not say %q", err, want)
		}
	}
}

// A file that is no list at all costs neither memory nor the reader's patience.
func TestReadDomainsIsBounded(t *testing.T) {
	_, err := ReadDomains(strings.NewReader(strings.Repeat("a b\n", 1000)))
	if err == nil || strings.Count(err.Error(), "\n") != maxBad || !strings.Contains(err.Error(), "more such lines: 980") {
		t.Errorf("got %v", err)
	}
	domains, err := ReadDomains(strings.NewReader("a.example\n" + strings.Repeat("x", 2*maxLine)))
	if err == nil || !strings.Contains(err.Error(), "line 2: longer than 65536 octets") || len(domains) != 1 {
		t.Errorf("got %q, %v", domains, err)
	}
}

func TestDone(t *testing.T) {
	whole := `{"domain":"a.example","status":"ok"}` + "\n" + `{"domain":"b.example","mx":[]}` + "\n"
	for _, test := range []struct{ name, torn string }{
		{"whole", ""},
		{"torn", `{"domain":"c.exam`},
		{"torn before its newline", `{"domain":"c.example"}`},
	} {
		done, size, err := Done(strings.NewReader(whole + test.torn))
		if err != nil || len(done) != 2 || !done["a.example"] || !done["b.example"] || size != int64(len(whole)) {
			t.Errorf("%s: got %v, %d, %v", test.name, done, size, err)
		}
	}
}

func TestDoneRefusesWhatIsNoOutput(t *testing.T) {
	const good = `{"domain":"a.example"}` + "\n"
	for _, test := range []struct{ output, want string }{
		{good + "domain,status\n" + good, "line 2 is no report"},
		{good + good + `{"status":"ok"}` + "\n", `line 3 is no report: it has no "domain"`},
		{good + good + "\n", "line 3 is no report"},
		{good + good + strings.Repeat("x", maxReport+1), "line 3 is no report: longer"},
	} {
		if _, _, err := Done(strings.NewReader(test.output)); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%.60q: %v does not say %q", test.output, err, test.want)
		}
	}
}

func FuzzDone(f *testing.F) {
	f.Add(`{"domain":"a.example"}` + "\n" + `{"domain":"b`)
	f.Fuzz(func(t *testing.T, output string) {
		done, size, err := Done(strings.NewReader(output))
		if err != nil {
			return
		}
		// What is left after the cut must read the same, and end with a whole line.
		again, size2, err := Done(strings.NewReader(output[:size]))
		if err != nil || size2 != size || len(again) != len(done) || size > 0 && output[size-1] != '\n' {
			t.Errorf("%q cut to %d: %v %d %v", output, size, again, size2, err)
		}
	})
}
