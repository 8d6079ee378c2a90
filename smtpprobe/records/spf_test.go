package records

import (
	"fmt"
	"strings"
	"testing"

	"github.com/mxglue/mxglue/smtpprobe/lookup/lookuptest"
)

// The terms that a record may have, and what makes it an error (RFC 7208 4.6, 5, 6).
func TestParseSPF(t *testing.T) {
	for record, want := range map[string]string{
		"v=spf1":       "",
		"v=spf1  -ALL": "-all",
		"v=spf1 a mx a:b.example/24//64 mx/28 ~all":                       "+a +mx +a(b.example) +mx ~all",
		"v=spf1 ?a//64 ptr ptr:b.example":                                 "?a +ptr +ptr(b.example)",
		"v=spf1 ip4:192.0.2.0/24 ip6:2001:db8::/32 ip4:192.0.2.1 ip6:::1": "+ip4 +ip6 +ip4 +ip6",
		"v=spf1 include:b.example exists:%{i}._spf.%{d}":                  "+include(b.example) +exists(%{i}._spf.%{d})",
		"v=spf1 redirect=b.example exp=e.example x-more=1":                "redirect(b.example) exp(e.example) x-more(1)",
		"v=spf1 -all;":               `"-all;" is no term`,
		"v=spf1 all:b.example":       "all takes none",
		"v=spf1 include":             "names no domain",
		"v=spf1 include:":            "names no domain",
		"v=spf1 include/24":          "names no domain",
		"v=spf1 ptr/24":              "something else",
		"v=spf1 a/b":                 "something else",
		"v=spf1 a:":                  "something else",
		"v=spf1 ip4:2001:db8::1":     "no ip4 address",
		"v=spf1 ip4:192.0.2":         "no ip4 address",
		"v=spf1 ip4:192.0.2.0/33":    "no ip4 address",
		"v=spf1 ip4":                 "no ip4 address",
		"v=spf1 ip6:192.0.2.1":       "no ip6 address",
		"v=spf1 ip:192.0.2.1":        "no mechanism",
		"v=spf1 redirect=":           "no modifier",
		"v=spf1 -redirect=b.example": "no modifier",
		"v=spf1 a/32//128 mx:b.example./0//0 include:%{d}/%%.b-c.ex-ample": "+a +mx(b.example.) +include(%{d}/%%.b-c.ex-ample)",
		"v=spf1 exists:%{ir}.%{l1r+-}._spf.%{D} a:%{d}/24":                 "+exists(%{ir}.%{l1r+-}._spf.%{D}) +a(%{d})",
		"v=spf1 mx/64":                                 "something else", // IPv6's stands behind two slashes
		"v=spf1 a//129":                                "something else",
		"v=spf1 a:b.example/33":                        "names no domain",
		"v=spf1 a:192.0.2.1":                           "names no domain",
		"v=spf1 include:b":                             "names no domain",
		"v=spf1 include:b.example/24":                  "names no domain",
		"v=spf1 ptr:b_c":                               "names no domain",
		"v=spf1 redirect=b":                            "names no domain",
		"v=spf1 exp=b.1":                               "names no domain",
		"v=spf1 exists:%(ir).b.example":                "names no domain", // the RFC's own, 7.3
		"v=spf1 exists:%{x}.b.example":                 "names no domain",
		"v=spf1 later=b":                               "later(b)",
		"v=spf1 redirect=a.example redirect=b.example": "twice",
		"v=spf1 v=spf1 -all":                           "v(spf1) -all", // an unknown modifier
	} {
		terms, err := parseSPF(record)
		var words []string
		for _, term := range terms {
			word := term.qualifier + term.name
			if term.domain != "" {
				word += "(" + term.domain + ")"
			}
			words = append(words, word)
		}
		got := strings.Join(words, " ")
		if err == nil && got != want || err != nil && (want == "" || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: got %s, %v; want %s", record, got, err, want)
		}
	}
}

// What a record costs its receivers, through include and redirect, and what they make of it.
func TestSPF(t *testing.T) {
	const others = `
		b.example.     A   192.0.2.1
		v6.example.    AAAA 2001:db8::1
		empty.example. TXT x
		one.example.   TXT "v=spf1 a:b.example ?all"
		two.example.   TXT "v=spf1 include:one.example mx:mail.example -all"
		mail.example.  MX 1 b.example.
		loop.example.  TXT "v=spf1 include:round.example -all"
		round.example. TXT "v=spf1 redirect=loop.example"
		twice.example. TXT "v=spf1 -all"
		twice.example. TXT "v=spf1 ~all"
		wrong.example. TXT "v=spf1 wrong"
		down.example   SERVFAIL
`
	var big strings.Builder
	for i := range 11 {
		fmt.Fprintf(&big, "big.example. MX %d m.example.\n", i)
	}
	for _, test := range []struct{ record, want string }{ // status, all, lookups, void
		{"v=spf1 -all", "ok -all 0 0 info spf: "},
		{"v=spf1 a:b.example mx:mail.example ip4:192.0.2.1 ~all", "ok ~all 2 0 "},
		{"v=spf1 include:two.example ~all", "ok ~all 4 0 "},
		{"v=spf1 include:two.example", "ok  4 0 info spf_all"}, // the all of an include is for the include
		{"v=spf1 redirect=two.example", "ok -all 4 0 "},
		{"v=spf1 redirect=nowhere.example -all", "ok -all 0 0 "}, // ignored: there is an all
		{"v=spf1 -all include:nowhere.example", "ok -all 0 0 "},  // never reached
		{"v=spf1 a:v6.example -all", "ok -all 1 0 "},
		{"v=spf1 exists:v6.example -all", "ok -all 1 1 "}, // A is asked for, whatever the client has
		{"v=spf1 a:nowhere.example -all", "ok -all 1 1 "},
		{"v=spf1 a:empty.example mx:empty.example exists:nowhere.example -all", "invalid -all 3 3 warning spf_void: "},
		{"v=spf1 exists:%{i}.example -all", "ok -all 1 0 cut info spf"},
		{"v=spf1 a:down.example -all", "ok -all 1 0 cut "},
		{"v=spf1 " + strings.Repeat("a:b.example ", 10) + "-all", "ok -all 10 0 "},
		{"v=spf1 " + strings.Repeat("a:b.example ", 11) + "-all", "invalid -all 11 0 warning spf_lookups: …up to 11 lookups"},
		{"v=spf1 include:two.example include:two.example include:two.example -all", "invalid -all 12 0 warning spf_lookups: "},
		{"v=spf1 " + strings.Repeat("a:b.example ", 60) + "-all", "invalid -all 60 0 cut warning spf_lookups: "},
		{"v=spf1 include:loop.example -all", "invalid -all 3 0 warning spf: …circle"},
		{"v=spf1 include:d.example -all", "invalid -all 1 0 warning spf: …circle"},
		{"v=spf1 include:empty.example -all", "invalid -all 1 0 warning spf: …finds 0 SPF records"},
		{"v=spf1 include:twice.example -all", "invalid -all 1 0 warning spf: …finds 2 SPF records"},
		{"v=spf1 include:wrong.example -all", "invalid -all 1 0 warning spf: …no mechanism that RFC 7208 knows, in the record of wrong.example"},
		{"v=spf1 mx:big.example -all", "invalid -all 1 0 warning spf: …leads to 11 names"},
		{"v=spf1 +all", "ok +all 0 0 warning spf_all: …everybody may send"},
		{"v=spf1 a:b.example", "ok  1 0 info spf_all: …no all and no redirect"},
		{"v=spf1 ptr -all", "ok -all 1 0 info spf_ptr: "},
	} {
		// The strings of a TXT record have 255 octets at most.
		quoted := strings.Join(strings.SplitAfter(test.record, "a:b.example "), `" "`)
		z := lookuptest.New(t, others+big.String()+"d.example. TXT \""+quoted+"\"")
		spf, findings := lookSPF(t.Context(), z.Exchange, "d.example")
		cut := ""
		if spf.Cut {
			cut = "cut "
		}
		if got := fmt.Sprintf("%s %s %d %d %s%s", spf.Status, spf.All, spf.Lookups, spf.Void, cut, outline(findings)); !strings.HasPrefix(got, strings.SplitN(test.want, "…", 2)[0]) || !holds(got, test.want) {
			t.Errorf("%.80s:\n got %s\nwant %s", test.record, got, test.want)
		}
		if len(z.Asked) > maxQuestions {
			t.Errorf("%.80s: %d questions", test.record, len(z.Asked))
		}
	}
}

// Which TXT records are SPF's, and what several of them are.
func TestSPFSelection(t *testing.T) {
	for zone, want := range map[string]string{
		"d.example. TXT \"v=spf1 -all\"\nd.example. TXT other": "ok info",
		`d.example. TXT "V=SPF1 -all"`:                         "ok info",
		`d.example. TXT "v=spf10 -all"`:                        "none info spf: No SPF record",
		`d.example. TXT "v=spf1"`:                              "ok info spf_all",
		"":                                                     "none info",
		"d.example. TXT \"v=spf1 -all\"\nd.example. TXT \"v=spf1 ~all\"": "invalid warning spf: 2 SPF records",
		"d.example SERVFAIL": "unknown unknown spf: …SERVFAIL",
	} {
		spf, findings := lookSPF(t.Context(), lookuptest.New(t, zone).Exchange, "d.example")
		if got := fmt.Sprintf("%s %s", spf.Status, outline(findings)); !holds(got, want) {
			t.Errorf("%s: got %s, want %s", zone, got, want)
		}
	}
}

// Which addresses are asked for: A and AAAA for a, unless the first says that there is nothing; A alone for exists.
func TestSPFAddressQuestions(t *testing.T) {
	const zone = `v6.example. AAAA 2001:db8::1
		b.example. A 192.0.2.1
		d.example. TXT "v=spf1 a:v6.example a:b.example a:nowhere.example exists:v6.example -all"`
	z := lookuptest.New(t, zone)
	lookSPF(t.Context(), z.Exchange, "d.example")
	want := "d.example/TXT v6.example/A v6.example/AAAA b.example/A nowhere.example/A v6.example/A"
	if got := strings.Join(z.Asked, " "); got != want {
		t.Errorf("asked %s, want %s", got, want)
	}
}

// A domain that has no record is an error for include and for redirect, each by a rule of its own.
func TestSPFWithoutTheOtherRecord(t *testing.T) {
	for record, want := range map[string]string{
		"v=spf1 include:b.example -all": "RFC 7208 §5.2",
		"v=spf1 redirect=b.example":     "RFC 7208 §6.1",
	} {
		spf, findings := lookSPF(t.Context(), lookuptest.New(t, "d.example. TXT \""+record+"\"").Exchange, "d.example")
		if spf.Status != Invalid || len(findings) == 0 || findings[0].Rule != want {
			t.Errorf("%s: %s, %+v; want the rule %s", record, spf.Status, findings, want)
		}
	}
}

// A tree of records that grows with every level ends at the bound, not at the end of the tree.
func TestSPFIsBounded(t *testing.T) {
	var zone strings.Builder
	for i := range 12 {
		fmt.Fprintf(&zone, "n%d.example. TXT \"v=spf1 %s-all\"\n", i, strings.Repeat(fmt.Sprintf("include:n%d.example ", i+1), 8))
	}
	z := lookuptest.New(t, zone.String())
	spf, _ := lookSPF(t.Context(), z.Exchange, "n0.example")
	if len(z.Asked) != maxQuestions || !spf.Cut || spf.Status != Invalid {
		t.Errorf("%d questions, %+v", len(z.Asked), spf)
	}
}

// Records of tens of kilobytes are read up to a bound, for each term of them costs time.
func TestLongSPFIsBounded(t *testing.T) {
	const terms = 10000 // 40 kB
	long := strings.Repeat(`" `+"\""+strings.Repeat("ptr ", 50), terms/50)
	z := lookuptest.New(t, "d.example. TXT \"v=spf1 include:long.example include:long.example -all\"\nlong.example. TXT \"v=spf1 "+long+"\"")
	spf, _ := lookSPF(t.Context(), z.Exchange, "d.example")
	if spf.Lookups != 2+terms || !spf.Cut || spf.Status != Invalid {
		t.Errorf("%d lookups, cut %t, %s", spf.Lookups, spf.Cut, spf.Status)
	}
}

// The record parsers never stumble over what stands in a TXT record, and keep their rules.
func FuzzParsers(f *testing.F) {
	f.Add("v=spf1 a:b.example/24 -all")
	f.Add("v=TLSRPTv1; rua=mailto:a@d.example,https://r.example/")
	f.Add("v=DMARC1; p=none; sp=reject; rua=mailto:%zz@x!10m")
	f.Add("v=spf1 \x00 //// a:/:/ ip4:::1%1")
	f.Fuzz(func(t *testing.T, text string) {
		if isSPF(text) {
			if terms, err := parseSPF(text); err == nil {
				for _, term := range terms {
					if term.name == "" || strings.Contains(term.domain, " ") {
						t.Fatalf("%+v", term)
					}
				}
			}
		}
		if uris, err := parseTLSRPT(text); err == nil && (len(uris) == 0 || len(uris) > maxURIs) {
			t.Fatalf("%q", uris)
		}
		if d, findings := readDMARC(text, "a.example", "example"); len(findings) == 0 || d.Status == OK && d.Policy == "" {
			t.Fatalf("%+v %v", d, findings)
		}
	})
}
