package resolver

import (
	"net/netip"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/mxglue/mxglue/cache"
	"github.com/mxglue/mxglue/resolver/upstream"
)

// Whoever has joined a flight is told of its landing, be it before he begins to wait or after.
func TestWaits(t *testing.T) {
	u, err := upstream.New("udp://127.0.0.1:53")
	if err != nil {
		t.Fatal(err)
	}
	r := New(Options{}, cache.New(cache.Options{}, time.Now()), []*upstream.Upstream{u})
	defer r.Close()
	q, ok := newQuery("a.example.", dns.TypeA, false)
	if !ok {
		t.Fatal("no query")
	}
	q.Client = netip.MustParseAddr("127.0.0.1")
	f, first, _ := r.board(q, cache.ByClient)
	joined, second, _ := r.board(q, cache.ByClient)
	if !first || second || joined != f {
		t.Fatalf("booked %v, %v", first, second)
	}
	before := r.waits(f)
	select {
	case <-before:
		t.Fatal("landed before it flew")
	default:
	}
	for _, wait := range []bool{true, false} { // the second flight has nobody who waits when it lands
		if !wait {
			f, _, _ = r.board(q, cache.ByRefresh)
		}
		e := r.cache.Failure(dns.Question{Name: "a.example.", Qtype: dns.TypeA, Qclass: dns.ClassINET}, f.from, nil, time.Now())
		r.land(f, e, dns.TypeA)
		for _, landed := range []<-chan struct{}{before, r.waits(f)} {
			select {
			case <-landed:
			default:
				t.Error("it has landed, and nobody is told")
			}
		}
		if f.entry != e || len(r.flights) != 0 {
			t.Errorf("landed with %v, %d in flight", f.entry, len(r.flights))
		}
	}
}
