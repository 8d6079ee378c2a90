package dane

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/mxglue/mxglue/smtpprobe/lookup/lookuptest"
)

var digest = strings.Repeat("ab", 32)

// Which TLSA records hold for a host, and what is asked on the way to them.
func TestLookup(t *testing.T) {
	zone := `
		SIGNED signed.example
		_25._tcp.mx.signed.example.     TLSA  3 1 1 ` + digest + `
		mx.signed.example.              A     192.0.2.1
		_25._tcp.both.signed.example.   TLSA  3 1 1 ` + digest + `
		_25._tcp.end.signed.example.    TLSA  3 1 1 ` + digest + `
		_25._tcp.shared.signed.example. CNAME tlsa.signed.example.
		tlsa.signed.example.            TLSA  2 1 1 ` + digest + `
		_25._tcp.leaves.signed.example. CNAME tlsa.plain.example.
		tlsa.plain.example.             TLSA  2 1 1 ` + digest + `
		_25._tcp.pkix.signed.example.   TLSA  1 1 1 ` + digest + `
		_25._tcp.mx.plain.example.      TLSA  3 1 1 ` + digest + `
		alias.signed.example.           CNAME end.plain.example.
		_25._tcp.alias.signed.example.  TLSA  3 1 1 ` + digest + `
		alias.plain.example.            CNAME end.signed.example.
		_25._tcp.broken.signed.example  SERVFAIL
		torn.signed.example/CNAME       SERVFAIL`
	for _, test := range []struct {
		name  string
		host  Host
		want  string // status, base, number of records
		asked string
	}{
		{"usable", Host{Name: "mx.signed.example", Secure: true}, "secure mx.signed.example 1", "_25._tcp.mx.signed.example/TLSA"},
		{"unsigned addresses: not asked", Host{Name: "mx.plain.example"}, "none  0", ""},
		{"signed addresses, unsigned TLSA", Host{Name: "mx.plain.example", Secure: true}, "none mx.plain.example 0", "_25._tcp.mx.plain.example/TLSA"},
		{"denied", Host{Name: "none.signed.example", Secure: true}, "none none.signed.example 0", "_25._tcp.none.signed.example/TLSA"},
		{"failed", Host{Name: "broken.signed.example", Secure: true}, "error broken.signed.example 0", "_25._tcp.broken.signed.example/TLSA"},
		{"the alias's end first", Host{Name: "both.signed.example", Expanded: "end.signed.example", Secure: true}, "secure end.signed.example 1", "_25._tcp.end.signed.example/TLSA"},
		{"then the name", Host{Name: "both.signed.example", Expanded: "none.signed.example", Secure: true}, "secure both.signed.example 1", "_25._tcp.none.signed.example/TLSA _25._tcp.both.signed.example/TLSA"},
		{"an error at the end is the end", Host{Name: "both.signed.example", Expanded: "broken.signed.example", Secure: true}, "error broken.signed.example 0", "_25._tcp.broken.signed.example/TLSA"},
		{"a signed alias of an unsigned host", Host{Name: "alias.signed.example", Expanded: "end.plain.example"}, "secure alias.signed.example 1", "alias.signed.example/CNAME _25._tcp.alias.signed.example/TLSA"},
		{"an unsigned alias", Host{Name: "alias.plain.example", Expanded: "end.signed.example"}, "none  0", "alias.plain.example/CNAME"},
		{"an alias that cannot be known", Host{Name: "torn.signed.example", Expanded: "end.plain.example"}, "error  0", "torn.signed.example/CNAME"},
		{"TLSA behind an alias keeps its base", Host{Name: "shared.signed.example", Secure: true}, "secure shared.signed.example 1", "_25._tcp.shared.signed.example/TLSA"},
		{"TLSA behind an unsigned alias", Host{Name: "leaves.signed.example", Secure: true}, "none leaves.signed.example 0", "_25._tcp.leaves.signed.example/TLSA"},
		{"none usable", Host{Name: "pkix.signed.example", Secure: true}, "unusable pkix.signed.example 1", "_25._tcp.pkix.signed.example/TLSA"},
		{"the same name twice is no alias", Host{Name: "MX.signed.example", Expanded: "mx.signed.example.", Secure: true}, "secure mx.signed.example 1", "_25._tcp.mx.signed.example/TLSA"},
		{"an address", Host{Name: "192.0.2.1", Secure: true}, "none  0", ""},
		{"an address literal", Host{Name: "[2001:db8::1]", Secure: true}, "none  0", ""},
	} {
		z := lookuptest.New(t, zone)
		r := Lookup(t.Context(), z.Exchange, true, test.host, 25)
		if got := fmt.Sprintf("%s %s %d", r.Status, r.Base, len(r.Records)); got != test.want {
			t.Errorf("%s: got %q, want %q (%s)", test.name, got, test.want, r.Detail)
		}
		if got := strings.Join(z.Asked, " "); got != test.asked {
			t.Errorf("%s: asked %q, want %q", test.name, got, test.asked)
		}
		if r.Detail == "" || !strings.HasPrefix(r.Rule, "RFC ") {
			t.Errorf("%s: no reason: %q, %q", test.name, r.Detail, r.Rule)
		}
	}
}

// Without a resolver that may be believed nothing is asked, and "none" is never said.
func TestUntrustedResolver(t *testing.T) {
	z := lookuptest.New(t, "_25._tcp.mx.example. TLSA 3 1 1 "+digest)
	r := Lookup(t.Context(), z.Exchange, false, Host{Name: "mx.example", Secure: true}, 25)
	if r.Status != Unknown || !strings.Contains(r.Detail, "does not validate DNSSEC, or the way to it can be tampered with") || len(z.Asked) > 0 {
		t.Errorf("got %s (%s), asked %q", r.Status, r.Detail, z.Asked)
	}
}

// Which records a sender can use, and what their owner is told to do with the others.
func TestUsable(t *testing.T) {
	whole := newChain(t, spec{}).tlsa(3, 0, 0, 0)
	key := newChain(t, spec{}).tlsa(3, 1, 0, 0)
	for data, why := range map[string]string{
		"3 1 1 " + digest:          "",
		"2 0 2 " + digest + digest: "",
		whole:                      "",
		key:                        "",
		"0 1 1 " + digest:          "public CA",
		"1 1 1 " + digest:          "public CA",
		"4 1 1 " + digest:          "usage 4 is not assigned",
		"3 2 1 " + digest:          "selector 2 is not assigned",
		"3 1 3 " + digest:          "matching type 3 is not assigned",
		"3 1 1 abcd":               "has 2 octets, and a SHA-256 has 32",
		"3 1 2 " + digest:          "has 32 octets, and a SHA-512 has 64",
		"3 0 0 " + digest:          "does not parse",
		"3 1 0 " + digest:          "does not parse",
		key + "00":                 "does not parse",
	} {
		z := lookuptest.New(t, "SIGNED example\n_25._tcp.mx.example. TLSA "+data)
		r := Lookup(t.Context(), z.Exchange, true, Host{Name: "mx.example", Secure: true, MXSecure: true}, 25)
		switch {
		case len(r.Records) != 1:
			t.Errorf("%.30s: %d records", data, len(r.Records))
		case why == "" && (r.Status != Secure || !r.Records[0].Usable || len(r.Warnings) > 0):
			t.Errorf("%.30s: got %s, %q", data, r.Status, r.Warnings)
		case why != "" && (r.Status != Unusable || !strings.Contains(strings.Join(r.Warnings, ""), why)):
			t.Errorf("%.30s: got %s, %q; want %q", data, r.Status, r.Warnings, why)
		}
	}
}

// A zone cannot blow up the report.
func TestBounds(t *testing.T) {
	var zone strings.Builder
	zone.WriteString("SIGNED example\n")
	for i := range 300 {
		fmt.Fprintf(&zone, "_25._tcp.mx.example. TLSA 3 1 0 %04x%s\n", i, strings.Repeat("00", 1000))
	}
	r := Lookup(t.Context(), lookuptest.New(t, zone.String()).Exchange, true, Host{Name: "mx.example", Secure: true}, 25)
	text, err := json.Marshal(r)
	if err != nil || len(r.Records) != maxRecords || len(text) > 64<<10 {
		t.Errorf("%d records, %d octets of JSON, %v", len(r.Records), len(text), err)
	}
	if !strings.Contains(r.Warnings[0], "300 TLSA records") {
		t.Errorf("the cut is not told: %q", r.Warnings[0])
	}
}

// The end of the signature comes from the answer.
func TestSignatureEnds(t *testing.T) {
	z := lookuptest.New(t, "SIGNED example\n_25._tcp.mx.example. TLSA 3 1 1 "+digest+`
		_25._tcp.mx.example. RRSIG TLSA 8  4 3600 20260401120000 20260201000000 1 example. AAAA
		_25._tcp.mx.example. RRSIG TLSA 13 4 3600 20260301120000 20260201000000 1 example. AAAA
		_25._tcp.mx.example. RRSIG A    13 4 3600 20200301120000 20260201000000 1 example. AAAA`)
	r := Lookup(t.Context(), z.Exchange, true, Host{Name: "mx.example", Secure: true, MXSecure: true}, 25)
	if want := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC); !r.SignatureEnds.Equal(want) {
		t.Fatalf("ends %s, want %s", r.SignatureEnds, want)
	}
	for now, want := range map[string]bool{"2026-02-28T11:00:00Z": false, "2026-02-28T13:00:00Z": true} {
		at, _ := time.Parse(time.RFC3339, now)
		if advice := strings.Join(r.Advise(nil, at, 0), ""); strings.Contains(advice, "2026-03-01T12:00:00Z") != want {
			t.Errorf("at %s: %q", now, advice)
		}
	}
}

// No record that a stranger publishes makes Lookup or Match stumble, and every record is judged.
func FuzzRecord(f *testing.F) {
	f.Add(uint8(3), uint8(1), uint8(1), digest)
	f.Add(uint8(2), uint8(0), uint8(0), "3082")
	f.Add(uint8(3), uint8(1), uint8(0), "zz")
	chain := newChain(f, spec{})
	f.Fuzz(func(t *testing.T, usage, selector, matchingType uint8, data string) {
		exchange := func(_ context.Context, q *dns.Msg) (*dns.Msg, string, error) {
			r := new(dns.Msg).SetReply(q)
			r.AuthenticatedData = true
			r.Answer = []dns.RR{&dns.TLSA{Hdr: dns.RR_Header{Name: q.Question[0].Name, Rrtype: dns.TypeTLSA, Class: dns.ClassINET},
				Usage: usage, Selector: selector, MatchingType: matchingType, Certificate: data}}
			return r, "", nil
		}
		r := Lookup(t.Context(), exchange, true, Host{Name: "mx.example", Secure: true}, 25)
		if usable := r.Records[0].Usable; usable != (r.Status == Secure) || usable != (r.Records[0].Why == "") {
			t.Fatalf("%s, usable %t, why %q", r.Status, usable, r.Records[0].Why)
		}
		if _, err := r.Match(chain.certs(), nil, chain.now); err == nil && usage != 3 && usage != 2 {
			t.Fatalf("usage %d matched", usage)
		}
	})
}
