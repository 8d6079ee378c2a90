package smtpprobe

import (
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// While a primary that refused is left alone, its backup is not met by itself: what was known of it stands.
func TestBackupIsNotMetAlone(t *testing.T) {
	const records = "d.example. MX 1 a.example.\nd.example. MX 2 b.example.\na.example. A 11.0.0.1\nb.example. A 11.0.0.2\n" +
		"e.example. MX 1 a.example.\ne.example. MX 2 c.example.\nc.example. A 11.0.0.3"
	synctest.Test(t, func(t *testing.T) {
		n := &network{peers: map[string]string{"11.0.0.1": "421 busy"}}
		p := &Prober{Exchange: zone(t, records), Dial: n.dial, Options: Options{Pace: Pace{InOrder: true, Hold: 30 * time.Minute}}}
		for _, step := range []struct {
			pass        time.Duration
			domain      string
			want        string
			held        bool
			connections int
		}{
			{0, "d.example", "warning/warning b.example: 1 a.example greeting_4xx [11.0.0.1 greeting_4xx] 2 b.example ok [11.0.0.2 ok]", false, 2},
			{10 * time.Minute, "d.example", "warning/warning b.example: 1 a.example greeting_4xx [11.0.0.1 greeting_4xx] 2 b.example ok [11.0.0.2 ok]", true, 2},
			{0, "e.example", "unknown/unknown nobody: 1 a.example greeting_4xx [11.0.0.1 greeting_4xx] 2 c.example skipped [11.0.0.3 skipped]", true, 2},
			{20 * time.Minute, "e.example", "warning/warning c.example: 1 a.example greeting_4xx [11.0.0.1 greeting_4xx] 2 c.example ok [11.0.0.3 ok]", false, 4},
			{30 * time.Second, "d.example", "warning/warning b.example: 1 a.example greeting_4xx [11.0.0.1 greeting_4xx] 2 b.example ok [11.0.0.2 ok]", false, 5}, // the primary was met just now
			{29*time.Minute + 30*time.Second, "d.example", "warning/warning b.example: 1 a.example greeting_4xx [11.0.0.1 greeting_4xx] 2 b.example ok [11.0.0.2 ok]", false, 7},
		} {
			time.Sleep(step.pass) // the bubble's clock
			r := p.Probe(t.Context(), step.domain)
			if got := summary(r); got != step.want || len(n.dialed) != step.connections || r.HeldUntil.IsZero() == step.held {
				t.Errorf("%s after %v: got %s, %d connections, held until %v\nwant %s, %d, %v", step.domain, step.pass, got, len(n.dialed), r.HeldUntil, step.want, step.connections, step.held)
			}
			if step.held && time.Until(r.HeldUntil) != 20*time.Minute {
				t.Errorf("%s: held for %v more", step.domain, time.Until(r.HeldUntil))
			}
			if r.Status == StatusUnknown && !strings.Contains(r.MX[1].Attempts[0].Detail+r.Reason, "a.example") {
				t.Errorf("it does not say why: %s, %s", r.Reason, r.MX[1].Attempts[0].Detail)
			}
		}
	})
}

// A single check meets every exchanger.
func TestBackupIsMetByWhoAsksOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &network{peers: map[string]string{"11.0.0.1": "421 busy"}}
		p := &Prober{Exchange: zone(t, "d.example. MX 1 a.example.\nd.example. MX 2 b.example.\na.example. A 11.0.0.1\nb.example. A 11.0.0.2"), Dial: n.dial}
		p.Probe(t.Context(), "d.example")
		time.Sleep(10 * time.Minute)
		if r := p.Probe(t.Context(), "d.example"); len(n.dialed) != 3 || !r.HeldUntil.IsZero() {
			t.Errorf("%d connections, held until %v", len(n.dialed), r.HeldUntil)
		}
	})
}

// Options.Hold is the most that a failure stands.
func TestHoldIsCapped(t *testing.T) {
	for _, most := range []time.Duration{10 * time.Minute, 30 * time.Minute, mostHold} {
		if _, hold := (Attempt{Verdict: Greeting4xx}).hold(9, most); hold != most {
			t.Errorf("%v, want %v", hold, most)
		}
	}
}

// Probers that share gates keep one address's pause and one connection at a time between them; results stay apart.
func TestProbersShareGates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		watched := &patrol{groups: map[string]string{}, open: make(map[string]int), most: make(map[string]int), ended: make(map[string]time.Time), soonest: time.Hour}
		var gates Gates
		var probes sync.WaitGroup
		for range 3 {
			p := &Prober{Exchange: zone(t, "d.example. A 11.0.0.1"), Dial: watched.dial, Gates: &gates}
			probes.Go(func() {
				if r := p.Probe(t.Context(), "d.example"); r.Status != StatusOK || r.MX[0].Attempts[0].Shared != "" {
					t.Errorf("%s, shared %q", summary(r), r.MX[0].Attempts[0].Shared)
				}
			})
		}
		probes.Wait()
		if watched.visits != 3 || watched.most["address"] != 1 || watched.soonest < time.Minute {
			t.Errorf("%d visits, %d at once, %v between two", watched.visits, watched.most["address"], watched.soonest)
		}
		if len(gates.open) != 0 {
			t.Errorf("%d gates left", len(gates.open))
		}
	})
}
