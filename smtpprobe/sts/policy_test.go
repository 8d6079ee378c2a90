package sts

import (
	"fmt"
	"strings"
	"testing"

	"github.com/mxglue/mxglue/smtpprobe/lookup/lookuptest"
)

// Which records count (RFC 8461 3.1), and what is told of those that do not.
func TestRecord(t *testing.T) {
	for _, test := range []struct{ zone, want string }{
		{`_mta-sts.d.example. TXT "v=STSv1; id=20160831085700Z;"`, "ok 20160831085700Z"},
		{`_mta-sts.d.example. TXT "v=STSv1;id=1"`, "ok 1"},
		{`_mta-sts.d.example. TXT "v=STSv1; " "id=" "1;"`, "ok 1"},
		{`_mta-sts.d.example. TXT "v=STSv1; more=a.b; id=1"`, "ok 1"},
		{"_mta-sts.d.example. CNAME s.example.\ns.example. TXT \"v=STSv1; id=1\"", "ok 1"},
		{"_mta-sts.d.example. TXT \"v=STSv1; id=1\"\n_mta-sts.d.example. TXT \"some other\"", "ok 1"},
		{`d.example. TXT "v=STSv1; id=1"`, "none"},
		{`_mta-sts.example. TXT "v=STSv1; id=1"`, "none"}, // a parent's
		{`_mta-sts.d.example. TXT "some other"`, "none"},
		{`_mta-sts.d.example. TXT "v=STSv1 ; id=1"`, `record_invalid does not begin with "v=STSv1;"`},
		{`_mta-sts.d.example. TXT "V=STSV1; id=1"`, "record_invalid does not begin with"},
		{`_mta-sts.d.example. TXT "v=STSv2; id=1"`, "record_invalid does not begin with"},
		{"_mta-sts.d.example. TXT \"v=STSv1; id=1\"\n_mta-sts.d.example. TXT \"v=STSv1; id=2\"", "record_invalid 2 records"},
		{`_mta-sts.d.example. TXT "v=STSv1;"`, "record_invalid has no id"},
		{`_mta-sts.d.example. TXT "v=STSv1; id=;"`, `record_invalid its id "" is not`},
		{`_mta-sts.d.example. TXT "v=STSv1; id=2026-01-01"`, `record_invalid its id "2026-01-01" is not`},
		{`_mta-sts.d.example. TXT "v=STSv1; id=` + strings.Repeat("1", 33) + `"`, "record_invalid is not 1 to 32"},
		{`_mta-sts.d.example. TXT "v=STSv1; id"`, "record_invalid where tag=value is wanted"},
		{"_mta-sts.d.example SERVFAIL", "unknown SERVFAIL"},
	} {
		r := record(t.Context(), lookuptest.New(t, test.zone).Exchange, "d.example")
		status, text, _ := strings.Cut(test.want, " ")
		if string(r.Status) != status || r.Status == OK && r.ID != text || r.Status != OK && !strings.Contains(r.Detail, text) {
			t.Errorf("%s: got %s %q %q, want %s", test.zone, r.Status, r.ID, r.Detail, test.want)
		}
	}
}

// Which policies count (RFC 8461 3.2).
func TestParsePolicy(t *testing.T) {
	for policy, want := range map[string]string{
		goodPolicy:                            "enforce 604800 [mx.d.example]",
		"version:STSv1\nmode:none\nmax_age:0": "none 0 []",
		"max_age: 31557600\nmx:*.d.example\nmx: MX.D.example \nmode:\ttesting\nversion: STSv1\n\n": "testing 31557600 [*.d.example mx.d.example]",
		"version: STSv1\nmode: none\nmode: enforce\nmax_age: 1\nmax_age: x\nversion: 2\n":          "none 1 []",
		"version: STSv1\nmode: none\nmax_age: 1\nlater: a:b:c\nempty:\n":                           "none 1 []",
		"":                             "it has no version",
		"version: STSv1\nmode: none\n": "it has no max_age",
		"version: STSv1\nmax_age: 1\n": "it has no mode",
		"Version: STSv1\nmode: none\nmax_age: 1\n":                      "it has no version",
		"version: STSv2\nmode: none\nmax_age: 1\n":                      `its version is "STSv2", not STSv1`,
		"version: STSv1\nmode: report\nmax_age: 1\n":                    `its mode is "report", not enforce, testing or none`,
		"version: STSv1\nmode: none\nmax_age: -1\n":                     `its max_age is "-1", not a number of seconds from 0 to 31557600`,
		"version: STSv1\nmode: none\nmax_age: 31557601\n":               `its max_age is "31557601", not a number of seconds from 0 to 31557600`,
		"version: STSv1\nmode: none\nmax_age: 99999999999999999999\n":   `its max_age is "99999999999999999999", not a number of seconds from 0 to 31557600`,
		"version: STSv1\nmode: none\nmax_age: 00000000001\n":            `its max_age is "00000000001", not a number of seconds from 0 to 31557600`,
		"version: STSv1\nmode: enforce\nmax_age: 1\n":                   "it has no mx",
		"version: STSv1\nmode: enforce\nmax_age: 1\nmx: 192.0.2.1\n":    `its mx "192.0.2.1" is an address, not a name`,
		"version: STSv1\nmode: enforce\nmax_age: 1\nmx: 2001:db8::1\n":  `its mx "2001:db8::1" is an address, not a name`,
		"version: STSv1\nmode: enforce\nmax_age: 1\nmx: mx.*.example\n": `its mx "mx.*.example" is neither a host name in A-labels nor "*." and one`,
		"version: STSv1\nmode: enforce\nmax_age: 1\nmx: *\n":            `its mx "*" is neither a host name in A-labels nor "*." and one`,
		"version: STSv1\nmode: enforce\nmax_age: 1\nmx: \x1b[2J\n":      `its mx "\x1b[2J" is neither a host name in A-labels nor "*." and one`,
		"version: STSv1\nmode none\nmax_age: 1\n":                       `line 2, "mode none", is not of the form key: value`,
	} {
		p, err := parsePolicy(policy)
		got := fmt.Sprintf("%s %d %v", p.mode, p.maxAge, p.mx)
		if err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%q: got %s, want %s", policy, got, want)
		}
	}
}

// Which exchangers a policy covers (RFC 8461 4.1).
func TestCovers(t *testing.T) {
	r := Result{MX: []string{"mx.d.example", "*.e.example"}}
	for mx, want := range map[string]bool{
		"mx.d.example":   true,
		"MX.d.example.":  true,
		"a.mx.d.example": false,
		"d.example":      false,
		"a.e.example":    true,
		"a.b.e.example":  false,
		"e.example":      false,
		".e.example":     false,
		"*.e.example":    true, // no host has that name, and the wildcard would stand for it
		"":               false,
		"xe.example":     false,
	} {
		if got := r.Covers(mx); got != want {
			t.Errorf("%q: %t, want %t", mx, got, want)
		}
	}
	if (Result{}).Covers("mx.d.example") {
		t.Error("no policy covers an exchanger")
	}
}

// A stranger's policy never makes the parser stumble, and one that it takes keeps the rules.
func FuzzPolicy(f *testing.F) {
	f.Add(goodPolicy)
	f.Add("version:STSv1\nmode:none\nmax_age:0")
	f.Add("mx: *.\nmx: .\n:\r\r\n\x00")
	f.Fuzz(func(t *testing.T, text string) {
		p, err := parsePolicy(text)
		if err != nil {
			return
		}
		if p.maxAge < 0 || p.maxAge > maxMaxAge || p.mode != ModeNone && len(p.mx) == 0 {
			t.Fatalf("%+v", p)
		}
		for _, pattern := range p.mx {
			name := strings.Replace(pattern, "*.", "a.", 1)
			if !(Result{MX: p.mx}).Covers(name) || strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r > '~' }) {
				t.Fatalf("pattern %q does not cover %q", pattern, name)
			}
		}
	})
}

// The same for a record, which has passed package dns.
func FuzzRecord(f *testing.F) {
	f.Add("v=STSv1; id=1;")
	f.Add("v=STSv1;;;=\t=")
	f.Fuzz(func(t *testing.T, text string) {
		if id, err := parseRecord(text); err == nil && (len(id) < 1 || len(id) > 32) {
			t.Fatalf("id %q", id)
		}
	})
}
