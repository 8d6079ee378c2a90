package resolver_test

import (
	"context"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/miekg/dns"

	"github.com/mxglue/mxglue/cache/wire"
	"github.com/mxglue/mxglue/resolver"
)

// Each reply is counted once: by its type, by its rcode, and with the time that its client waited.
func TestRepliesAreCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &asks{delay: 30 * time.Millisecond}
		r := newResolver(t, resolver.Options{}, a)
		prefix := []byte{0, 0} // as over TCP
		for _, qtype := range []uint16{dns.TypeA, dns.TypeMX, dns.TypeMX, dns.TypeNAPTR} {
			if reply := r.Resolve(t.Context(), prefix, typedQuery(t, qtype, true)); rcode(reply[2:]) != dns.RcodeSuccess {
				t.Fatalf("type %d: rcode %d", qtype, rcode(reply[2:]))
			}
		}
		r.Resolve(t.Context(), nil, typedQuery(t, dns.TypeTXT, false)) // REFUSED: it does not ask for recursion
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		if reply := r.Resolve(ctx, prefix, typedQuery(t, dns.TypeDS, true)); reply != nil {
			t.Fatalf("a reply for one who waits no more: % x", reply)
		}
		got := r.Stats().Replies
		for qtype, want := range map[string]uint64{"A": 1, "MX": 2, "other": 1, "TXT": 1, "DS": 0, "AAAA": 0} {
			if n, there := got.ByType[qtype]; !there || n != want {
				t.Errorf("by type: %v; want %d of %s", got.ByType, want, qtype)
			}
		}
		for code, want := range map[string]uint64{"NOERROR": 4, "REFUSED": 1, "SERVFAIL": 0, "other": 0} {
			if n, there := got.ByRcode[code]; !there || n != want {
				t.Errorf("by rcode: %v; want %d of %s", got.ByRcode, want, code)
			}
		}
		// The refused one and the second MX waited for nobody.
		if upTo, all := got.Times.Buckets(); all != 5 || upTo[0.025] != 2 || upTo[0.05] != 5 {
			t.Errorf("of %d, %d took at most 25 ms and %d at most 50; want 5, 2 and 5", all, upTo[0.025], upTo[0.05])
		}
		time.Sleep(a.delay) // for the question that nobody waits for any more
	})
}

func TestUpstreamFailuresAreSERVFAILs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newResolver(t, resolver.Options{}, &asks{}) // never answers
		r.Resolve(t.Context(), nil, typedQuery(t, dns.TypeMX, true))
		got := r.Stats().Replies
		if _, all := got.Times.Buckets(); all != 1 || got.ByRcode["SERVFAIL"] != 1 || got.Times.Total < 3*time.Second {
			t.Errorf("%d replies, %v, %v in all; want one SERVFAIL after the budget", all, got.ByRcode, got.Times.Total)
		}
	})
}

func typedQuery(t *testing.T, qtype uint16, recursion bool) *wire.Query {
	t.Helper()
	m := new(dns.Msg)
	m.SetQuestion("example.org.", qtype)
	m.RecursionDesired = recursion
	packed, err := m.Pack()
	if err != nil {
		t.Fatal(err)
	}
	q := &wire.Query{Client: netip.MustParseAddr("127.0.0.1")}
	if v := q.Parse(packed, false); v != wire.Accept {
		t.Fatalf("type %d: verdict %d", qtype, v)
	}
	return q
}
