package resolver_test

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/miekg/dns"

	"github.com/mxglue/mxglue/cache"
	"github.com/mxglue/mxglue/resolver"
	"github.com/mxglue/mxglue/resolver/upstream"
)

// swapped is a resolver in front of some of three upstreams, each of which answers after its delay, 0 being never.
type swapped struct {
	*resolver.Resolver
	ups [3]*upstream.Upstream

	mu    sync.Mutex
	delay [3]time.Duration
	asked [3]int
}

func newSwapped(t *testing.T, o resolver.Options, delay [3]time.Duration, ups ...int) *swapped {
	t.Helper()
	s := &swapped{delay: delay}
	for i := range s.ups {
		u, err := upstream.New(fmt.Sprintf("udp://127.0.0.%d:53", i))
		if err != nil {
			t.Fatal(err)
		}
		s.ups[i] = u
	}
	o.Log = slog.New(slog.DiscardHandler)
	s.Resolver = resolver.New(o, cache.New(cache.Options{}, time.Now()), s.some(ups))
	s.Ask = s.ask
	t.Cleanup(s.Close)
	return s
}

func (s *swapped) some(numbers []int) (ups []*upstream.Upstream) {
	for _, i := range numbers {
		ups = append(ups, s.ups[i])
	}
	return ups
}

func (s *swapped) ask(ctx context.Context, u *upstream.Upstream, q dns.Question, _ bool) (*upstream.Response, error) {
	s.mu.Lock()
	var number int
	for i := range s.ups {
		if s.ups[i] == u {
			number = i
			s.asked[i]++
		}
	}
	delay := s.delay[number]
	s.mu.Unlock()
	if delay > 0 {
		select {
		case <-time.After(delay):
			return addressFor(q, 300, false), nil
		case <-ctx.Done():
		}
	}
	<-ctx.Done()
	return nil, ctx.Err()
}

func (s *swapped) count(i int) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked[i]
}

// A question in flight gets its answer from whom it was put to; the same question does not wait for that any more.
func TestReconfigureInFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSwapped(t, resolver.Options{Budget: 4 * time.Second, FirstTry: 3900 * time.Millisecond, StaleAfter: 3500 * time.Millisecond}, [3]time.Duration{0: 3 * time.Second, 1: 20 * time.Millisecond}, 0)
		q := clientQuery(t, 1, "a.example.", false)
		began := time.Now()
		first := make(chan time.Duration)
		go func() {
			if reply := s.Resolve(t.Context(), nil, q); !isAnswer(reply, q) {
				t.Errorf("who asked before was answered %x", reply)
			}
			first <- time.Since(began)
		}()
		time.Sleep(time.Second)
		joined := s.Stats().Joined
		s.Reconfigure(resolver.Options{Budget: time.Second, FirstTry: 500 * time.Millisecond, StaleAfter: 900 * time.Millisecond}, s.some([]int{1}))
		at := time.Now()
		if reply := s.Resolve(t.Context(), nil, q); !isAnswer(reply, q) || time.Since(at) != 20*time.Millisecond {
			t.Errorf("who asked after was answered %x after %v, want the new upstream's answer after 20 ms", reply, time.Since(at))
		}
		if took := <-first; took != 3*time.Second { // although that is more than the budget of now
			t.Errorf("who asked before had to wait %v, want 3 s", took)
		}
		if st := s.Stats(); st.Joined != joined || st.InFlight != 0 || len(st.Upstreams) != 1 {
			t.Errorf("%+v", st)
		}
	})
}

// The end of a question of before is not taken for that of the same one now.
func TestReconfigureLandsItsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSwapped(t, resolver.Options{}, [3]time.Duration{0: 1200 * time.Millisecond, 1: 900 * time.Millisecond}, 0)
		var clients sync.WaitGroup
		ask := func() {
			clients.Go(func() {
				if q := clientQuery(t, 1, "a.example.", false); !isAnswer(s.Resolve(t.Context(), nil, q), q) {
					t.Error("not answered")
				}
			})
		}
		ask()
		time.Sleep(time.Second)
		s.Reconfigure(resolver.Options{}, s.some([]int{1}))
		ask()
		time.Sleep(500 * time.Millisecond)
		if st := s.Stats(); st.InFlight != 1 {
			t.Errorf("%d in flight after the end of the first, want the second", st.InFlight)
		}
		clients.Wait()
		if st := s.Stats(); st.InFlight != 0 {
			t.Errorf("%d in flight in the end", st.InFlight)
		}
	})
}

// An upstream that stays is known to be down still; one that is gone is not probed for ever.
func TestReconfigureHealth(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSwapped(t, resolver.Options{}, [3]time.Duration{2: 20 * time.Millisecond}, 0, 1, 2)
		q := clientQuery(t, 1, "a.example.", false)
		s.Resolve(t.Context(), nil, q) // finds 0 and 1 down
		time.Sleep(time.Second)
		if st := s.Stats().Upstreams; !st[0].Down || !st[1].Down || st[2].Down {
			t.Fatalf("%+v", st)
		}
		s.Reconfigure(resolver.Options{}, s.some([]int{1, 2}))
		began, q := time.Now(), clientQuery(t, 2, "b.example.", false)
		if reply := s.Resolve(t.Context(), nil, q); !isAnswer(reply, q) || time.Since(began) != 20*time.Millisecond {
			t.Errorf("answered %x after %v, want at once: 1 is known to be down", reply, time.Since(began))
		}
		time.Sleep(10 * time.Second)
		gone, stays := s.count(0), s.count(1)
		time.Sleep(10 * time.Second)
		if s.count(0) != gone || s.count(1) < stays+5 {
			t.Errorf("in 10 s the one that is gone was asked %d times, the one that is down %d times; want 0 and about 10", s.count(0)-gone, s.count(1)-stays)
		}
		s.mu.Lock()
		s.delay[1] = time.Millisecond
		s.mu.Unlock()
		time.Sleep(3 * time.Second)
		if st := s.Stats().Upstreams; len(st) != 2 || st[0].Down {
			t.Errorf("%+v, want it to be back", st)
		}
	})
}

// Every question is answered while the settings change all the time, and each by one of them.
func TestReconfigureUnderLoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSwapped(t, resolver.Options{Bundle: true}, [3]time.Duration{5 * time.Millisecond, 7 * time.Millisecond, 9 * time.Millisecond}, 0)
		var clients sync.WaitGroup
		for c := range 20 {
			clients.Go(func() {
				for i := range 100 {
					q := clientQuery(t, uint16(i), fmt.Sprintf("n%d.c%d.example.", i%70, c/2), i%7 == 0)
					if reply := s.Resolve(t.Context(), nil, q); !isAnswer(reply, q) {
						t.Errorf("client %d, question %d: %x", c, i, reply)
					}
				}
			})
		}
		for i := range 200 {
			o := resolver.Options{Bundle: i%2 == 0, TrustAD: i%3 == 0, MaxInFlight: 100 + i}
			if i%4 == 0 {
				o.Routes = []resolver.Route{{Zone: "c1.example", Upstreams: s.some([]int{2})}}
			}
			s.Reconfigure(o, s.some([]int{i % 3, (i + 1) % 3}))
			time.Sleep(3 * time.Millisecond)
		}
		clients.Wait()
		time.Sleep(10 * time.Second)
		if st := s.Stats(); st.InFlight != 0 || st.ServFail != 0 {
			t.Errorf("%+v", st)
		}
	})
}
