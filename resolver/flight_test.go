package resolver_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"runtime"
	"strings"
	"sync"
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

// asks counts the questions that go upstream, and answers each after a delay with the records given for it, or with an
// address.
type asks struct {
	delay   time.Duration // 0 is never
	records map[string][]string

	count atomic.Int64
	ended atomic.Int64 // contexts that ended before the delay
}

func (a *asks) ask(ctx context.Context, _ *upstream.Upstream, q dns.Question, _ bool) (*upstream.Response, error) {
	a.count.Add(1)
	var answered <-chan time.Time
	if a.delay > 0 {
		answered = time.After(a.delay)
	}
	select {
	case <-answered:
	case <-ctx.Done():
		a.ended.Add(1)
		return nil, ctx.Err()
	}
	m := &dns.Msg{Question: []dns.Question{q}}
	m.Response, m.RecursionAvailable = true, true
	lines, ok := a.records[key(q.Name, dns.Type(q.Qtype).String())]
	if !ok && q.Qtype == dns.TypeA {
		lines = []string{q.Name + " 300 IN A 192.0.2.1"}
	}
	if err := sections(m, lines); err != nil {
		return nil, err
	}
	return &upstream.Response{Msg: m, Size: m.Len(), UDP: true}, nil
}

// newResolver returns a resolver that asks a, and ends with the test.
func newResolver(t *testing.T, o resolver.Options, a *asks) *resolver.Resolver {
	t.Helper()
	u, err := upstream.New("udp://192.0.2.1:53")
	if err != nil {
		t.Fatal(err)
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	r := resolver.New(o, cache.New(cache.Options{}, time.Now()), []*upstream.Upstream{u})
	r.Ask = a.ask
	t.Cleanup(r.Close)
	return r
}

// clientQuery is what a client on loopback asks: type A.
func clientQuery(t testing.TB, id uint16, name string, cd bool) *wire.Query {
	m := new(dns.Msg)
	m.SetQuestion(name, dns.TypeA)
	m.Id, m.CheckingDisabled = id, cd
	packed, err := m.Pack()
	if err != nil {
		t.Fatal(err)
	}
	q := &wire.Query{Client: netip.MustParseAddr("127.0.0.1")}
	if v := q.Parse(packed, false); v != wire.Accept {
		t.Fatalf("%s: verdict %d", name, v)
	}
	return q
}

// isAnswer says whether reply answers q with an address.
func isAnswer(reply []byte, q *wire.Query) bool {
	return len(reply) > wire.HeaderLen && wire.ID(reply) == q.ID && wire.Flags(reply)&0xf == 0 && reply[7] == 1 &&
		bytes.HasPrefix(reply[wire.HeaderLen:], q.Question)
}

// A hundred clients that ask one question, each in its own spelling, cost one question, and each gets its own reply.
func TestJoin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &asks{delay: 50 * time.Millisecond}
		r := newResolver(t, resolver.Options{}, a)
		var clients sync.WaitGroup
		for i := range 100 {
			clients.Go(func() {
				name := []byte("abcdefg.example.")
				for bit := range 7 {
					name[bit] ^= byte(i>>bit&1) * 0x20
				}
				q := clientQuery(t, uint16(i), string(name), false)
				if reply := r.Resolve(t.Context(), nil, q); !isAnswer(reply, q) {
					t.Errorf("client %d got %x", i, reply)
				}
			})
		}
		synctest.Wait()
		if st := r.Stats(); st.InFlight != 1 || st.Joined != 99 {
			t.Errorf("in flight: %+v", st)
		}
		start := time.Now()
		clients.Wait()
		if waited := time.Since(start); waited != a.delay || a.count.Load() != 1 {
			t.Errorf("%d questions, %v", a.count.Load(), waited)
		}
		if st := r.Stats(); st.InFlight != 0 {
			t.Errorf("landed: %+v", st)
		}
	})
}

// What is a question of its own is asked on its own: another name, or CD, which asks for data that is not validated.
func TestNotJoined(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &asks{delay: time.Second}
		r := newResolver(t, resolver.Options{}, a)
		var clients sync.WaitGroup
		for _, q := range []*wire.Query{
			clientQuery(t, 1, "a.example.", false), clientQuery(t, 2, "b.example.", false), clientQuery(t, 3, "a.example.", true),
		} {
			clients.Go(func() {
				if reply := r.Resolve(t.Context(), nil, q); !isAnswer(reply, q) || wire.Flags(reply)&wire.FlagCD != q.Flags&wire.FlagCD {
					t.Errorf("query %d got %x", q.ID, reply)
				}
			})
		}
		clients.Wait()
		if n := a.count.Load(); n != 3 || r.Stats().Joined != 0 {
			t.Errorf("%d questions, want 3; %+v", n, r.Stats())
		}
	})
}

// A client that gives up, be it the one who asked first, takes nothing from the others.
func TestGiveUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &asks{delay: time.Second}
		r := newResolver(t, resolver.Options{}, a)
		q := clientQuery(t, 1, "a.example.", false)
		var clients sync.WaitGroup
		for _, patience := range []time.Duration{10 * time.Millisecond, time.Minute, 20 * time.Millisecond, time.Minute} {
			clients.Go(func() {
				ctx, cancel := context.WithTimeout(t.Context(), patience)
				defer cancel()
				start := time.Now()
				reply := r.Resolve(ctx, nil, q)
				if waited := time.Since(start); waited != min(patience, a.delay) || isAnswer(reply, q) != (patience > a.delay) {
					t.Errorf("patience %v: waited %v, got %x", patience, waited, reply)
				}
			})
			synctest.Wait()
		}
		clients.Wait()
		if a.count.Load() != 1 || a.ended.Load() != 0 {
			t.Errorf("%d questions, %d of them broken off", a.count.Load(), a.ended.Load())
		}
		// Even if nobody waits any more the answer is kept.
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if reply := r.Resolve(ctx, nil, clientQuery(t, 2, "b.example.", false)); reply != nil {
			t.Errorf("a client that was gone got %x", reply)
		}
		time.Sleep(2 * time.Second)
		q = clientQuery(t, 3, "b.example.", false)
		if reply := r.Resolve(t.Context(), nil, q); !isAnswer(reply, q) || a.count.Load() != 2 {
			t.Errorf("%d questions, the late client got %x", a.count.Load(), reply)
		}
	})
}

// At most MaxInFlight questions are upstream at a time. One more fails at once, one that is on its way can be joined, and
// a place that is given back is free.
func TestMaxInFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &asks{delay: time.Second}
		r := newResolver(t, resolver.Options{MaxInFlight: 2}, a)
		resolve := func(name string) (rcode uint16, waited time.Duration) {
			start := time.Now()
			reply := r.Resolve(t.Context(), nil, clientQuery(t, 1, name, false))
			return wire.Flags(reply) & 0xf, time.Since(start)
		}
		var clients sync.WaitGroup
		for _, name := range []string{"a.example.", "b.example.", "a.example."} {
			clients.Go(func() {
				if rcode, _ := resolve(name); rcode != 0 {
					t.Errorf("%s: RCODE %d", name, rcode)
				}
			})
		}
		synctest.Wait()
		if rcode, waited := resolve("c.example."); rcode != wire.RcodeServFail || waited != 0 {
			t.Errorf("the third question: RCODE %d after %v, want SERVFAIL at once", rcode, waited)
		}
		clients.Wait()
		if rcode, waited := resolve("c.example."); rcode != 0 || waited != a.delay {
			t.Errorf("with places free: RCODE %d after %v", rcode, waited)
		}
		if st := r.Stats(); a.count.Load() != 3 || st.ServFail != 1 || st.Crowded != 1 {
			t.Errorf("%d questions, %+v", a.count.Load(), st)
		}
	})
}

// TestManySilent asks 10000 questions of an upstream that says nothing: what that costs is bounded by MaxInFlight and
// over after the budget.
func TestManySilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const questions, places = 10000, 100
		a := new(asks)
		r := newResolver(t, resolver.Options{MaxInFlight: places}, a)
		before, memory := goroutines(), heap()
		var clients sync.WaitGroup
		var failed atomic.Int64
		for i := range questions {
			clients.Go(func() {
				q := clientQuery(t, uint16(i), fmt.Sprintf("%d.example.", i), false)
				if reply := r.Resolve(t.Context(), nil, q); wire.ID(reply) == q.ID && wire.Flags(reply)&0xf == wire.RcodeServFail {
					failed.Add(1)
				}
			})
		}
		synctest.Wait()
		const forClients = places - places/8 // the others are for refreshes
		if n := r.Stats().InFlight; n != forClients || failed.Load() != questions-forClients {
			t.Errorf("%d in flight, %d failed at once", n, failed.Load())
		}
		time.Sleep(3500 * time.Millisecond) // by now each is asked for the third time
		synctest.Wait()
		// Each place: the client, the flight, three tries; and what there is once.
		if n := goroutines() - before; n > 5*places+10 {
			t.Errorf("%d goroutines for %d places", n, places)
		}
		if n := heap() - memory; n > 32<<20 {
			t.Errorf("%d KiB of memory", n>>10)
		}
		time.Sleep(500 * time.Millisecond) // the budget is 4 s
		clients.Wait()
		synctest.Wait()
		if n := r.Stats().InFlight; n != 0 || failed.Load() != questions {
			t.Errorf("after the budget %d are in flight, %d have failed", n, failed.Load())
		}
		if n := a.count.Load(); n > 3*places+4 { // and the probes, one a second, of an upstream that is down
			t.Errorf("%d questions went out", n)
		}
		r.Close()
		synctest.Wait()
		if n := goroutines() - before; n > 0 {
			t.Errorf("%d goroutines are left", n)
		}
	})
}

// goroutines counts those that run our code: the runtime has some of its own, which come and go.
func goroutines() (n int) {
	buf := make([]byte, 8<<20)
	for stack := range bytes.SplitSeq(buf[:runtime.Stack(buf, true)], []byte("\n\n")) {
		if bytes.Contains(stack, []byte("mxglue/resolver")) {
			n++
		}
	}
	return n
}

func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// TestSource has the MX tester ask: it is told where each answer came from.
func TestSource(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &asks{delay: 50 * time.Millisecond, records: map[string][]string{
			"example.net. MX": {"example.net. 300 IN MX 10 mx1.example.net.", "example.net. 300 IN MX 20 mx2.example.net.",
				"additional:", "mx1.example.net. 300 IN A 192.0.2.10"},
		}}
		r := newResolver(t, resolver.Options{Bundle: true}, a)
		exchange := func(name string, qtype uint16, want string, waited time.Duration) {
			t.Helper()
			m := new(dns.Msg)
			m.SetQuestion(name, qtype)
			start := time.Now()
			reply, source, err := r.Exchange(t.Context(), m)
			if err != nil || reply.Id != m.Id || reply.Rcode != 0 || len(reply.Answer) == 0 {
				t.Errorf("%s %s: %v, error %v", name, dns.Type(qtype), reply, err)
			}
			if got := time.Since(start); source != want || got != waited {
				t.Errorf("%s %s: from %q after %v, want %q after %v", name, dns.Type(qtype), source, got, want, waited)
			}
		}
		exchange("example.net.", dns.TypeMX, "upstream", a.delay)
		exchange("example.net.", dns.TypeMX, "cache", 0)
		exchange("mx1.example.net.", dns.TypeA, "glue", 0)
		exchange("mx2.example.net.", dns.TypeA, "bundle", a.delay) // it is on its way
		exchange("mx2.example.net.", dns.TypeA, "bundle", 0)       // and has come
		exchange("other.example.", dns.TypeA, "upstream", a.delay)
		exchange("other.example.", dns.TypeA, "cache", 0)

		go r.Resolve(t.Context(), nil, clientQuery(t, 1, "client.example.", false))
		synctest.Wait()
		exchange("client.example.", dns.TypeA, "upstream", a.delay) // a client asked first
		if n := a.count.Load(); n != 6 {                            // 1 MX, mx1 AAAA, mx2 A and AAAA, other, client
			t.Errorf("%d questions, want 6", n)
		}
	})
}

func TestExchangeErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newResolver(t, resolver.Options{}, new(asks))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		m := new(dns.Msg).SetQuestion("a.example.", dns.TypeA)
		if reply, _, err := r.Exchange(ctx, m); err != context.DeadlineExceeded || reply != nil {
			t.Errorf("a context that ended: %v, error %v", reply, err)
		}
		if reply, source, err := r.Exchange(t.Context(), m); err != nil || reply.Rcode != dns.RcodeServerFailure || source != "upstream" {
			t.Errorf("a silent upstream: %v from %q, error %v; want SERVFAIL from upstream", reply, source, err)
		}
		m.Question[0].Qclass = dns.ClassCHAOS
		if reply, _, err := r.Exchange(t.Context(), m); err == nil {
			t.Errorf("class CH: %v", reply)
		}
		m = new(dns.Msg).SetQuestion(strings.Repeat("a", 64)+".example.", dns.TypeA)
		if reply, _, err := r.Exchange(t.Context(), m); err == nil {
			t.Errorf("a label of 64 octets: %v", reply)
		}
	})
}

// TestWithoutAsk goes over real sockets: a hundred clients, one datagram.
func TestWithoutAsk(t *testing.T) {
	server, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	u, err := upstream.New("udp://" + server.LocalAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	r := resolver.New(resolver.Options{}, cache.New(cache.Options{}, time.Now()), []*upstream.Upstream{u})
	defer r.Close()
	var clients sync.WaitGroup
	for i := range 100 {
		clients.Go(func() {
			q := clientQuery(t, uint16(i), "a.example.", false)
			if reply := r.Resolve(t.Context(), nil, q); !isAnswer(reply, q) {
				t.Errorf("client %d got %x", i, reply)
			}
		})
	}
	buf := make([]byte, 4096)
	server.SetDeadline(time.Now().Add(10 * time.Second))
	n, from, err := server.ReadFromUDPAddrPort(buf)
	if err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(time.Second); r.Stats().Joined < 99 && time.Now().Before(end); { // before the second try
		runtime.Gosched()
	}
	var q dns.Msg
	if err := q.Unpack(buf[:n]); err != nil {
		t.Fatal(err)
	}
	m := new(dns.Msg).SetReply(&q)
	m.RecursionAvailable = true
	rr, _ := dns.NewRR("a.example. 300 IN A 192.0.2.1")
	m.Answer = []dns.RR{rr}
	packed, err := m.Pack()
	if err != nil {
		t.Fatal(err)
	}
	server.WriteToUDPAddrPort(packed, from)
	clients.Wait()
	if st := u.Stats(); st.Queries != 1 || binary.BigEndian.Uint16(buf) != q.Id {
		t.Errorf("%d queries, want 1", st.Queries)
	}
}

// lines is a log that a test reads line by line.
type lines chan string

func (l lines) Write(line []byte) (int, error) { l <- string(line); return len(line), nil }

// TestWatch has an upstream stop validating, then fall silent: each is told when it is found, and nothing else is.
func TestWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		logged := make(lines, 10)
		r := newResolver(t, resolver.Options{Log: slog.New(slog.NewTextHandler(logged, nil))}, new(asks))
		var validates, silent atomic.Bool
		r.Ask = func(ctx context.Context, _ *upstream.Upstream, q dns.Question, _ bool) (*upstream.Response, error) {
			if silent.Load() {
				<-ctx.Done()
				return nil, ctx.Err()
			}
			m := &dns.Msg{Question: []dns.Question{q}}
			m.Response, m.AuthenticatedData = true, validates.Load()
			return &upstream.Response{Msg: m}, sections(m, []string{". 60 IN NS a.root-servers.net."})
		}
		validates.Store(true)
		ctx, cancel := context.WithCancel(t.Context())
		var watch sync.WaitGroup
		watch.Go(func() { r.Watch(ctx) })
		pass := func(want ...string) {
			t.Helper()
			time.Sleep(5*time.Minute + 10*time.Second)
			synctest.Wait()
			for _, words := range want {
				if len(logged) == 0 {
					t.Fatalf("not logged: %s", words)
				}
				if line := <-logged; !strings.Contains(line, words) || !strings.Contains(line, "udp://192.0.2.1:53") {
					t.Errorf("logged %s, want: %s", line, words)
				}
			}
			for len(logged) > 0 {
				t.Errorf("logged too: %s", <-logged)
			}
		}
		pass()
		validates.Store(false)
		pass("has stopped validating")
		pass() // it is told once
		silent.Store(true)
		pass("does not answer")
		cancel()
		watch.Wait()
	})
}
