package records

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/miekg/dns"

	"github.com/mxglue/mxglue/smtpprobe/lookup/lookuptest"
)

// outline is findings on one line: "severity code: text".
func outline(findings []Finding) string {
	var lines []string
	for _, f := range findings {
		lines = append(lines, f.Severity+" "+f.Code+": "+f.Text)
	}
	return strings.Join(lines, " | ")
}

// holds tells whether got has every part of want, which "…" separates, in order.
func holds(got, want string) bool {
	for part := range strings.SplitSeq(want, "…") {
		_, rest, found := strings.Cut(got, part)
		if !found {
			return false
		}
		got = rest
	}
	return true
}

func TestTLSRPT(t *testing.T) {
	const owner = "_smtp._tls.d.example. TXT "
	for _, test := range []struct{ zone, want string }{
		{owner + `"v=TLSRPTv1; rua=mailto:tls@d.example"`, "ok [mailto:tls@d.example] info tlsrpt: Reports"},
		{owner + `"v=TLSRPTv1;rua=https://r.example/v1, mailto:a@d.example;"`, "ok [https://r.example/v1 mailto:a@d.example] info"},
		{owner + `"v=TLSRPTv1; " "rua=mailto:a@d.example; later=1"`, "ok [mailto:a@d.example] info"},
		{"", "none [] info tlsrpt: No TLSRPT record"},
		{owner + `"v=TLSRPTv2; rua=mailto:a@d.example"`, "none [] info"},
		{owner + "\"v=TLSRPTv1; rua=mailto:a@d.example\"\n" + owner + `"v=TLSRPTv1; rua=mailto:b@d.example"`, "invalid [] warning tlsrpt: 2 TLSRPT records"},
		{owner + `"v=TLSRPTv1; ruf=mailto:a@d.example"`, "invalid [] warning tlsrpt: …it has no rua"},
		{owner + `"v=TLSRPTv1; rua=tls@d.example"`, `invalid [] warning …"tls@d.example" has another scheme than mailto and https`},
		{owner + `"v=TLSRPTv1; rua=tls@d.example, mailto:a@d.example"`, `invalid [mailto:a@d.example] warning …"tls@d.example" has another scheme`},
		{owner + `"v=TLSRPTv1; rua=http://r.example/"`, `invalid [] warning …has another scheme than mailto and https`},
		{owner + `"v=TLSRPTv1; rua=mailto:nobody"`, `invalid [] warning …has nobody to go to`},
		{owner + `"v=TLSRPTv1; rua=https:///x"`, `invalid [] warning …has nobody to go to`},
		{owner + `"v=TLSRPTv1; rua="`, `invalid [] warning …`},
		{"_smtp._tls.d.example SERVFAIL", "unknown [] unknown tlsrpt: …(SERVFAIL)"},
	} {
		r, findings := lookTLSRPT(t.Context(), lookuptest.New(t, test.zone).Exchange, "d.example")
		if got := fmt.Sprintf("%s %v %s", r.Status, r.RUA, outline(findings)); !holds(got, test.want) {
			t.Errorf("%s:\n got %s\nwant %s", test.zone, got, test.want)
		}
	}
}

func TestFCrDNS(t *testing.T) {
	zone := `
		1.2.0.192.in-addr.arpa. PTR mx.d.example.
		mx.d.example.           A   192.0.2.1
		2.2.0.192.in-addr.arpa. PTR Other.d.example.
		other.d.example.        A   192.0.2.9
		3.2.0.192.in-addr.arpa. PTR other.d.example.
		3.2.0.192.in-addr.arpa. PTR three.d.example.
		three.d.example.        A   192.0.2.3
		4.2.0.192.in-addr.arpa. PTR bad.d.example.
		bad.d.example           SERVFAIL
		5.2.0.192.in-addr.arpa  SERVFAIL
		7.2.0.192.in-addr.arpa.   CNAME 7.part.2.0.192.in-addr.arpa.
		7.part.2.0.192.in-addr.arpa. PTR seven.d.example.
		seven.d.example.        A   192.0.2.7
		1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa. PTR six.d.example.
		six.d.example.          AAAA 2001:db8::1
		six.d.example.          A   192.0.2.6`
	for address, want := range map[string]string{
		"192.0.2.1":        "ok [mx.d.example] mx.d.example info",
		"::ffff:192.0.2.1": "ok [mx.d.example] mx.d.example info",
		"192.0.2.2":        "invalid [other.d.example]  info",
		"192.0.2.3":        "ok [other.d.example three.d.example] three.d.example info",
		"192.0.2.4":        "unknown [bad.d.example]  unknown",
		"192.0.2.5":        "unknown []  unknown",
		"192.0.2.6":        "none []  info",
		"192.0.2.7":        "ok [seven.d.example] seven.d.example info", // RFC 2317
		"2001:db8::1":      "ok [six.d.example] six.d.example info",
	} {
		addr := netip.MustParseAddr(address)
		p := FCrDNS(t.Context(), lookuptest.New(t, zone).Exchange, addr)
		if got := fmt.Sprintf("%s %v %s %s", p.Status, p.Names, p.Confirmed, p.Finding(addr).Severity); got != want {
			t.Errorf("%s: got %s (%s), want %s", address, got, p.Detail, want)
		}
	}
	var many strings.Builder
	for i := range 50 {
		fmt.Fprintf(&many, "1.2.0.192.in-addr.arpa. PTR n%d.d.example.\n", i)
	}
	z := lookuptest.New(t, many.String())
	if FCrDNS(t.Context(), z.Exchange, netip.MustParseAddr("192.0.2.1")); len(z.Asked) != 1+maxNames {
		t.Errorf("%d questions for one address", len(z.Asked))
	}
}

// All three at once, none of them in the way of another.
func TestLook(t *testing.T) {
	r := Look(t.Context(), lookuptest.New(t, `
		d.example.            TXT "v=spf1 -all"
		_dmarc.d.example      SERVFAIL
		_smtp._tls.d.example. TXT "v=TLSRPTv1; rua=mailto:a@d.example"`).Exchange, "d.example")
	got := fmt.Sprintf("%s %s %s %d", r.TLSRPT.Status, r.SPF.Status, r.DMARC.Status, len(r.Findings))
	if got != "ok ok unknown 3" {
		t.Errorf("got %s: %s", got, outline(r.Findings))
	}
	for _, f := range r.Findings {
		if f.About != "d.example" || !strings.HasPrefix(f.Rule, "RFC ") || f.Text == "" {
			t.Errorf("not complete: %+v", f)
		}
	}
}

// A resolver that is slow for every question of a long SPF record does not hold a report up.
func TestLookEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := func(ctx context.Context, q *dns.Msg) (*dns.Msg, string, error) {
			select {
			case <-time.After(9 * time.Second):
			case <-ctx.Done():
				return nil, "", ctx.Err()
			}
			return lookuptest.New(t, `d.example. TXT "v=spf1 `+strings.Repeat("a ", 30)+`-all"`).Exchange(ctx, q)
		}
		start := time.Now()
		r := Look(t.Context(), slow, "d.example")
		if took := time.Since(start); took > maxTime || !r.SPF.Cut {
			t.Errorf("took %s, cut %t", took, r.SPF.Cut)
		}
	})
}
