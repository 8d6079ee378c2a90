package smtpprobe

import (
	"context"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// Several names on one address: one connection, and each name has the result.
func TestNamesOnOneAddressShareAConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &network{}
		records := "d.example. MX 1 a.example.\nd.example. MX 2 b.example.\na.example. A 11.0.0.1\nb.example. A 11.0.0.1\nb.example. AAAA ::ffff:11.0.0.1"
		r := (&Prober{Exchange: zone(t, records), Dial: n.dial}).Probe(t.Context(), "d.example")
		if len(n.dialed) != 1 || r.Status != StatusOK {
			t.Errorf("%d connections, %s", len(n.dialed), summary(r))
		}
		for _, a := range r.MX[1].Attempts {
			if a.Shared != "a.example" || a.Code != 220 || a.Source != "upstream" {
				t.Errorf("attempt %+v", a)
			}
		}
	})
}

// An address has a minute's peace after a connection, whatever the domain; a port of its own is another matter.
func TestOneConnectionAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &network{peers: map[string]string{"11.0.0.1": "554 no"}}
		p := &Prober{Exchange: zone(t, "d.example. A 11.0.0.1\ne.example. A 11.0.0.1"), Dial: n.dial}
		for _, step := range []struct {
			pass        time.Duration
			domain      string
			connections int
			shared      string
		}{
			{0, "d.example", 1, ""},
			{59 * time.Second, "e.example", 1, "d.example"},
			{time.Second, "e.example", 2, ""},
			{59 * time.Second, "d.example", 2, "e.example"},
		} {
			time.Sleep(step.pass) // the bubble's clock
			a := p.Probe(t.Context(), step.domain).MX[0].Attempts[0]
			if len(n.dialed) != step.connections || a.Shared != step.shared || a.Code != 554 {
				t.Errorf("%s: %d connections, shared %q, code %d; want %+v", step.domain, len(n.dialed), a.Shared, a.Code, step)
			}
		}
		time.Sleep(time.Minute)
		p.Probe(t.Context(), "d.example")
		if len(p.visits.at) != 1 {
			t.Errorf("%d visits remembered", len(p.visits.at))
		}
		p.Port = 587
		p.Probe(t.Context(), "d.example")
		if len(n.dialed) != 4 {
			t.Errorf("%d connections, want another for another port", len(n.dialed))
		}
	})
}

// Probes at the same time share the connection that is under way.
func TestProbesAtOnceShareAConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &network{peers: map[string]string{"11.0.0.1": "mute"}}
		var records strings.Builder
		domains := []string{"a.example", "b.example", "c.example", "e.example"}
		for _, d := range domains {
			records.WriteString(d + ". A 11.0.0.1\n")
		}
		p := &Prober{Exchange: zone(t, records.String()), Dial: n.dial}
		var probes sync.WaitGroup
		for _, d := range domains {
			probes.Go(func() {
				if a := p.Probe(t.Context(), d).MX[0].Attempts[0]; a.Verdict != GreetingTimeout {
					t.Errorf("%s: %s", d, a.Verdict)
				}
			})
		}
		// One that has less patience does not wait for the others' connection.
		hasty, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		synctest.Wait()
		start := time.Now()
		if r := p.Probe(hasty, "a.example"); r.Status != StatusUnknown || time.Since(start) != time.Second {
			t.Errorf("%s after %v", summary(r), time.Since(start))
		}
		probes.Wait()
		if len(n.dialed) != 1 {
			t.Errorf("%d connections", len(n.dialed))
		}
	})
}

// What never left this machine was no visit; a connection cut by its caller was one.
func TestWhatCountsAsAVisit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &network{peers: map[string]string{"11.0.0.1": "noroute", "11.0.0.2": "mute"}}
		p := &Prober{Exchange: zone(t, "d.example. A 11.0.0.1\ne.example. A 11.0.0.2"), Dial: n.dial}
		p.Probe(t.Context(), "d.example")
		p.Probe(t.Context(), "d.example")
		if len(n.dialed) != 2 {
			t.Errorf("%d tries without a route, want 2", len(n.dialed))
		}
		hasty, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		p.Probe(hasty, "e.example")
		if r := p.Probe(t.Context(), "e.example"); len(n.dialed) != 3 || r.Status != StatusUnknown {
			t.Errorf("%d connections, %s", len(n.dialed), summary(r))
		}
	})
}
