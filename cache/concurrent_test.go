package cache

import (
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/mxglue/mxglue/cache/wire"
)

// TestWake: the first hit at or after the instant wakes the resolver, with the entry and the reason, and no other does
// until it is set again.
func TestWake(t *testing.T) {
	c := New(Options{}, epoch)
	e := store(t, c, mxOfA, epoch)
	var woken []string
	c.Wake = func(got *Entry, who Asker, why Reason) {
		if who.DO != (why == WakeBundleDO) && why != WakeRefresh || who.Client != mta && why == WakeBundle {
			t.Errorf("%v asked, and wakes for reason %d", who, why)
		}
		if got != e {
			t.Error("woken for another entry")
		}
		woken = append(woken, map[Reason]string{WakeBundle: "bundle", WakeBundleOther: "bundle other", WakeBundleDO: "bundle do", WakeRefresh: "refresh"}[why])
	}
	plain, do := query(t, "a.example", dns.TypeMX), query(t, "a.example", dns.TypeMX, "do")
	other := query(t, "a.example", dns.TypeMX)
	other.Client = netip.MustParseAddr("192.0.2.77")
	for _, x := range []struct {
		at   time.Duration
		q    *wire.Query
		want []string
	}{
		{at: 0, q: plain},
		{at: 10*time.Second - 1, q: plain},
		{at: 10 * time.Second, q: do},
		{at: 10 * time.Second, q: other},
		{at: 10 * time.Second, q: plain, want: []string{"bundle"}},
		{at: 11 * time.Second, q: plain},
		{at: 20*time.Second - 1, q: do},
		{at: 21 * time.Second, q: do, want: []string{"bundle do"}},
		{at: 22 * time.Second, q: do},
		{at: 30 * time.Second, q: other, want: []string{"bundle other"}},
		{at: 500 * time.Second, q: plain},
		{at: 540 * time.Second, q: plain, want: []string{"refresh"}}, // the last tenth of 600 s
		{at: 541 * time.Second, q: do},
	} {
		if x.at == 0 {
			c.SetWake(e, WakeBundle, epoch.Add(10*time.Second))
			c.SetWake(e, WakeBundleDO, epoch.Add(20*time.Second))
			c.SetWake(e, WakeBundleOther, epoch.Add(30*time.Second))
		}
		woken = nil
		c.Peek(x.q, epoch.Add(x.at))
		if woken != nil {
			t.Errorf("at %v: Peek wakes", x.at)
		}
		if c.Answer(nil, x.q, epoch.Add(x.at)) == nil || !slices.Equal(woken, x.want) {
			t.Errorf("at %v: woken for %q, want %q", x.at, woken, x.want)
		}
	}
	c.SetWake(e, WakeBundle, epoch.Add(-time.Hour)) // before the cache began: at once
	woken = nil
	if c.Answer(nil, plain, epoch.Add(1)); !slices.Equal(woken, []string{"bundle"}) {
		t.Errorf("woken for %q", woken)
	}
}

// TestWakeNobody: without a resolver nobody is woken.
func TestWakeNobody(t *testing.T) {
	c := New(Options{}, epoch)
	e := store(t, c, mxOfA, epoch)
	c.SetWake(e, WakeBundle, epoch)
	if answer(t, c, query(t, "a.example", dns.TypeMX), epoch) == nil {
		t.Error("miss")
	}
}

// TestWakeOnce: of many clients at once, one wakes.
func TestWakeOnce(t *testing.T) {
	c := New(Options{}, epoch)
	e := store(t, c, mxOfA, epoch)
	var woken atomic.Int32
	c.Wake = func(*Entry, Asker, Reason) { woken.Add(1) }
	for round := range 50 {
		c.SetWake(e, WakeBundle, epoch.Add(time.Second))
		var all sync.WaitGroup
		for range 8 {
			q := query(t, "a.example", dns.TypeMX)
			all.Go(func() { c.Answer(nil, q, epoch.Add(2*time.Second)) })
		}
		all.Wait()
		if n := woken.Load(); n != int32(round+1) {
			t.Fatalf("woken %d times in round %d", n, round+1)
		}
	}
}

// TestConcurrently stores and answers the same few names from many goroutines, in a cache too small for all of them.
// Whoever gets an answer gets the one to its own question.
func TestConcurrently(t *testing.T) {
	c := New(Options{Entries: 40, Log: slog.New(slog.DiscardHandler)}, epoch)
	c.Wake = func(*Entry, Asker, Reason) {}
	const names = 16
	var all sync.WaitGroup
	for g := range 8 {
		all.Go(func() {
			for i := range 300 {
				n := (g + i) % names
				now := epoch.Add(time.Duration(i/100) * time.Second)
				switch (g + i/names) % 4 {
				case 0:
					e := store(t, c, fmt.Sprintf("d%d.example MX\n d%[1]d.example. 2 IN MX 1 mx%[1]d.example.\n additional:\n mx%[1]d.example. 2 IN A 192.0.2.%[1]d", n), now)
					c.SetWake(e, WakeBundle, now)
				case 1:
					store(t, c, fmt.Sprintf("mx%d.example A\n mx%[1]d.example. 1 IN A 192.0.2.%[1]d", n), now)
				case 2:
					fail(c, fmt.Sprintf("mx%d.example.", n), now)
				}
				m := answer(t, c, query(t, fmt.Sprintf("mx%d.example", n), dns.TypeA, "edns"), now)
				if m != nil && m.Rcode == dns.RcodeSuccess && (len(m.Answer) != 1 || m.Answer[0].(*dns.A).A.String() != fmt.Sprintf("192.0.2.%d", n)) {
					t.Errorf("mx%d is told\n%v", n, m)
				}
				m = answer(t, c, query(t, fmt.Sprintf("d%d.example", n), dns.TypeMX, "do"), now)
				if m != nil && (len(m.Answer) != 1 || m.Answer[0].(*dns.MX).Mx != fmt.Sprintf("mx%d.example.", n)) {
					t.Errorf("d%d is told\n%v", n, m)
				}
				if st := c.Stats(); st.Entries > 40 {
					t.Errorf("%d entries", st.Entries)
				}
			}
		})
	}
	all.Wait()
	if st := c.Stats(); st.Hits == 0 || st.GlueHits == 0 || st.Misses == 0 || st.Evicted == 0 {
		t.Errorf("not everything happened: %+v", st)
	}
}

// TestAllAtOnce has some read, some store small and large, some forget, and the settings change. Whoever gets an answer gets
// the one to its own question, and at the end the shards' sums are right.
func TestAllAtOnce(t *testing.T) {
	c := New(Options{Entries: 600, Log: slog.New(slog.DiscardHandler)}, epoch)
	var all sync.WaitGroup
	for g := range 3 {
		all.Go(func() { // answers about n0 to n899, which is more than there is room for
			random := rand.New(rand.NewPCG(1, uint64(g)))
			for range 3000 {
				n := random.IntN(900)
				if m := answer(t, c, query(t, numbered(n), dns.TypeA), epoch); m == nil {
					fill(t, c, n, n+1, epoch)
				} else if a := m.Answer[0].(*dns.A).A; int(a[len(a)-2])<<8|int(a[len(a)-1]) != n {
					t.Errorf("%d is told\n%v", n, m)
				}
				c.Near([]wire.Query{*query(t, numbered(n), dns.TypeA)})
			}
		})
	}
	all.Go(func() {
		text := strings.Repeat(` "`+strings.Repeat("x", 255)+`"`, 40)
		for i := range 300 {
			store(t, c, fmt.Sprintf("l%d.example TXT\n l%[1]d.example. 60 IN TXT %s", i%30, text), epoch)
		}
	})
	all.Go(func() {
		for i := range 200 {
			c.Flush(numbered(i))
			c.Reconfigure(Options{Entries: 100 + 5*i%500, Memory: 100_000 + 1000*i, GlueForAll: i%2 == 0})
			c.Dump(".", 10, epoch)
			c.Hottest(10)
		}
	})
	all.Wait()
	for i := range c.shards {
		sum(t, &c.shards[i])
	}
}

// TestFlushWhileStoreWaits: what was asked before a flush is not kept after it, though its store began before.
func TestFlushWhileStoreWaits(t *testing.T) {
	c, msg := New(Options{Entries: 1}, epoch), plainOf(t, "a.example A"+oneAddress)
	for i := range 1000 {
		from, stored := Origin{Client: mta, Flushes: c.Flushes()}, make(chan *Entry)
		c.shards[0].mu.Lock()
		go func() { stored <- c.StorePlain(msg, from, epoch) }()
		for range i % 10 * 100 {
			runtime.Gosched() // it comes to the lock in most rounds
		}
		c.flushes.Add(1) // as Flush begins
		c.shards[0].mu.Unlock()
		if <-stored == nil || c.Peek(query(t, "a.example", dns.TypeA), epoch) != nil {
			t.Fatalf("round %d: it is flushed, and there", i)
		}
	}
}

// TestFlushWhileClaimWaits: what an MX response that was asked for before a flush says of its hosts is not written down after it,
// though its Store began before.
func TestFlushWhileClaimWaits(t *testing.T) {
	c := New(Options{}, epoch)
	for i := range 1000 {
		m, from, stored := response(t, mxOfA), Origin{Client: mta, Flushes: c.Flushes()}, make(chan struct{})
		c.claims.deciding.Lock()
		go func() {
			defer close(stored)
			if _, err := c.Store(m, from, epoch); err != nil {
				t.Error(err)
			}
		}()
		for range i % 10 * 100 {
			runtime.Gosched() // it comes to the lock in most rounds
		}
		c.flushes.Add(1) // as Flush begins
		c.claims.deciding.Unlock()
		<-stored
		if claim, ok := c.Claim(query(t, "mx.a.example", dns.TypeA), epoch); ok {
			t.Fatalf("round %d: it is flushed, and there is %+v", i, claim)
		}
		c.Flush(".")
	}
}

// TestGlueRacesAnswer stores the bank's own answer and evil.example's MX response at the same moment, many times. However
// they interleave, the bank's answer is the last word, also when it has ended.
func TestGlueRacesAnswer(t *testing.T) {
	c := New(Options{Log: slog.New(slog.DiscardHandler)}, epoch)
	race(t, c,
		func(i int) {
			store(t, c, fmt.Sprintf("mail%d.bank.example A\n mail%[1]d.bank.example. 1 IN A 192.0.2.25", i), epoch)
		},
		func(i int) {
			store(t, c, fmt.Sprintf("evil%d.example MX\n evil%[1]d.example. 600 IN MX 1 mail%[1]d.bank.example.\n additional:\n mail%[1]d.bank.example. 600 IN A 203.0.113.66", i), epoch)
		})
}

// TestGlueRacesClaim is the same with the bank's MX response, which names the host without an address.
func TestGlueRacesClaim(t *testing.T) {
	c := New(Options{Log: slog.New(slog.DiscardHandler)}, epoch)
	race(t, c,
		func(i int) {
			store(t, c, fmt.Sprintf("b%d.bank.example MX\n b%[1]d.bank.example. 600 IN MX 1 mail%[1]d.bank.example.", i), epoch)
		},
		func(i int) {
			store(t, c, fmt.Sprintf("evil%d.example MX\n evil%[1]d.example. 600 IN MX 1 mail%[1]d.bank.example.\n additional:\n mail%[1]d.bank.example. 600 IN A 203.0.113.66", i), epoch)
		})
}

func race(t *testing.T, c *Cache, bank, evil func(i int)) {
	t.Helper()
	for i := range 2000 {
		var both sync.WaitGroup
		start := make(chan struct{})
		for _, f := range []func(int){bank, evil} {
			both.Go(func() { <-start; f(i) })
		}
		close(start)
		both.Wait()
		q := query(t, fmt.Sprintf("mail%d.bank.example", i), dns.TypeA)
		if m := answer(t, c, q, epoch.Add(10*time.Second)); m != nil {
			t.Fatalf("round %d: evil.example speaks for the bank:\n%v", i, m)
		}
	}
}
