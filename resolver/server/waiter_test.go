package server

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mxglue/mxglue/cache/wire"
)

// waiters counts the goroutines that wait for replies to misses.
func waiters() int { return strings.Count(stacks(), "server.(*waiter).run") }

// held returns a server whose misses wait until they are let go, all that are there by then.
func held(o Options) (s *Server, arrived chan struct{}, letGo func()) {
	var mu sync.Mutex
	gate := make(chan struct{})
	s, arrived = wired(o), make(chan struct{}, 1000)
	s.Resolve = func(_ context.Context, dst []byte, q *wire.Query) []byte {
		mu.Lock()
		closed := gate
		mu.Unlock()
		arrived <- struct{}{}
		<-closed
		return wire.AppendError(dst, q, 0)
	}
	return s, arrived, func() {
		mu.Lock()
		defer mu.Unlock()
		close(gate)
		gate = make(chan struct{})
	}
}

// Many clients wait at a time, again and again: each gets the reply to its own question, from the address that it asked,
// although those who wait for them are the same as before. Of these no more than maxIdle are kept, and none when the server
// has ended.
func TestWaiters(t *testing.T) {
	for _, listen := range []string{"127.0.0.1:0", "[::1]:0", "0.0.0.0:0"} {
		t.Run(listen, func(t *testing.T) {
			s, arrived, letGo := held(Options{Listen: []netip.AddrPort{netip.MustParseAddrPort(listen)}})
			at, stop := start(t, s)
			const crowd = maxIdle + 36
			for wave := range 3 {
				var clients []*net.UDPConn
				var queries [][]byte
				for i := range crowd {
					to := at
					if at.Addr().IsUnspecified() {
						to = netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, byte(1 + (i+wave)%5)}), at.Port())
					}
					client, q := dialUDP(t, to), query(uint16(wave*crowd+i), strings.Repeat("x", 1+(i+wave)%60)+".example")
					clients, queries = append(clients, client), append(queries, q)
					send(t, client, q)
				}
				for range crowd {
					<-arrived
				}
				letGo()
				for i, client := range clients {
					checkReply(t, next(t, client), queries[i], 0)
				}
				eventually(t, "the places to be given back", func() bool { return s.waiting.Load() == 0 })
				eventually(t, "all but a few waiters to end", func() bool { return waiters() == maxIdle })
			}
			if st := s.Stats(); st.UDPQueries != 3*crowd || st.Dropped != 0 {
				t.Errorf("%+v", st)
			}
			stop()
			eventually(t, "the waiters to end", func() bool { return waiters() == 0 })
		})
	}
}

// A server that stops lets those finish that wait, and none of them is left.
func TestWaitersDrain(t *testing.T) {
	s, arrived, letGo := held(Options{})
	at, stop := start(t, s)
	client := dialUDP(t, at)
	for id := range uint16(10) {
		send(t, client, query(id, miss))
		<-arrived
	}
	stop()
	letGo()
	var ids []uint16
	for range 10 {
		ids = append(ids, wire.ID(next(t, client)))
	}
	if slices.Sort(ids); ids[0] != 0 || ids[9] != 9 {
		t.Errorf("answered: %d", ids)
	}
	eventually(t, "the waiters to end", func() bool { return waiters() == 0 })
}

// Waiters that nobody needs end after a while, the others stay; those that ended are never handed a miss.
func TestWaitersRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := wired(Options{})
		var resolved atomic.Int64
		s.Resolve = func(context.Context, []byte, *wire.Query) []byte {
			time.Sleep(time.Second)
			resolved.Add(1)
			return nil
		}
		s.begin()
		go s.idle.trim(t.Context())
		d := &slot{query: query(1, miss), client: netip.MustParseAddrPort("127.0.0.1:53")}
		var waiting sync.WaitGroup
		ask := func(misses int) {
			t.Helper()
			for range misses {
				if !s.enter(s.settings.Load()) {
					t.Fatal("no place")
				}
				s.resolve(t.Context(), s.settings.Load(), nil, &waiting, d)
			}
			waiting.Wait()
			synctest.Wait()
		}
		expect := func(when string, n int) {
			t.Helper()
			if synctest.Wait(); waiters() != n {
				t.Errorf("%s: %d waiters, want %d", when, waiters(), n)
			}
		}
		ask(5)
		expect("after five misses at a time", 5)
		for range 20 {
			ask(1)
			ask(2)
		}
		expect("when two at a time have been enough for a while", 2)
		time.Sleep(idleLife)
		expect("when there has been something for two to do lately", 2)
		time.Sleep(idleLife)
		expect("when there has been nothing to do for a while", 0)
		ask(3)
		s.idle.close()
		expect("closed", 0)
		if want := int64(5 + 20*3 + 3); resolved.Load() != want || s.waiting.Load() != 0 {
			t.Errorf("%d resolved, want %d; %d places taken", resolved.Load(), want, s.waiting.Load())
		}
	})
}
