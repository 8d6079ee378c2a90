package cache

import (
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/mxglue/mxglue/cache/wire"
)

// placed is an entry with its key, at a hash of the test's choice.
type placed struct {
	hash uint64
	key  []byte
	*Entry
}

// putAt makes an entry for a numbered name.
func putAt(t testing.TB, c *Cache, i int, hash uint64) placed {
	t.Helper()
	e := store(t, c, fmt.Sprintf("n%d.example A\n n%[1]d.example. 60 IN A 192.0.2.1", i), epoch)
	return placed{hash, slices.Clone(query(t, numbered(i), dns.TypeA).Key()), e}
}

// TestFrontModel puts, drops and finds at random among entries whose hashes share sets, tags, or everything. What is found
// is what was put there last; what was dropped is not found; and what was put is found at once.
func TestFrontModel(t *testing.T) {
	c, f := New(Options{}, epoch), newFront(4*ways)
	random := rand.New(rand.NewPCG(1, 2))
	var all []placed
	for i := range 60 {
		all = append(all, putAt(t, c, i, uint64(random.IntN(6))|uint64(random.IntN(5))<<49|uint64(random.IntN(9))<<32))
	}
	there := map[uint64]*Entry{} // by hash: what may be found
	for range 50_000 {
		p := all[random.IntN(len(all))]
		switch random.IntN(4) {
		case 0:
			f.drop(p.hash)
			delete(there, p.hash)
		case 1: // as search does it
			f.drop(p.hash)
			f.put(p.hash, p.Entry)
			there[p.hash] = p.Entry
			if f.find(p.hash, p.key) != p.Entry {
				t.Fatalf("%q was put, and is not there", p.key)
			}
		default:
			if e := f.find(p.hash, p.key); e != nil && (e != p.Entry || e != there[p.hash]) {
				t.Fatalf("%q: found %s, want %p", p.key, e.Name(), there[p.hash])
			}
		}
	}
	if len(f) != 4 || len(there) == 0 {
		t.Errorf("%d sets, %d entries", len(f), len(there))
	}
}

// TestFrontRoom: a set holds seven entries, whatever their tags, and the eighth takes the place of one.
func TestFrontRoom(t *testing.T) {
	c, f := New(Options{}, epoch), newFront(1)
	var all []placed
	for i := range ways + 1 {
		all = append(all, putAt(t, c, i, uint64(i)<<49|uint64(i)<<32)) // tags 1, 3, 5 ...
		f.put(all[i].hash, all[i].Entry)
		found := 0
		for _, p := range all {
			found += b2i(f.find(p.hash, p.key) == p.Entry)
		}
		if found != min(i+1, ways) {
			t.Errorf("%d of %d are found", found, i+1)
		}
	}
	f.drop(all[ways].hash)
	if f.find(all[ways].hash, all[ways].key) != nil {
		t.Error("dropped, and found")
	}
	others := 0
	for _, p := range all {
		others += b2i(f.find(p.hash, p.key) != nil)
	}
	if others != ways-1 {
		t.Errorf("one is dropped, and %d are left", others)
	}
}

// TestFrontConcurrently has readers look while entries come and go: they get the entry for their question, or none.
func TestFrontConcurrently(t *testing.T) {
	c, f := New(Options{}, epoch), newFront(1)
	var all []placed
	for i := range 2 * ways {
		all = append(all, putAt(t, c, i, uint64(i%4)<<49|uint64(i)<<32))
	}
	var readers sync.WaitGroup
	var stop atomic.Bool
	var found atomic.Int64
	for range 3 {
		readers.Go(func() {
			for i := 0; !stop.Load(); i++ {
				p := all[i%len(all)]
				if e := f.find(p.hash, p.key); e != nil {
					found.Add(1)
					if e != p.Entry {
						t.Errorf("%q: found %s", p.key, e.Name())
						return
					}
				}
			}
		})
	}
	for i := 0; i < 20_000 || found.Load() == 0; i++ {
		p := all[i*5%len(all)]
		f.drop(p.hash)
		f.put(p.hash, p.Entry)
	}
	stop.Store(true)
	readers.Wait()
}

// TestNeverAgain: what was answered from the table in front is not answered any more once it is gone, or another knows better.
func TestNeverAgain(t *testing.T) {
	const glue = "d.example MX\n d.example. 600 IN MX 1 mx.d.example.\n additional:\n mx.d.example. 60 IN A 192.0.2.1"
	const mx = "mx.d.example A\n mx.d.example. 60 IN A 192.0.2."
	for name, x := range map[string]struct {
		before string
		then   func(t *testing.T, c *Cache)
		after  time.Duration
		want   string
	}{
		"expired":  {before: mx + "1", after: time.Minute, want: "miss"},
		"flushed":  {before: mx + "1", then: func(_ *testing.T, c *Cache) { c.Flush("example.") }, want: "miss"},
		"evicted":  {before: mx + "1", then: func(t *testing.T, c *Cache) { fill(t, c, 0, 600, epoch) }, want: "miss"}, // twice as many as there is room for: it has another turn
		"replaced": {before: mx + "1", then: func(t *testing.T, c *Cache) { store(t, c, mx+"2", epoch) }, want: "0 mx.d.example. 60 IN A 192.0.2.2"},
		"replaced by what is plain": {before: mx + "1", then: func(t *testing.T, c *Cache) {
			c.StorePlain(plainOf(t, mx+"2"), Origin{}, epoch)
		}, want: "0 mx.d.example. 60 IN A 192.0.2.2"},
		"replaced by no such name": {before: mx + "1", then: func(t *testing.T, c *Cache) {
			store(t, c, "mx.d.example A nx\n authority:\n example. 9 IN SOA ns. host. 1 2 3 4 9", epoch)
		}, want: "1 example. 9 IN SOA ns. host. 1 2 3 4 9"},
		"glue, expired":          {before: glue, after: time.Minute, want: "miss"},
		"glue, then an answer":   {before: glue, then: func(t *testing.T, c *Cache) { store(t, c, mx+"2", epoch) }, want: "0 mx.d.example. 60 IN A 192.0.2.2"},
		"glue, then no answer":   {before: glue, then: func(t *testing.T, c *Cache) { c.StorePlain(plainOf(t, "mx.d.example A"+soaOfExample), Origin{}, epoch) }, want: "1 example. 60 IN SOA ns.example. host.example. 1 2 3 4 60"},
		"glue that is disputed":  {before: glue, then: func(t *testing.T, c *Cache) { tell(t, c, "late.example.", "mx.d.example.", 9) }, want: "miss"},
		"glue, then who has AD":  {before: glue, then: func(_ *testing.T, c *Cache) { c.SawAD() }, want: "0 mx.d.example. 60 IN A 192.0.2.1"}, // the question has no AD
		"glue, another answered": {before: glue, then: func(t *testing.T, c *Cache) { store(t, c, "mx.d.example AAAA\n mx.d.example. 60 IN AAAA ::1", epoch) }, want: "0 mx.d.example. 60 IN A 192.0.2.1"},
	} {
		t.Run(name, func(t *testing.T) {
			c := New(Options{Entries: 256, Log: slog.New(slog.DiscardHandler)}, epoch)
			store(t, c, x.before, epoch)
			q := query(t, "mx.d.example", dns.TypeA)
			for range 2 { // the second time from in front
				want(t, answer(t, c, q, epoch), "0 mx.d.example. 60 IN A 192.0.2.1")
			}
			if x.then != nil {
				x.then(t, c)
			}
			for range 2 {
				want(t, answer(t, c, q, epoch.Add(x.after)), x.want)
			}
		})
	}
	c := New(Options{}, epoch)
	store(t, c, glue, epoch)
	for range 2 { // in front it answers the one client only that was sent it
		want(t, answer(t, c, query(t, "mx.d.example", dns.TypeA), epoch), "0 mx.d.example. 60 IN A 192.0.2.1")
		for _, words := range []string{"other", "do", "cd"} {
			want(t, answer(t, c, query(t, "mx.d.example", dns.TypeA, words), epoch), "miss")
		}
	}
}

// TestNeverOlder has readers ask while newer answers come: nobody is told an older one than was stored before he asked.
func TestNeverOlder(t *testing.T) {
	c := New(Options{}, epoch)
	var stored atomic.Uint32
	save := func(n uint32) {
		m := plainOf(t, "a.example A"+oneAddress)
		copy(m[wire.HeaderLen+15+12:], []byte{10, byte(n >> 16), byte(n >> 8), byte(n)}) // the address, behind the question and a compressed owner
		if c.StorePlain(m, Origin{}, epoch) == nil {
			t.Error("not plain")
		}
		stored.Store(n)
	}
	save(0)
	var readers sync.WaitGroup
	var stop atomic.Bool
	for range 3 {
		q := query(t, "a.example", dns.TypeA)
		readers.Go(func() {
			var out [512]byte
			for !stop.Load() {
				least := stored.Load()
				msg := c.Answer(out[:0], q, epoch)
				if n := len(msg); n < 4 || uint32(msg[n-3])<<16|uint32(msg[n-2])<<8|uint32(msg[n-1]) < least {
					t.Errorf("%d was stored, and told: %x", least, msg)
					return
				}
			}
		})
	}
	for n := range uint32(4_000) {
		save(n)
	}
	stop.Store(true)
	readers.Wait()
}

// TestHitsTakeNoLock: a hit that follows another waits for nobody who stores.
func TestHitsTakeNoLock(t *testing.T) {
	c := New(Options{Entries: 64}, epoch)
	fill(t, c, 0, 64, epoch)
	q := query(t, numbered(0), dns.TypeA)
	c.Answer(nil, q, epoch) // the first in a while, which makes it the youngest
	c.shards[0].mu.Lock()
	defer c.shards[0].mu.Unlock()
	answered := make(chan bool)
	go func() { answered <- c.Answer(nil, q, epoch) != nil }()
	select {
	case hit := <-answered:
		if !hit {
			t.Error("miss")
		}
	case <-time.After(10 * time.Second):
		t.Error("the second hit waits for the lock")
	}
}
