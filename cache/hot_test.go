package cache

import (
	"fmt"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/mxglue/mxglue/cache/wire"
)

// TestAnswerAllocates nothing, whatever it answers.
func TestAnswerAllocates(t *testing.T) {
	c := New(Options{}, epoch)
	store(t, c, mxOfA, epoch)
	store(t, c, "www.a.example A ad\n www.a.example. 60 IN A 192.0.2.1\n"+
		"www.a.example. 60 IN RRSIG A 13 3 60 20300101000000 20260101000000 1 a.example. AAAA", epoch)
	store(t, c, "no.a.example MX nx\n authority:\n a.example. 90 IN SOA ns.a.example. host.a.example. 1 2 3 4 90", epoch)
	store(t, c, large()["any"], epoch)
	fail(c, "broken.example.", epoch)
	store(t, c, "old.example A\n old.example. 1 IN A 192.0.2.1", epoch)
	fail(c, "old.example.", epoch)
	dst := make([]byte, 0, wire.MaxMessage)
	for _, x := range []struct {
		what string
		q    *wire.Query
		want string
	}{
		{"answer", query(t, "A.example", dns.TypeMX), "NOERROR"},
		{"answer with DO", query(t, "www.a.example", dns.TypeA, "do"), "NOERROR"},
		{"answer without signatures", query(t, "www.a.example", dns.TypeA, "edns", "ad"), "NOERROR"},
		{"glue", query(t, "mx.a.example", dns.TypeA, "edns"), "NOERROR"},
		{"negative", query(t, "no.a.example", dns.TypeMX), "NXDOMAIN"},
		{"truncated", query(t, "a.example", dns.TypeANY), "NOERROR"},
		{"failure", query(t, "broken.example", dns.TypeA, "edns"), "SERVFAIL"},
		{"stale", query(t, "old.example", dns.TypeA, "edns"), "NOERROR"},
		{"miss", query(t, "nobody.example", dns.TypeA), ""},
		{"glue for another client", query(t, "mx.a.example", dns.TypeA, "other"), ""},
	} {
		now := epoch.Add(2 * time.Second)
		if m := answer(t, c, x.q, now); m == nil && x.want != "" || m != nil && dns.RcodeToString[m.Rcode] != x.want {
			t.Fatalf("%s: %v", x.what, m)
		}
		if n := testing.AllocsPerRun(100, func() { c.Answer(dst, x.q, now) }); n != 0 {
			t.Errorf("%s: %v allocations", x.what, n)
		}
	}
}

// BenchmarkAnswer is a hit, in caches of different sizes.
func BenchmarkAnswer(b *testing.B) {
	for _, names := range []int{1, 10_000, 100_000} {
		b.Run(fmt.Sprintf("names=%d", names), func(b *testing.B) {
			c, queries := filled(b, names)
			dst := make([]byte, 0, 512)
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				if c.Answer(dst, queries[i%names], epoch) == nil {
					b.Fatal("miss")
				}
			}
		})
	}
}

// BenchmarkAnswerParallel is the same on every core at once, each with names of its own: it measures what they share. ns/query
// is a core's time. Next is not called for each query, as what it counts in may lie in one line of memory with another's.
func BenchmarkAnswerParallel(b *testing.B) {
	const each, parts = 100 * near, 8 // the cache is as large whatever the cores
	c, queries := filled(b, parts*each)
	var asking atomic.Uint32
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		number := asking.Add(1)
		own := queries[number%parts*each:][:each]
		for _, q := range own {
			q.Lane = uint8(number)
		}
		dst := make([]byte, 0, 512)
		for i := 0; pb.Next(); i = (i + near) % each {
			for _, q := range own[i:][:near] {
				c.Answer(dst, q, epoch)
			}
		}
	})
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())*float64(runtime.GOMAXPROCS(0))/float64(b.N*near), "ns/query")
}

// BenchmarkMiss is what a question costs that the cache cannot answer.
func BenchmarkMiss(b *testing.B) {
	c, _ := filled(b, 10_000)
	q := query(b, "nobody.example", dns.TypeA)
	b.ReportAllocs()
	for b.Loop() {
		c.Answer(nil, q, epoch)
	}
}

// BenchmarkStore is an MX response with glue: unpacked, packed anew, and promoted.
func BenchmarkStore(b *testing.B) {
	c, packed := New(Options{}, epoch), plainOf(b, mxOfA)
	b.ReportAllocs()
	for b.Loop() {
		m := new(dns.Msg)
		if err := m.Unpack(packed); err != nil {
			b.Fatal(err)
		}
		if _, err := c.Store(m, Origin{Client: mta, UDP: true, Size: len(packed)}, epoch); err != nil {
			b.Fatal(err)
		}
	}
}

func filled(b *testing.B, names int) (*Cache, []*wire.Query) {
	c := New(Options{Entries: 2 * names}, epoch)
	fill(b, c, 0, names, epoch)
	queries := make([]*wire.Query, names)
	for i := range queries {
		queries[i] = query(b, numbered(i), dns.TypeA)
	}
	return c, queries
}
