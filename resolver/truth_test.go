package resolver_test

import (
	"context"
	"fmt"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/miekg/dns"

	"github.com/mxglue/mxglue/cache"
	"github.com/mxglue/mxglue/cache/wire"
	"github.com/mxglue/mxglue/resolver"
	"github.com/mxglue/mxglue/resolver/upstream"
)

// bits are the three that decide over DANE, in a query.
type bits struct{ ad, do, cd bool }

func (b bits) String() string { return fmt.Sprintf("AD=%t DO=%t CD=%t", b.ad, b.do, b.cd) }

func allBits() (all []bits) {
	for i := range 8 {
		all = append(all, bits{i&1 != 0, i&2 != 0, i&4 != 0})
	}
	return all
}

// validator is an upstream that validates: secure.example is signed, bogus.example badly, insecure.example not.
func validator(_ context.Context, _ *upstream.Upstream, q dns.Question, cd bool) (*upstream.Response, error) {
	m := &dns.Msg{Question: []dns.Question{q}}
	m.Response, m.RecursionAvailable = true, true
	if q.Name == "bogus.example." && !cd {
		m.Rcode = dns.RcodeServerFailure
		return &upstream.Response{Msg: m, UDP: true}, nil
	}
	a, _ := dns.NewRR(q.Name + " 60 IN A 192.0.2.1")
	m.Answer = []dns.RR{a}
	if q.Name != "insecure.example." {
		sig, _ := dns.NewRR(q.Name + " 60 IN RRSIG A 13 2 60 20300101000000 20260101000000 1 example. AAAA")
		m.Answer = append(m.Answer, sig)
	}
	m.AuthenticatedData = q.Name == "secure.example." && !cd
	return &upstream.Response{Msg: m, UDP: true}, nil
}

// TestTruth asks for each kind of name with every combination of bits: cold, from a warm cache, and after a client with
// every other combination. The reply's bits depend on the query and the name alone.
func TestTruth(t *testing.T) {
	for _, name := range []string{"secure.example.", "insecure.example.", "bogus.example."} {
		for _, q := range allBits() {
			t.Run(fmt.Sprintf("%s %v", name, q), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					for _, first := range allBits() {
						ask := newAsker(t)
						ask(name, first)
						ask(name, q).check(t, fmt.Sprintf("after %v", first), name, q)
						ask(name, q).check(t, fmt.Sprintf("warm, after %v", first), name, q)
					}
					newAsker(t)(name, q).check(t, "cold", name, q)
				})
			})
		}
	}
}

// newAsker returns a function that asks a new mxglue.
func newAsker(t *testing.T) func(name string, b bits) truth {
	u, err := upstream.New("udp://127.0.0.1:53")
	if err != nil {
		t.Fatal(err)
	}
	c := cache.New(cache.Options{}, time.Now())
	r := resolver.New(resolver.Options{Bundle: true}, c, []*upstream.Upstream{u})
	t.Cleanup(r.Close)
	r.Ask = validator
	return func(name string, b bits) truth {
		m := new(dns.Msg)
		m.SetQuestion(name, dns.TypeA)
		m.AuthenticatedData, m.CheckingDisabled = b.ad, b.cd
		m.SetEdns0(1232, b.do)
		packed, err := m.Pack()
		if err != nil {
			t.Fatal(err)
		}
		q := wire.Query{Client: netip.MustParseAddr("127.0.0.1")}
		if v := q.Parse(packed, false); v != wire.Accept {
			t.Fatalf("verdict %d", v)
		}
		out := c.Answer(nil, &q, time.Now())
		if out == nil {
			out = r.Resolve(t.Context(), nil, &q)
		}
		reply := new(dns.Msg)
		if err := reply.Unpack(out); err != nil {
			t.Fatal(err)
		}
		return truth{reply}
	}
}

type truth struct{ *dns.Msg }

// check holds a reply against what RFC 4035 §3.2 and RFC 6840 §5.7-5.8 say.
func (r truth) check(t *testing.T, when, name string, q bits) {
	t.Helper()
	rcode := dns.RcodeSuccess
	if name == "bogus.example." && !q.cd {
		rcode = dns.RcodeServerFailure
	}
	if r.Rcode != rcode {
		t.Errorf("%s: %s, want %s", when, dns.RcodeToString[r.Rcode], dns.RcodeToString[rcode])
	}
	if want := name == "secure.example." && !q.cd && (q.do || q.ad); r.AuthenticatedData != want {
		t.Errorf("%s: AD=%t, want %t", when, r.AuthenticatedData, want)
	}
	if r.CheckingDisabled != q.cd {
		t.Errorf("%s: CD=%t, want the query's", when, r.CheckingDisabled)
	}
	if opt := r.IsEdns0(); opt == nil || opt.Do() != q.do {
		t.Errorf("%s: DO is not the query's", when)
	}
	signed := 0
	for _, rr := range r.Answer {
		if rr.Header().Rrtype == dns.TypeRRSIG {
			signed++
		}
	}
	if want := q.do && name != "insecure.example." && rcode == dns.RcodeSuccess; (signed > 0) != want {
		t.Errorf("%s: %d signatures, want some: %t", when, signed, want)
	}
}
