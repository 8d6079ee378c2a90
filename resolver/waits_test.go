package resolver

import (
	"net/netip"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/mxglue/mxglue/cache"
	"github.com/mxglue/mxglue/cache/wire"
	"github.com/mxglue/mxglue/resolver/upstream"
)

// airport returns a resolver whose flights the test lands, and a client's queries.
func airport(t *testing.T) (r *Resolver, asked func(name string) *wire.Query) {
	u, err := upstream.New("udp://127.0.0.1:53")
	if err != nil {
		t.Fatal(err)
	}
	r = New(Options{}, cache.New(cache.Options{}, time.Now()), []*upstream.Upstream{u})
	t.Cleanup(r.Close)
	return r, func(name string) *wire.Query {
		q, ok := newQuery(name, dns.TypeA, false)
		if !ok {
			t.Fatal("no query")
		}
		q.Client = netip.MustParseAddr("127.0.0.1")
		return q
	}
}

// Whoever has joined a flight is told of its landing, be it before he begins to wait or after.
func TestWaits(t *testing.T) {
	r, asked := airport(t)
	q := asked("a.example.")
	f, first, _ := r.board(q, cache.ByClient, time.Now())
	joined, second, _ := r.board(q, cache.ByClient, time.Now())
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
			f, _, _ = r.board(q, cache.ByRefresh, time.Now())
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

// A flight that has landed serves another question only if nobody has joined it: those who have hear their own answer,
// however late they look. And what it serves then has not landed yet.
func TestSpare(t *testing.T) {
	r, asked := airport(t)
	fail := func(f *flight) *cache.Entry {
		return r.cache.Failure(dns.Question{Name: "x.example.", Qtype: dns.TypeA, Qclass: dns.ClassINET}, f.from, nil, time.Now())
	}
	f, _, _ := r.board(asked("a.example."), cache.ByClient, time.Now())
	joined, _, _ := r.board(asked("a.example."), cache.ByClient, time.Now())
	e := fail(f)
	r.land(f, e, dns.TypeA)
	r.spare(f)
	next, first, _ := r.board(asked("b.example."), cache.ByClient, time.Now())
	select {
	case <-r.waits(joined):
	default:
		t.Error("joined, and not told of the landing")
	}
	if joined.entry != e || next == joined || !first {
		t.Errorf("joined, and the entry is %p, want %p; the next question goes by the same flight: %v", joined.entry, e, next == joined)
	}
	r.land(next, fail(next), dns.TypeA)
	r.spare(next)
	again, first, _ := r.board(asked("c.example."), cache.ByClient, time.Now())
	select {
	case <-r.waits(again):
		t.Error("landed before it flew")
	default:
	}
	if again != next || !first || again.entry != nil || r.flights[again.key] != again || len(r.flights) != 1 {
		t.Errorf("a flight that nobody knows of is not used again, or not as a new one: %q", again.key)
	}
}

// TestFlightAllocates counts what joining questions costs one that nobody joins: its key.
func TestFlightAllocates(t *testing.T) {
	r, asked := airport(t)
	q, now := asked("a.example."), time.Now()
	e, err := r.cache.Store(new(dns.Msg).SetQuestion("x.example.", dns.TypeA), cache.Origin{}, now)
	if err != nil {
		t.Fatal(err)
	}
	if n := testing.AllocsPerRun(100, func() {
		f, _, _ := r.board(q, cache.ByClient, now)
		r.land(f, e, dns.TypeA)
		r.spare(f)
	}); n > 1 {
		t.Errorf("a flight allocates %v times, want once at most", n)
	}
}
