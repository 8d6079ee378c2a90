package smtpprobe

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// patrol is a network that watches its clients as the strictest operators do: how many connections at once, how
// soon the next, who talks before the greeting, who leaves without QUIT. Each connection lasts 3 s.
type patrol struct {
	groups map[string]string // of an address; "": itself

	mu      sync.Mutex
	open    map[string]int // "address 11.0.0.1", "group a.example", "all"
	most    map[string]int
	ended   map[string]time.Time
	soonest time.Duration // between two connections to one address
	visits  int
	early   int
	rude    int // without QUIT
}

func (p *patrol) dial(_ context.Context, _, address string) (net.Conn, error) {
	host, _, _ := net.SplitHostPort(address)
	keys := []string{"address " + host, "group " + p.groups[host], "all"}
	client, peer := net.Pipe()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.visits++
	if last, ok := p.ended[host]; ok {
		p.soonest = min(p.soonest, time.Since(last))
	}
	for _, key := range keys {
		p.open[key]++
		kind, _, _ := strings.Cut(key, " ")
		p.most[kind] = max(p.most[kind], p.open[key])
	}
	go p.serve(peer, host, keys)
	return client, nil
}

func (p *patrol) serve(conn net.Conn, host string, keys []string) {
	defer conn.Close()
	conn.SetReadDeadline(time.Now().Add(3 * time.Second))
	in := bufio.NewReader(conn)
	_, err := in.Peek(1)
	early, quit := err == nil, false
	conn.SetReadDeadline(time.Time{})
	conn.Write([]byte("220 mx\r\n"))
	for !quit {
		line, err := in.ReadString('\n')
		if err != nil {
			break
		}
		if quit = strings.HasPrefix(line, "QUIT"); !quit {
			conn.Write([]byte("250 mx\r\n"))
		}
	}
	p.mu.Lock() // before the client hears of it
	for _, key := range keys {
		p.open[key]--
	}
	p.ended[host] = time.Now()
	if !quit {
		p.rude++
	}
	if early {
		p.early++
	}
	p.mu.Unlock()
	conn.Write([]byte("221 bye\r\n"))
}

// 60 domains of 20 operators on 40 addresses, all probed at the same time and each twice, without a result to
// share: the limits are kept, and made use of.
func TestPoliteness(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &patrol{groups: make(map[string]string), open: make(map[string]int), most: make(map[string]int), ended: make(map[string]time.Time), soonest: time.Hour}
		var records strings.Builder
		for i := range 60 {
			addr, operator := fmt.Sprintf("11.0.0.%d", i%40+1), fmt.Sprintf("op%d.example", i%20)
			p.groups[addr] = operator
			fmt.Fprintf(&records, "d%d.example. MX 1 mx%d.%s.\nmx%d.%s. A %s\n", i, i, operator, i, operator, addr)
		}
		prober := &Prober{Options: Options{Pace: Pace{Reuse: 1}}, Exchange: zone(t, records.String()), Dial: p.dial}
		var probes sync.WaitGroup
		for i := range 60 {
			probes.Go(func() {
				for range 2 {
					opt := prober.Options
					opt.Port = uint16(25 + i/40) // a third of the addresses on two ports
					if r := prober.ProbeWith(t.Context(), fmt.Sprintf("d%d.example", i), opt); r.Status != StatusOK {
						t.Errorf("%s", summary(r))
					}
					time.Sleep(time.Second) // the bubble's clock: no result is that young
				}
			})
		}
		probes.Wait()
		synctest.Wait()
		if p.most["address"] != perAddress || p.most["group"] != perGroup || p.most["all"] != inAll {
			t.Errorf("at once: %v", p.most)
		}
		if p.soonest < time.Minute || p.early != 0 || p.rude != 0 {
			t.Errorf("%v between two visits, %d early talkers, %d without QUIT", p.soonest, p.early, p.rude)
		}
		if p.visits < 80 || p.visits > 120 {
			t.Errorf("%d visits of 40 addresses by 120 probes, each result shared by whoever waited for it", p.visits)
		}
		if len(prober.own.open) != 0 {
			t.Errorf("%d gates left", len(prober.own.open))
		}
	})
}

// An address that refused is left alone for longer each time, until it is well again.
func TestHoldDown(t *testing.T) {
	for _, test := range []struct {
		name string
		peer string
		gaps []time.Duration // between connections
	}{
		{"421", "421 busy", []time.Duration{30 * time.Minute, time.Hour, 2 * time.Hour, 4 * time.Hour, 6 * time.Hour, 6 * time.Hour}},
		{"554", "554 no", []time.Duration{30 * time.Minute, time.Hour}},
		{"filtered", "filtered", []time.Duration{5 * time.Minute, 10 * time.Minute, 20 * time.Minute, 40 * time.Minute, time.Hour, time.Hour}},
		{"refused", "refused", []time.Duration{5 * time.Minute, 5 * time.Minute}},
		{"silent", "mute", []time.Duration{30 * time.Minute, 30 * time.Minute}},
		{"well", "220 mx", []time.Duration{time.Minute, time.Minute}},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := &network{peers: map[string]string{"11.0.0.1": test.peer}}
				p := &Prober{Exchange: zone(t, "d.example. A 11.0.0.1"), Dial: n.dial}
				verdict := p.Probe(t.Context(), "d.example").Verdict
				for i, gap := range test.gaps {
					time.Sleep(gap - time.Second) // the bubble's clock
					if r := p.Probe(t.Context(), "d.example"); len(n.dialed) != i+1 || r.Verdict != verdict || r.MX[0].Attempts[0].Age != (gap-time.Second).Seconds() {
						t.Errorf("a second before %v: %d connections, %s, age %v", gap, len(n.dialed), summary(r), r.MX[0].Attempts[0].Age)
					}
					time.Sleep(time.Second)
					if p.Probe(t.Context(), "d.example"); len(n.dialed) != i+2 {
						t.Errorf("after %v: %d connections", gap, len(n.dialed))
					}
				}
			})
		})
	}
}

// A 421 in the middle of the dialogue is one too, and a good result ends the row.
func TestHoldDownAfterTheGreeting(t *testing.T) {
	for _, test := range []struct {
		attempt Attempt
		strikes int
		hold    time.Duration
	}{
		{Attempt{Verdict: OK, told421: true}, 1, 30 * time.Minute},
		{Attempt{Verdict: OK}, 0, 0},
		{Attempt{Verdict: Slow}, 0, 0},
		{Attempt{Verdict: LocalError}, 0, 0},
		{Attempt{Verdict: TLSFailed}, 1, 5 * time.Minute},
	} {
		if strikes, hold := test.attempt.hold(0, mostHold); strikes != test.strikes || hold != test.hold {
			t.Errorf("%+v: %d, %v", test.attempt, strikes, hold)
		}
	}
	if strikes, _ := (Attempt{Verdict: OK}).hold(7, mostHold); strikes != 0 {
		t.Errorf("%d strikes after a good result", strikes)
	}
}

// A result serves whom it tells enough: a deeper one serves a shallower wish, and not the other way round.
func TestWhatAResultServes(t *testing.T) {
	for _, test := range []struct {
		first, second Options
		connections   int
	}{
		{Options{Depth: DepthTLS}, Options{Depth: DepthGreeting}, 1},
		{Options{Depth: DepthGreeting}, Options{Depth: DepthTLS}, 2},
		{Options{Depth: DepthRCPT}, Options{Depth: DepthTLS}, 1},
		{Options{Depth: DepthGreeting, Reach: DepthTLS}, Options{Depth: DepthTLS}, 1},
		{Options{}, Options{Transcript: true}, 2},
		{Options{}, Options{Security: Security{ForceStartTLS: true}}, 2},
	} {
		synctest.Test(t, func(t *testing.T) {
			n := &network{}
			p := &Prober{Exchange: zone(t, "d.example. A 11.0.0.1"), Dial: n.dial}
			p.ProbeWith(t.Context(), "d.example", test.first)
			start := time.Now()
			p.ProbeWith(t.Context(), "d.example", test.second)
			if took := time.Since(start); len(n.dialed) != test.connections || took != time.Duration(test.connections-1)*time.Minute {
				t.Errorf("%+v: %d connections, the second after %v", test, len(n.dialed), took)
			}
		})
	}
}

// Whose time ends before the turn comes is not kept waiting for it.
func TestNoTimeForATurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &network{}
		p := &Prober{Exchange: zone(t, "d.example. A 11.0.0.1"), Dial: n.dial}
		p.ProbeWith(t.Context(), "d.example", Options{Depth: DepthGreeting})
		hasty, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		start := time.Now()
		r := p.Probe(hasty, "d.example")
		if a := r.MX[0].Attempts[0]; time.Since(start) != 0 || a.Verdict != LocalError || !strings.Contains(a.Detail, "waited for its turn") || r.Status != StatusUnknown {
			t.Errorf("%s after %v: %s", summary(r), time.Since(start), a.Detail)
		}
		if p.Between = -1; p.Probe(hasty, "d.example").Status != StatusUnknown { // the pause of the first visit holds
			t.Error("the pause was not kept")
		}
	})
}

// However many addresses there are, the memory of them is bounded.
func TestVisitsAreBounded(t *testing.T) {
	var vs visits
	for i := range maxVisits + 5000 {
		to := netip.AddrPortFrom(netip.AddrFrom4([4]byte{11, byte(i >> 16), byte(i >> 8), byte(i)}), 25)
		v, mine := vs.join(to, "mx.example", visitKind{}, Pace{Hold: mostHold})
		if !mine {
			t.Fatal("not mine")
		}
		v.attempt, v.reached = Attempt{Verdict: Greeting5xx}, true
		vs.end(to, v)
	}
	if n := len(vs.at); n > maxVisits || n < maxVisits/2 {
		t.Errorf("%d visits remembered", n)
	}
}
