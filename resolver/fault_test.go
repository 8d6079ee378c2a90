package resolver_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/miekg/dns"

	"github.com/mxglue/mxglue/cache"
	"github.com/mxglue/mxglue/cache/wire"
	"github.com/mxglue/mxglue/resolver"
	"github.com/mxglue/mxglue/resolver/upstream"
)

// exchange is the seam Resolver.Ask.
type exchange = func(ctx context.Context, u *upstream.Upstream, q dns.Question, cd bool) (*upstream.Response, error)

// twoUpstreams returns a resolver in front of two upstreams and its cache.
func twoUpstreams(t *testing.T, o resolver.Options, ask exchange) (*resolver.Resolver, *cache.Cache) {
	t.Helper()
	var ups []*upstream.Upstream
	for i := range 2 {
		u, err := upstream.New(fmt.Sprintf("udp://127.0.0.%d:53", i+1))
		if err != nil {
			t.Fatal(err)
		}
		ups = append(ups, u)
	}
	c := cache.New(cache.Options{}, time.Now())
	r := resolver.New(o, c, ups)
	r.Ask = ask
	t.Cleanup(r.Close)
	return r, c
}

// addressFor is a response with one A record.
func addressFor(q dns.Question, ttl uint32, ad bool) *upstream.Response {
	m := &dns.Msg{Question: []dns.Question{q}}
	m.Response, m.RecursionAvailable, m.AuthenticatedData = true, true, ad
	m.Answer = []dns.RR{&dns.A{Hdr: dns.RR_Header{Name: q.Name, Rrtype: dns.TypeA, Class: dns.ClassINET, Ttl: ttl}, A: []byte{192, 0, 2, 1}}}
	return &upstream.Response{Msg: m, UDP: true, Size: 100}
}

func rcode(reply []byte) int { return int(wire.Flags(reply) & 0xf) }

// A domain whose own servers are dead does not make a healthy upstream be passed over: the other one here does not
// validate, and its answers would be without AD for all of their TTL.
func TestSlowDomain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _ := twoUpstreams(t, resolver.Options{}, func(ctx context.Context, u *upstream.Upstream, q dns.Question, _ bool) (*upstream.Response, error) {
			if q.Name == "dead.example." {
				<-ctx.Done()
				return nil, ctx.Err()
			}
			return addressFor(q, 3600, u.String() == "udp://127.0.0.1:53"), nil
		})
		go r.Resolve(t.Context(), nil, clientQuery(t, 1, "dead.example.", false))
		time.Sleep(1600 * time.Millisecond)
		q := clientQuery(t, 2, "mx.signed.example.", false)
		q.Flags |= wire.FlagAD
		if out := r.Resolve(t.Context(), nil, q); wire.Flags(out)&wire.FlagAD == 0 {
			t.Error("AD is lost: the second upstream was asked although the first is well")
		}
		time.Sleep(5 * time.Second)
	})
}

// A response that cannot be used says nothing about the upstream: a stranger's zone may be the cause.
func TestMalformedIsNotDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _ := twoUpstreams(t, resolver.Options{}, func(context.Context, *upstream.Upstream, dns.Question, bool) (*upstream.Response, error) {
			return nil, errors.New("malformed response")
		})
		if out := r.Resolve(t.Context(), nil, clientQuery(t, 1, "evil.example.", false)); rcode(out) != dns.RcodeServerFailure {
			t.Errorf("RCODE %d", rcode(out))
		}
		for _, u := range r.Stats().Upstreams {
			if u.Down {
				t.Errorf("%s is down", u.Address)
			}
		}
	})
}

// When nothing more can be asked, an old answer is better than SERVFAIL.
func TestCrowdedStale(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _ := twoUpstreams(t, resolver.Options{MaxInFlight: 1}, func(ctx context.Context, _ *upstream.Upstream, q dns.Question, _ bool) (*upstream.Response, error) {
			if q.Name == "silent.example." {
				<-ctx.Done()
				return nil, ctx.Err()
			}
			return addressFor(q, 10, false), nil
		})
		q := clientQuery(t, 1, "a.example.", false)
		r.Resolve(t.Context(), nil, q)
		time.Sleep(20 * time.Second)
		go r.Resolve(t.Context(), nil, clientQuery(t, 2, "silent.example.", false))
		synctest.Wait()
		if out := r.Resolve(t.Context(), nil, q); rcode(out) != dns.RcodeSuccess {
			t.Errorf("RCODE %d although an old answer is there", rcode(out))
		}
		if out := r.Resolve(t.Context(), nil, clientQuery(t, 3, "other.example.", false)); rcode(out) != dns.RcodeServerFailure {
			t.Errorf("RCODE %d for what nobody knows", rcode(out))
		}
		time.Sleep(5 * time.Second)
	})
}

// An upstream that the watch has seen validate is one that does: glue is no answer to AD from then on.
func TestWatchTellsTheCache(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, c := twoUpstreams(t, resolver.Options{}, func(_ context.Context, _ *upstream.Upstream, q dns.Question, _ bool) (*upstream.Response, error) {
			resp := addressFor(q, 600, q.Name == ".")
			if q.Qtype == dns.TypeMX {
				resp.Msg.Extra = resp.Msg.Answer
				resp.Msg.Extra[0].Header().Name = "mx.a.example."
				mx, _ := dns.NewRR("a.example. 600 IN MX 5 mx.a.example.")
				resp.Msg.Answer = []dns.RR{mx}
			}
			return resp, nil
		})
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go r.Watch(ctx)
		synctest.Wait()
		mx := clientQuery(t, 1, "a.example.", false)
		mx.Question[len(mx.Question)-3] = byte(dns.TypeMX)
		r.Resolve(t.Context(), nil, mx)
		a := clientQuery(t, 2, "mx.a.example.", false)
		if e := c.Peek(a, time.Now()); e == nil || e.Rank() != cache.RankGlue {
			t.Fatal("there is no glue to begin with")
		}
		a.Flags |= wire.FlagAD
		if e := c.Peek(a, time.Now()); e != nil {
			t.Error("glue answers an AD query")
		}
	})
}

// The first upstream freezes under 500 misses a second: nobody hears SERVFAIL, because the second is well.
func TestFreeze(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _ := twoUpstreams(t, resolver.Options{}, func(ctx context.Context, u *upstream.Upstream, q dns.Question, _ bool) (*upstream.Response, error) {
			if u.String() == "udp://127.0.0.1:53" {
				<-ctx.Done()
				return nil, ctx.Err()
			}
			return addressFor(q, 60, false), nil
		})
		var bad atomic.Int32
		for i := range 1500 {
			go func() {
				began := time.Now()
				out := r.Resolve(t.Context(), nil, clientQuery(t, 1, fmt.Sprintf("n%d.example.", i), false))
				if rcode(out) != dns.RcodeSuccess || time.Since(began) > 1500*time.Millisecond {
					bad.Add(1)
				}
			}()
			time.Sleep(2 * time.Millisecond)
		}
		time.Sleep(5 * time.Second)
		if n := bad.Load(); n > 0 {
			t.Errorf("%d of 1500 heard SERVFAIL or waited longer than the first try", n)
		}
	})
}

// Whoever is one too many for one question hears so at once.
func TestTooManyWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _ := twoUpstreams(t, resolver.Options{}, func(_ context.Context, _ *upstream.Upstream, q dns.Question, _ bool) (*upstream.Response, error) {
			time.Sleep(time.Second)
			return addressFor(q, 60, false), nil
		})
		var answered, refused atomic.Int32
		for i := range 300 {
			go func() {
				if rcode(r.Resolve(t.Context(), nil, clientQuery(t, uint16(i), "a.example.", false))) == dns.RcodeSuccess {
					answered.Add(1)
				} else {
					refused.Add(1)
				}
			}()
		}
		time.Sleep(2 * time.Second)
		if answered.Load() != 257 || refused.Load() != 43 || r.Stats().JoinsRefused != 43 {
			t.Errorf("%d answered, %d not, %d counted", answered.Load(), refused.Load(), r.Stats().JoinsRefused)
		}
	})
}

// The policy fastest asks the upstream with the shorter round trip, and measures the others again now and then.
func TestFastest(t *testing.T) {
	delays := []time.Duration{0, 40 * time.Millisecond, time.Millisecond} // of no upstream, the first, the second
	var asked [3]atomic.Int32
	var ups []*upstream.Upstream
	for i := 1; i <= 2; i++ {
		mux := dns.HandlerFunc(func(w dns.ResponseWriter, q *dns.Msg) {
			asked[i].Add(1)
			time.AfterFunc(delays[i], func() {
				m := new(dns.Msg).SetReply(q)
				m.RecursionAvailable = true
				w.WriteMsg(m)
			})
		})
		pc, err := net.ListenPacket("udp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		s := &dns.Server{PacketConn: pc, Handler: mux}
		go s.ActivateAndServe()
		t.Cleanup(func() { s.Shutdown() })
		u, err := upstream.New("udp://" + pc.LocalAddr().String())
		if err != nil {
			t.Fatal(err)
		}
		ups = append(ups, u)
	}
	c := cache.New(cache.Options{}, time.Now())
	r := resolver.New(resolver.Options{Policy: resolver.Fastest}, c, ups)
	t.Cleanup(r.Close)
	for i := range 2 { // each has its turn, because neither was measured
		r.Resolve(t.Context(), nil, clientQuery(t, 1, fmt.Sprintf("first%d.example.", i), false))
	}
	slow := asked[1].Load()
	for i := range 20 {
		r.Resolve(t.Context(), nil, clientQuery(t, 1, fmt.Sprintf("n%d.example.", i), false))
	}
	if asked[1].Load() != slow || asked[2].Load() < 20 {
		t.Errorf("the slow one was asked %d times more, the fast one %d times", asked[1].Load()-slow, asked[2].Load())
	}
}
