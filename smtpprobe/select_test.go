package smtpprobe

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/miekg/dns"

	"github.com/mxglue/mxglue/smtpprobe/lookup"
)

// zone answers questions as a recursive resolver would, from records in master file format. "name RCODE"
// answers every question for that name so, and "name/TYPE RCODE" those of one type; RCODE may be ERROR.
func zone(t *testing.T, text string) func(context.Context, *dns.Msg) (*dns.Msg, string, error) {
	t.Helper()
	var records []dns.RR
	rcodes := make(map[string]string)
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		switch len(fields) {
		case 0:
			continue
		case 2:
			rcodes[fields[0]] = fields[1]
			continue
		}
		rr, err := dns.NewRR(strings.TrimSpace(line))
		if err != nil {
			t.Fatal(err)
		}
		records = append(records, rr)
	}
	return func(_ context.Context, q *dns.Msg) (*dns.Msg, string, error) {
		asked := q.Question[0]
		name := asked.Name
		r := new(dns.Msg).SetReply(q)
		known := false
		for range 30 {
			rcode := rcodes[lookup.Host(name)] + rcodes[lookup.Host(name)+"/"+dns.TypeToString[asked.Qtype]]
			if rcode == "ERROR" {
				return nil, "", errors.New("no upstream \x1b[2J answers")
			} else if rcode != "" {
				r.Rcode, known = dns.StringToRcode[rcode], true
			}
			next := ""
			for _, rr := range records {
				if dns.CanonicalName(rr.Header().Name) != name {
					continue
				}
				known = true
				if c, ok := rr.(*dns.CNAME); ok {
					next = c.Target
					r.Answer = append(r.Answer, rr)
				} else if rr.Header().Rrtype == asked.Qtype {
					r.Answer = append(r.Answer, rr)
				}
			}
			if next == "" {
				break
			}
			name, known = next, false
		}
		if !known {
			r.Rcode = dns.RcodeNameError
		}
		return r, "upstream", nil
	}
}

// summary is a report on one line: verdict/status, takes_mail, and each exchanger in the order tried.
func summary(r Report) string {
	takes := "nobody"
	if r.TakesMail != nil {
		takes = *r.TakesMail
	}
	s := fmt.Sprintf("%s/%s %s:", r.Verdict, r.Status, takes)
	for _, name := range r.Order {
		i := slices.IndexFunc(r.MX, func(e Exchanger) bool { return e.Name == name })
		s += fmt.Sprintf(" %d %s %s", r.MX[i].Preference, name, r.MX[i].Verdict)
		for _, a := range r.MX[i].Attempts {
			s += fmt.Sprintf(" [%s %s]", a.Address, a.Verdict)
		}
		if r.MX[i].Degraded {
			s += " degraded"
		}
	}
	return s
}

// Which exchangers are tried, in what order, and what the domain's verdict is. Every address says 220
// unless the peers say otherwise.
func TestSelection(t *testing.T) {
	var many, manyAddresses, chain strings.Builder
	for i := range 12 {
		fmt.Fprintf(&many, "d.example. MX %d m%02d.example.\nm%02d.example. A 11.0.0.%d\n", i, i, i, i+1)
	}
	for i := range 3 {
		fmt.Fprintf(&manyAddresses, "m.example. A 11.0.0.%d\nm.example. AAAA 2a00::%d\n", i+1, i+1)
	}
	for i := range 17 {
		fmt.Fprintf(&chain, "c%d.example. CNAME c%d.example.\n", i, i+1)
	}
	for _, test := range []struct {
		name    string
		domain  string
		zone    string
		want    string
		warning string // part of the warnings; "" wants none
	}{
		{"by preference", "d.example", "d.example. MX 20 b.example.\nd.example. MX 3 a.example.\na.example. A 11.0.0.1\nb.example. A 11.0.0.2",
			"ok/ok a.example: 3 a.example ok [11.0.0.1 ok] 20 b.example ok [11.0.0.2 ok]", ""},
		{"equal preferences are shuffled, others are not", "d.example", "d.example. MX 5 a.example.\nd.example. MX 5 b.example.\nd.example. MX 1 c.example.\na.example. A 11.0.0.1\nb.example. A 11.0.0.2\nc.example. A 11.0.0.3",
			"ok/ok c.example: 1 c.example ok [11.0.0.3 ok] 5 b.example ok [11.0.0.2 ok] 5 a.example ok [11.0.0.1 ok]", ""},
		{"implicit MX", "d.example", "d.example. A 11.0.0.1", "ok/ok d.example: 0 d.example ok [11.0.0.1 ok]", ""},
		{"implicit MX behind an alias", "d.example", "d.example. CNAME e.example.\ne.example. A 11.0.0.1", "ok/ok e.example: 0 e.example ok [11.0.0.1 ok]", ""},
		{"MX behind an alias", "d.example", "d.example. CNAME e.example.\ne.example. MX 1 m.example.\nm.example. A 11.0.0.1", "ok/ok m.example: 1 m.example ok [11.0.0.1 ok]", ""},
		{"no MX, no address", "d.example", "d.example. TXT x", "no_address/critical nobody: 0 d.example no_address", ""},
		{"null MX", "d.example", "d.example. MX 0 .\nd.example. A 11.0.0.1", "null_mx/ok nobody:", ""},
		{"null MX of preference 10", "d.example", "d.example. MX 10 .", "null_mx/ok nobody:", "preference 10"},
		{"null MX among others", "d.example", "d.example. MX 0 .\nd.example. MX 1 m.example.\nm.example. A 11.0.0.1", "critical/critical m.example: 1 m.example ok [11.0.0.1 ok]", "RFC 7505"},
		{"no such domain", "d.example", "", "nxdomain/critical nobody:", ""},
		{"SERVFAIL never falls back to A", "d.example", "d.example/MX SERVFAIL\nd.example. A 11.0.0.1", "dns_fail/unknown nobody:", ""},
		{"REFUSED", "d.example", "d.example REFUSED", "dns_fail/unknown nobody:", ""},
		{"no upstream", "d.example", "d.example ERROR", "dns_fail/unknown nobody:", ""},
		{"a loop of aliases", "d.example", "d.example. CNAME e.example.\ne.example. CNAME d.example.", "dns_fail/unknown nobody:", ""},
		{"16 aliases", "c1.example", chain.String() + "c17.example. A 11.0.0.1", "ok/ok c17.example: 0 c17.example ok [11.0.0.1 ok]", ""},
		{"17 aliases", "c0.example", chain.String() + "c17.example. A 11.0.0.1", "dns_fail/unknown nobody:", ""},
		{"an exchanger that is an alias", "d.example", "d.example. MX 1 m.example.\nm.example. CNAME n.example.\nn.example. A 11.0.0.1", "ok/ok m.example: 1 m.example ok [11.0.0.1 ok]", "m.example is an alias of n.example"},
		{"an exchanger that is an address", "d.example", "d.example. MX 1 11.0.0.1.\nd.example. MX 2 m.example.\nm.example. A 11.0.0.2", "warning/warning m.example: 1 11.0.0.1 ip_literal 2 m.example ok [11.0.0.2 ok]", "an address where"},
		{"duplicates", "d.example", "d.example. MX 2 m.example.\nd.example. MX 1 M.example.\nm.example. A 11.0.0.1", "ok/ok m.example: 1 m.example ok [11.0.0.1 ok]", "m.example is listed 2 times"},
		{"more than 10 exchangers", "d.example", many.String(), "", "12 exchangers: only 10"},
		{"more than 2 addresses", "m.example", manyAddresses.String(), "ok/ok m.example: 0 m.example ok [11.0.0.1 ok] [11.0.0.2 ok] [2a00::1 ok] [2a00::2 ok]", "3 AAAA records: only the first 2"},
		{"an address given twice", "m.example", "m.example. A 11.0.0.1\nm.example. 60 A 11.0.0.1", "ok/ok m.example: 0 m.example ok [11.0.0.1 ok]", ""},
		{"AAAA fails, A does not", "d.example", "d.example. MX 1 m.example.\nm.example. A 11.0.0.1\nm.example/AAAA SERVFAIL", "ok/ok m.example: 1 m.example ok [11.0.0.1 ok]", "the AAAA question failed (SERVFAIL)"},
		{"A fails, AAAA does not", "d.example", "d.example. MX 1 m.example.\nm.example. AAAA 2a00::1\nm.example/A ERROR", "ok/ok m.example: 1 m.example ok [2a00::1 ok]", `the A question failed (no upstream \x1b[2J answers)`},
		{"one family fails, the other is empty", "d.example", "d.example. MX 1 m.example.\nm.example. TXT x\nm.example/A SERVFAIL", "dns_fail/unknown nobody: 1 m.example dns_fail", ""},
		{"one host cannot be looked up", "d.example", "d.example. MX 1 m.example.\nd.example. MX 2 n.example.\nm.example SERVFAIL\nn.example. A 11.0.0.1", "warning/warning n.example: 1 m.example dns_fail 2 n.example ok [11.0.0.1 ok]", ""},
		{"exchangers that do not exist", "d.example", "d.example. MX 1 m.example.\nd.example. MX 2 n.example.\nn.example. TXT x", "no_address/critical nobody: 1 m.example nxdomain 2 n.example no_address", ""},
		{"a proof of ownership", "d.example", "d.example. MX 1 m.example.\nd.example. MX 9 ms1.msv1.invalid.\nm.example. A 11.0.0.1", "ok/ok m.example: 1 m.example ok [11.0.0.1 ok] 9 ms1.msv1.invalid skipped", ""},
		{"nothing but a proof of ownership", "d.example", "d.example. MX 9 ms1.msv1.invalid.", "no_address/critical nobody: 9 ms1.msv1.invalid skipped", ""},
		{"localhost as an exchanger", "d.example", "d.example. MX 1 localhost.", "no_address/critical nobody: 1 localhost skipped", "localhost is whoever asks"},
		{"special-use addresses", "d.example", "d.example. MX 1 m.example.\nm.example. A 127.0.0.1\nm.example. AAAA fe80::1", "critical/critical nobody: 1 m.example blocked_address [127.0.0.1 blocked_address] [fe80::1 blocked_address]", ""},
		{"a class other than IN", "d.example", "d.example. CH MX 1 m.example.\nd.example. A 11.0.0.1", "ok/ok d.example: 0 d.example ok [11.0.0.1 ok]", ""},
		{"user@domain, IDN", "me@Bücher.example", "xn--bcher-kva.example. A 11.0.0.1", "ok/ok xn--bcher-kva.example: 0 xn--bcher-kva.example ok [11.0.0.1 ok]", ""},
		{"an address literal is not asked about", "me@[11.0.0.9]", "", "ok/ok [11.0.0.9]: 0 [11.0.0.9] ok [11.0.0.9 ok]", ""},
		{"host:port has no MX", "d.example:26", "d.example. MX 1 m.example.\nd.example. A 11.0.0.1", "ok/ok d.example: 0 d.example ok [11.0.0.1 ok]", ""},
		{"no domain", "http://d.example", "", "unknown/unknown nobody:", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := &Prober{Exchange: zone(t, test.zone), Dial: (&network{}).dial, Shuffle: reverse}
				r := p.Probe(t.Context(), test.domain)
				if got := summary(r); test.want != "" && got != test.want {
					t.Errorf("got  %s\nwant %s", got, test.want)
				}
				warnings := strings.Join(r.Warnings, "\n")
				if !strings.Contains(warnings, test.warning) || test.warning == "" && warnings != "" {
					t.Errorf("warnings %q, want %q", warnings, test.warning)
				}
				if len(r.MX) > maxExchangers || r.Reason == "" {
					t.Errorf("%d exchangers, reason %q", len(r.MX), r.Reason)
				}
			})
		})
	}
}

// A response that stops at an alias is asked on (RFC 5321 5.1).
func TestAliasIsAskedOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		whole := zone(t, "d.example. CNAME e.example.\ne.example. MX 1 m.example.\nm.example. A 11.0.0.1")
		stops := func(ctx context.Context, q *dns.Msg) (*dns.Msg, string, error) {
			r, source, err := whole(ctx, q)
			r.Answer = r.Answer[:min(len(r.Answer), 1)]
			return r, source, err
		}
		p := &Prober{Exchange: stops, Dial: (&network{}).dial}
		if got, want := summary(p.Probe(t.Context(), "d.example")), "ok/ok m.example: 1 m.example ok [11.0.0.1 ok]"; got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	})
}

// A truncated MX RRset may lack the best exchanger: nothing is concluded from it.
func TestTruncatedResponse(t *testing.T) {
	whole := zone(t, "d.example. MX 1 m.example.")
	p := &Prober{Exchange: func(ctx context.Context, q *dns.Msg) (*dns.Msg, string, error) {
		r, source, err := whole(ctx, q)
		r.Truncated = true
		return r, source, err
	}}
	if r := p.Probe(t.Context(), "d.example"); r.Verdict != DNSFail || !strings.Contains(r.Reason, "truncated") {
		t.Errorf("got %s: %s", summary(r), r.Reason)
	}
}

func reverse(n int, swap func(i, j int)) {
	for i := range n / 2 {
		swap(i, n-1-i)
	}
}
