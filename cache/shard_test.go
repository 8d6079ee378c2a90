package cache

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
)

func numbered(i int) string { return fmt.Sprintf("n%d.example.", i) }

// fill stores addresses for the names numbered from up to, without, to.
func fill(t testing.TB, c *Cache, from, to int, now time.Time) {
	t.Helper()
	for i := from; i < to; i++ {
		name := numbered(i)
		m := new(dns.Msg).SetQuestion(name, dns.TypeA)
		m.Response = true
		m.Answer = []dns.RR{&dns.A{Hdr: dns.RR_Header{Name: name, Rrtype: dns.TypeA, Class: dns.ClassINET, Ttl: 3600}, A: []byte{10, byte(i >> 16), byte(i >> 8), byte(i)}}}
		if _, err := c.Store(m, Origin{Client: mta}, now); err != nil {
			t.Fatal(err)
		}
	}
}

// TestEntriesIsExact fills caches half as full again as they may be: there is never one entry more, none is thrown out
// while there is room for it, and each one thrown out is counted.
func TestEntriesIsExact(t *testing.T) {
	for _, entries := range []int{1, 2, 10, 511, 513, 1000, 100_000} {
		t.Run(fmt.Sprint(entries), func(t *testing.T) {
			c := New(Options{Entries: entries}, epoch)
			all := entries + entries/2 + 10
			step := max(1, all/1000)
			for i := 0; i < all; i += step {
				fill(t, c, i, min(i+step, all), epoch)
				st := c.Stats()
				if st.Entries > entries || st.Capacity != entries || st.Entries+int(st.Evicted) != min(i+step, all) {
					t.Fatalf("%d stored: %+v", min(i+step, all), st)
				}
				if i+step <= entries/2 && st.Evicted != 0 {
					t.Fatalf("%d stored, and %d thrown out", i+step, st.Evicted)
				}
			}
			if st := c.Stats(); st.Entries != entries {
				t.Errorf("%d stored, %d kept", all, st.Entries)
			}
		})
	}
}

// TestReplaceEvictsNothing stores one name again and again.
func TestReplaceEvictsNothing(t *testing.T) {
	c := New(Options{Entries: 1}, epoch)
	for range 3 {
		fill(t, c, 0, 1, epoch)
	}
	if st := c.Stats(); st.Entries != 1 || st.Evicted != 0 {
		t.Errorf("%+v", st)
	}
}

// TestAskedStay: the names that clients go on asking for outlive many that nobody asks, and what nobody has asked for while
// twice as many came as there is room for is gone.
func TestAskedStay(t *testing.T) {
	for _, x := range []struct{ entries, asked int }{{2, 1}, {10, 3}, {64, 40}, {1000, 100}, {1000, 500}} {
		c := New(Options{Entries: x.entries}, epoch)
		fill(t, c, 0, x.asked, epoch)
		for next := x.asked; next < 10*x.entries; next++ {
			fill(t, c, next, next+1, epoch)
			if next%max(1, x.entries/10) == 0 {
				for i := range x.asked {
					if answer(t, c, query(t, numbered(i), dns.TypeA), epoch) == nil {
						t.Fatalf("%d entries: name %d was asked all the time, and is gone after %d", x.entries, i, next)
					}
				}
			}
		}
		fill(t, c, 10*x.entries, 12*x.entries+maxShards, epoch)
		for i := range x.asked {
			if len(c.shards) == 1 && c.Peek(query(t, numbered(i), dns.TypeA), epoch) != nil {
				t.Errorf("%d entries: nobody has asked for name %d while twice as many came, and it is there", x.entries, i)
			}
		}
	}
}

// TestPeekLeavesNoTrace: Peek neither counts nor keeps an entry alive.
func TestPeekLeavesNoTrace(t *testing.T) {
	c := New(Options{Entries: 2}, epoch)
	fill(t, c, 0, 2, epoch)
	q := query(t, numbered(0), dns.TypeA)
	if c.Peek(q, epoch) == nil {
		t.Fatal("nothing there")
	}
	if c.Peek(query(t, numbered(7), dns.TypeA), epoch) != nil {
		t.Error("something there")
	}
	if st := c.Stats(); st.Hits != 0 || st.Misses != 0 {
		t.Errorf("%+v", st)
	}
	fill(t, c, 2, 3, epoch)
	if c.Peek(q, epoch) != nil {
		t.Error("a Peek kept the oldest entry alive")
	}
}

// TestRanksEvictEachOther: glue and failures take up entries like any other.
func TestRanksEvictEachOther(t *testing.T) {
	c := New(Options{Entries: 3}, epoch)
	store(t, c, mxOfA, epoch) // with two of glue
	fail(c, "b.example.", epoch)
	if st := c.Stats(); st.Entries != 3 || st.Evicted != 1 || st.GlueStored != 2 {
		t.Errorf("%+v", st)
	}
	want(t, answer(t, c, query(t, "a.example", dns.TypeMX), epoch), "miss")
}

// TestMemoryIsBounded stores what is large, then what is small: the octets kept stay within bounds, and the count of
// them returns to what a new cache would say.
func TestMemoryIsBounded(t *testing.T) {
	const memory = 1 << 16
	c := New(Options{Memory: memory, Entries: 256, Glue: Ignore}, epoch)
	text := large()["MX with all its sections"]
	for i := range 600 {
		m := response(t, text)
		m.Question[0].Name = numbered(i)
		for _, rr := range m.Answer {
			rr.Header().Name = numbered(i)
		}
		if _, err := c.Store(m, Origin{}, epoch); err != nil {
			t.Fatal(err)
		}
		if st := c.Stats(); st.Octets > memory {
			t.Fatalf("%d octets after %d", st.Octets, i)
		}
	}
	tiny := New(Options{Memory: 1, Glue: Ignore}, epoch) // one entry there is room for always
	store(t, tiny, large()["chain"], epoch)
	if answer(t, tiny, query(t, "a.example", dns.TypeTXT, "tcp"), epoch) == nil {
		t.Error("an entry larger than the memory is not kept")
	}
	if st := c.Stats(); st.Octets < memory/2 || st.Evicted == 0 || st.EvictedMemory == 0 {
		t.Errorf("%+v", st)
	}
	fill(t, c, 10_000, 10_000+2*256, epoch)
	fresh := New(Options{Memory: memory, Entries: 256}, epoch)
	fill(t, fresh, 10_256, 10_512, epoch)
	if got, want := c.Stats(), fresh.Stats(); got.Octets != want.Octets || got.Entries != want.Entries {
		t.Errorf("%d entries of %d octets, a new cache says %d of %d", got.Entries, got.Octets, want.Entries, want.Octets)
	}
}

// TestMemoryIsTrue has large messages push out small ones and the other way round: what the cache really takes up stays near
// what it may, whoever makes a client ask for what.
func TestMemoryIsTrue(t *testing.T) {
	const memory = 8 << 20
	heap := func() int {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return int(m.HeapAlloc)
	}
	text := strings.Repeat(` "`+strings.Repeat("x", 255)+`"`, 240)
	before := heap()
	c := New(Options{Entries: 500, Memory: memory}, epoch)
	bounded := func(round, large int) {
		if took := heap() - before; took > memory*3/2 {
			t.Fatalf("round %d: %d octets, and %d there may be, after %d large messages", round, took, memory, large)
		}
	}
	for round := range 3 {
		fill(t, c, 1000*round, 1000*round+500, epoch)
		for i := range 500 {
			store(t, c, fmt.Sprintf("l%d.example TXT\n l%[1]d.example. 60 IN TXT %s", 1000*round+i, text), epoch)
			if i%50 == 49 {
				bounded(round, i)
			}
		}
		fill(t, c, 1000*round+500, 1000*round+1000, epoch)
		bounded(round, 500)
	}
	for i := range 200 {
		store(t, c, fmt.Sprintf("l%d.example TXT\n l%[1]d.example. 60 IN TXT %s", i, text), epoch)
	}
	c.Flush(".")
	if took := heap() - before; took > memory/4 {
		t.Errorf("%d octets when all is forgotten", took)
	}
	runtime.KeepAlive(c)
}

// TestSizeCountsAll: both forms of a signed response count, and what a failure says of its reasons.
func TestSizeCountsAll(t *testing.T) {
	c := New(Options{}, epoch)
	e := store(t, c, large()["signed"], epoch)
	if least := len(e.full.packed) + len(e.more.plain.packed); e.size() < least {
		t.Errorf("%d octets, its messages have %d", e.size(), least)
	}
	f := c.Failure(dns.Question{Name: "a.example.", Qtype: dns.TypeA, Qclass: dns.ClassINET}, Origin{}, make([]byte, 500), epoch)
	if f.size() < 500 {
		t.Errorf("%d octets, its reasons have 500", f.size())
	}
}
