package lookup_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/miekg/dns"

	"github.com/mxglue/mxglue/smtpprobe/lookup"
	"github.com/mxglue/mxglue/smtpprobe/lookup/lookuptest"
)

// What a question leads to: the end of the aliases, how many records, and what is known of them.
func TestAsk(t *testing.T) {
	var chain strings.Builder
	for i := range 18 {
		fmt.Fprintf(&chain, "c%d.example. CNAME c%d.example.\n", i, i+1)
	}
	chain.WriteString("c18.example. TXT end\n")
	zone := lookuptest.New(t, chain.String()+`
		SIGNED signed.example
		a.example.        TXT   one
		a.example.        TXT   two
		alias.example.    CNAME a.example.
		loop.example.     CNAME loop.example.
		lost.example.     CNAME nowhere.example.
		m.signed.example. TXT   s
		in.signed.example.  CNAME m.signed.example.
		out.signed.example. CNAME a.example.
		bad.example       SERVFAIL
		worse.example     ERROR`)
	long := "_mta-sts." + strings.Repeat("a.", 123) + "example." // 262 octets
	for _, test := range []struct{ name, want string }{
		{long, long + " 0 NXDOMAIN secure"},
		{"a.example", "a.example. 2"},
		{"A.Example.", "a.example. 2"},
		{"alias.example", "a.example. 2"},
		{"nothing.example", "nothing.example. 0 NXDOMAIN"},
		{"signed.example", "signed.example. 0 secure"},
		{"lost.example", "nowhere.example. 0 NXDOMAIN"},
		{"m.signed.example", "m.signed.example. 1 secure"},
		{"none.signed.example", "none.signed.example. 0 NXDOMAIN secure"},
		{"in.signed.example", "m.signed.example. 1 secure"},
		{"out.signed.example", "a.example. 2"},
		{"c2.example", "c18.example. 1"},
		{"c1.example", "a chain of more than 16 CNAMEs, or a loop"},
		{"loop.example", "a chain of more than 16 CNAMEs, or a loop"},
		{"bad.example", "SERVFAIL"},
		{"worse.example", `no upstream \x1b[2J answers`},
	} {
		ans, err := lookup.Ask(t.Context(), zone.Exchange, test.name, dns.TypeTXT)
		got := fmt.Sprintf("%s %d", ans.Name, len(ans.RRs))
		if ans.NXDomain {
			got += " NXDOMAIN"
		}
		if ans.Secure {
			got += " secure"
		}
		if err != nil {
			got = lookup.Describe(err)
		}
		if got != test.want {
			t.Errorf("%s: got %q, want %q", test.name, got, test.want)
		}
	}
}

// Whose fault a SERVFAIL is, where the response says it (RFC 8914).
func TestFailureSaysWhy(t *testing.T) {
	for want, code := range map[string]uint16{"SERVFAIL, DNSSEC Bogus": dns.ExtendedErrorCodeDNSBogus, "SERVFAIL, Network Error": dns.ExtendedErrorCodeNetworkError, "SERVFAIL": 65000} {
		_, err := lookup.Ask(t.Context(), func(_ context.Context, q *dns.Msg) (*dns.Msg, string, error) {
			r := new(dns.Msg).SetRcode(q, dns.RcodeServerFailure)
			r.SetEdns0(1232, false)
			r.IsEdns0().Option = append(r.IsEdns0().Option, &dns.EDNS0_EDE{InfoCode: code, ExtraText: "port 4711"})
			return r, "upstream", nil
		}, "a.example", dns.TypeMX)
		if err == nil || lookup.Describe(err) != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

// A resolver that gives one link at a time: each must be authentic, or the whole is not.
func TestAskOnIsSecureOnlyThroughout(t *testing.T) {
	for _, unsigned := range []string{"", "a.example.", "b.example."} {
		exchange := func(_ context.Context, q *dns.Msg) (*dns.Msg, string, error) {
			r := new(dns.Msg).SetReply(q)
			r.AuthenticatedData = q.Question[0].Name != unsigned
			text := "a.example. CNAME b.example."
			if q.Question[0].Name == "b.example." {
				text = "b.example. TXT end"
			}
			rr, _ := dns.NewRR(text)
			r.Answer = append(r.Answer, rr)
			return r, "", nil
		}
		ans, err := lookup.Ask(t.Context(), exchange, "a.example", dns.TypeTXT)
		if err != nil || len(ans.RRs) != 1 || ans.Secure != (unsigned == "") {
			t.Errorf("%q without AD: %d records, secure %t, %v", unsigned, len(ans.RRs), ans.Secure, err)
		}
	}
}

func TestAskRefusesWhatSaysNothing(t *testing.T) {
	for want, r := range map[string]*dns.Msg{
		"no response":        nil,
		"truncated response": {MsgHdr: dns.MsgHdr{Truncated: true}},
		"REFUSED":            {MsgHdr: dns.MsgHdr{Rcode: dns.RcodeRefused}},
		"RCODE 3000":         {MsgHdr: dns.MsgHdr{Rcode: 3000}},
		// An exchanger without a name would stand in the report, and the root be asked for its addresses.
		"a record without data": {Answer: []dns.RR{&dns.MX{Hdr: dns.RR_Header{Name: "a.example.", Rrtype: dns.TypeMX, Class: dns.ClassINET}}}},
	} {
		exchange := func(context.Context, *dns.Msg) (*dns.Msg, string, error) { return r, "", nil }
		if _, err := lookup.Ask(t.Context(), exchange, "a.example", dns.TypeTXT); err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

// A resolver that never answers holds nobody up for longer than Timeout.
func TestAskEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		silent := func(ctx context.Context, _ *dns.Msg) (*dns.Msg, string, error) {
			<-ctx.Done()
			return nil, "", ctx.Err()
		}
		if _, err := lookup.Ask(t.Context(), silent, "a.example", dns.TypeTXT); err == nil || lookup.Describe(err) != "timed out" {
			t.Errorf("got %v, want a timeout", err)
		}
	})
}

func TestParseTags(t *testing.T) {
	for record, want := range map[string]string{
		"v=STSv1; id=1;":          "[{v STSv1} {id 1}]",
		" v = a ;\tb=c=d ":        "[{v a} {b c=d}]",
		"v=a;;":                   `[{v a}] "" where tag=value is wanted`,
		"v=a; rest":               `[{v a}] " rest" where tag=value is wanted`,
		"=a":                      `[] "=a" where tag=value is wanted`,
		"":                        "[]",
		strings.Repeat("a=;", 65): "[] more than 64 tags",
	} {
		tags, err := lookup.ParseTags(record)
		got := fmt.Sprint(tags)
		if err != nil {
			got += " " + err.Error()
		}
		if got != want {
			t.Errorf("%.40q: got %s, want %s", record, got, want)
		}
	}
}

func TestClip(t *testing.T) {
	for in, want := range map[string]string{"12345678": "12345678", "123456789": "12345…", "1234ä6789": "1234…"} {
		if got := lookup.Clip(in, 8); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}
