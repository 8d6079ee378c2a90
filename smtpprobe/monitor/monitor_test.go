package monitor

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mxglue/mxglue/smtpprobe"
)

// times are when a domain was probed, since the beginning.
func (w *world) times(domain string) []time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	var times []time.Duration
	for _, p := range w.probes {
		if p.domain == domain {
			times = append(times, p.after)
		}
	}
	return times
}

// The first probes are spread over the interval; from then on each domain has its own time.
func TestScheduleSpreadsAndRepeats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.run(w.monitor(Options{Domains: []string{"a.example", "B.example.", "a.example", "c.example"}}), 40*time.Minute)
		for domain, first := range map[string]time.Duration{"a.example": 0, "b.example": 5 * time.Minute, "c.example": 10 * time.Minute} {
			want := []time.Duration{first, first + 15*time.Minute, first + 30*time.Minute}
			if got := w.times(domain); !slices.Equal(got, want[:len(got)]) || len(got) < 2 {
				t.Errorf("%s: probed after %v, want %v", domain, got, want)
			}
		}
	})
}

// A host that failed is left in peace for half an hour (RFC 5321 4.5.4.1); one we could not look at is not.
func TestScheduleAfterFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.set(smtpprobe.Refused, "down.example")
		w.set(smtpprobe.LocalError, "here.example")
		w.run(w.monitor(Options{Domains: []string{"down.example", "here.example"}}), 64*time.Minute)
		retry := 31*time.Minute + 30*time.Second // 30 minutes and half of what chance may add
		if got, want := w.times("down.example"), []time.Duration{0, retry, 2 * retry}; !slices.Equal(got, want) {
			t.Errorf("down.example: probed after %v, want %v", got, want)
		}
		if got := w.times("here.example"); len(got) != 4 {
			t.Errorf("here.example: probed after %v, want 4 times", got)
		}
	})
}

func TestScheduleJitter(t *testing.T) {
	m := &Monitor{}
	for luck, want := range map[float64]time.Duration{0: 9 * time.Minute, 0.5: 10 * time.Minute, 1: 11 * time.Minute} {
		if got := m.pause(10*time.Minute, luck); got.Round(time.Millisecond) != want {
			t.Errorf("luck %v: %v, want %v", luck, got, want)
		}
	}
	m.opt, _ = Options{}.withDefaults()
	for luck, want := range map[float64]time.Duration{0: 30 * time.Minute, 1: 33 * time.Minute} {
		m.Random = func() float64 { return luck }
		down := outcome{report: report("a.example", smtpprobe.Refused)}
		if got := m.next(down).Sub(time.Time{}); got.Round(time.Millisecond) != want {
			t.Errorf("after a failure, luck %v: %v, want %v", luck, got, want)
		}
	}
	m.Random = nil
	for range 1000 {
		if luck := m.luck(); luck < 0 || luck >= 1 {
			t.Fatalf("luck %v", luck)
		}
	}
}

func TestWidthBoundsProbes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.takes = 5 * time.Minute
		m := w.monitor(Options{Domains: many(30), Width: 3})
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		go m.Run(ctx)
		for range 59 {
			time.Sleep(time.Minute)
			synctest.Wait()
			if n := m.Stats().Running; n != 3 && time.Since(w.began) > 2*time.Minute {
				t.Errorf("after %v: %d probes under way, want 3", time.Since(w.began), n)
			}
		}
		<-ctx.Done()
		synctest.Wait()
		if n := m.Stats().Running; n != 0 {
			t.Errorf("%d probes under way at the end", n)
		}
	})
}

// Mostly the greeting; each sixth time, after trouble, and near the end of a certificate, all.
func TestDepthLadder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.change = func(r *smtpprobe.Report) {
			switch {
			case r.Domain == "soon.example":
				r.MX[0].Attempts[0].TLS = &smtpprobe.TLS{NotAfter: time.Now().Add(20 * 24 * time.Hour)}
			case r.Domain == "later.example":
				r.MX[0].Attempts[0].TLS = &smtpprobe.TLS{NotAfter: time.Now().Add(22 * 24 * time.Hour)}
			case r.Domain == "moved.example" && time.Since(w.began) > 40*time.Minute:
				r.MX[0].Preference = 20
			case r.Domain == "bad.example" && time.Since(w.began) > 40*time.Minute && time.Since(w.began) < 80*time.Minute:
				r.Status, r.Reason = smtpprobe.StatusWarning, "The certificate is for another name."
			}
		}
		domains := []string{"fine.example", "soon.example", "later.example", "moved.example", "bad.example"}
		w.run(w.monitor(Options{Domains: domains}), 3*time.Hour+10*time.Minute)
		for domain, want := range map[string]string{
			"fine.example":  "TGGGGGTGGGGGT",
			"later.example": "TGGGGGTGGGGGT",
			"soon.example":  "TTTTTTTTTTTTT",
			"moved.example": "TGGGTGGGGGTGG",
			"bad.example":   "TGGTTTTGGGGG",
		} {
			if got := w.ladder(domain); !strings.HasPrefix(got, want) {
				t.Errorf("%s: %s, want %s", domain, got, want)
			}
		}
	})
}

// Two bad results, one alarm; two good ones, and it is over. The log says what the history says.
func TestAlarm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		var log strings.Builder
		m := w.monitor(Options{Domains: []string{"a.example", "b.example"}})
		m.Log = slog.New(slog.NewTextHandler(&log, nil))
		ctx, cancel := context.WithTimeout(t.Context(), 6*time.Hour)
		defer cancel()
		go m.Run(ctx)
		time.Sleep(time.Hour)
		w.set(smtpprobe.Refused, "a.example")
		time.Sleep(2 * time.Hour)
		if s, ok := m.State("a.example"); !ok || s.Status != smtpprobe.StatusCritical || s.Last.Verdict != smtpprobe.Critical || s.Last.Of != 1 || s.Last.Up != 0 {
			t.Errorf("a.example: %+v", s)
		}
		w.set(smtpprobe.OK, "a.example")
		<-ctx.Done()
		synctest.Wait()
		want := []string{
			"status: a.example is critical: mx.a.example: refused.",
			"status: a.example is ok again: 1 of 1 exchanger says 220.",
		}
		if got := w.events(m); !slices.Equal(got, want) {
			t.Errorf("got\n%s", strings.Join(got, "\n"))
		}
		if got := strings.Count(log.String(), "monitor: a.example is"); got != 2 || !strings.Contains(log.String(), "level=WARN msg=\"monitor: a.example is critical") {
			t.Errorf("the log:\n%s", log.String())
		}
		states := m.States()
		if len(states) != 2 || states[0].Domain != "a.example" || states[0].Status != smtpprobe.StatusOK || states[1].Report.Domain != "b.example" {
			t.Errorf("states: %+v", states)
		}
		results, err := m.History("a.example", 3)
		if err != nil || len(results) != 3 || !results[0].At.After(results[1].At) {
			t.Errorf("history: %+v, %v", results, err)
		}
	})
}

// Reading is of memory and file: nothing is probed for it.
func TestReadingProbesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		m := w.monitor(Options{Domains: []string{"a.example"}})
		for range 10 {
			m.States()
			m.State("a.example")
			m.History("a.example", 10)
			m.Events(10)
			m.Blocked()
			m.Stats()
		}
		time.Sleep(time.Hour)
		if len(w.probes) != 0 {
			t.Errorf("%d probes", len(w.probes))
		}
		if s := m.States(); len(s) != 1 || !s[0].Last.At.IsZero() || s[0].TLS().Domain != "" {
			t.Errorf("states before the first probe: %+v", s)
		}
	})
}

// The last look at the certificate stays, while probes stop at the greeting.
func TestLastDeepReportStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		ends := time.Now().Add(90 * 24 * time.Hour).UTC()
		w.change = func(r *smtpprobe.Report) {
			if time.Since(w.began) < time.Minute {
				r.MX[0].Attempts[0].TLS = &smtpprobe.TLS{NotAfter: ends}
			}
		}
		m := w.monitor(Options{Domains: []string{"a.example"}})
		w.run(m, 50*time.Minute)
		again := w.monitor(Options{Domains: []string{"a.example"}}) // from the store
		for _, m := range []*Monitor{m, again} {
			s, _ := m.State("a.example")
			if len(s.TLS().MX) != 1 || s.TLS().MX[0].Attempts[0].TLS == nil || !s.TLS().MX[0].Attempts[0].TLS.NotAfter.Equal(ends) || s.Report.MX[0].Attempts[0].TLS != nil {
				t.Errorf("deep report: %+v", s.TLS())
			}
		}
	})
}

// A restart neither forgets an alarm nor probes what has just been probed.
func TestRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.set(smtpprobe.Refused, "a.example")
		o := Options{Domains: []string{"a.example", "b.example"}}
		w.run(w.monitor(o), 32*time.Minute)
		w.probes, w.began = nil, time.Now()
		m := w.monitor(o)
		if s, _ := m.State("a.example"); s.Status != smtpprobe.StatusCritical {
			t.Errorf("a.example is %q after the restart", s.Status)
		}
		w.run(m, 40*time.Minute)
		if got, want := w.times("a.example"), []time.Duration{31 * time.Minute}; !slices.Equal(got, want) {
			t.Errorf("a.example: probed after %v, want %v", got, want)
		}
		if got := w.events(m); len(got) != 1 {
			t.Errorf("events: %q", got)
		}
	})
}

// What a cut left unfinished is not counted, and Run ends as soon as it is over.
func TestCutIsNoResult(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.takes = 5 * time.Minute
		w.set(smtpprobe.LocalError, "a.example")
		m := w.monitor(Options{Domains: []string{"a.example"}})
		w.run(m, time.Minute)
		if took := time.Since(w.began); took != time.Minute {
			t.Errorf("Run took %v", took)
		}
		if results, err := m.History("a.example", 10); err != nil || len(results) != 0 {
			t.Errorf("%+v, %v", results, err)
		}
	})
}

// A store that fails is counted and logged; the monitor goes on.
func TestStoreFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		var log strings.Builder
		m := w.monitor(Options{Domains: []string{"a.example"}})
		m.Log = slog.New(slog.NewTextHandler(&log, nil))
		w.store.Close()
		w.run(m, 20*time.Minute)
		if s, _ := m.State("a.example"); s.Status != smtpprobe.StatusOK || m.Stats().StoreErrors != 2 || !strings.Contains(log.String(), w.store.path) {
			t.Errorf("%+v, %+v\n%s", s.Standing, m.Stats(), log.String())
		}
		if _, err := m.Events(1); err == nil || !strings.Contains(err.Error(), w.store.path) {
			t.Errorf("Events: %v", err)
		}
	})
}

// The busiest domains come and go; what was known of one that left is kept for a while, and no longer.
func TestBusiest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.store.limits.Age = 24 * time.Hour
		m := w.monitor(Options{Domains: []string{"own.example"}})
		m.Busiest = func() []string {
			if time.Since(w.began) < time.Hour {
				return []string{"busy.example", "OWN.example", "no domain", "_25._tcp.", "192.0.2.1"}
			}
			return nil
		}
		names := func() string {
			var names []string
			for _, s := range m.States() {
				names = append(names, s.Domain)
			}
			return strings.Join(names, " ")
		}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go m.Run(ctx)
		time.Sleep(50 * time.Minute)
		if got := names(); !strings.HasPrefix(got, "busy.example") || !strings.HasSuffix(got, "own.example") || len(w.times("busy.example")) < 3 || len(w.times("own.example")) != 4 {
			t.Errorf("monitors %q", got)
		}
		time.Sleep(50 * time.Minute)
		if _, known := m.State("busy.example"); names() != "own.example" || !known {
			t.Errorf("monitors %q, knows busy.example: %v", names(), known)
		}
		probed := len(w.times("busy.example"))
		time.Sleep(25 * time.Hour)
		results, err := m.History("busy.example", 10)
		if _, known := m.State("busy.example"); known || err != nil || len(results) != 0 || len(w.times("busy.example")) != probed {
			t.Errorf("busy.example is known still: %v, %v, %v", known, results, err)
		}
	})
}

func TestOptionsRefuseWhatIsImpolite(t *testing.T) {
	w := newWorld(t)
	for _, test := range []struct {
		o    Options
		want string
	}{
		{Options{Interval: time.Minute}, "interval 1m0s: want at least 5m0s"},
		{Options{Interval: -time.Minute, Own: true}, "want more than 0"},
		{Options{Domains: []string{"a.example", "192.0.2.1"}}, `domain "192.0.2.1"`},
		{Options{Domains: many(1001)}, "1001 domains: want at most 1000"},
		{Options{Deep: -1}, "want more than 0"},
	} {
		if _, err := New(w.store, test.o); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%.80s: %v does not say %q", fmt.Sprintf("%+v", test.o), err, test.want)
		}
	}
	if _, err := New(w.store, Options{Interval: time.Minute, Own: true}); err != nil {
		t.Errorf("own mail servers: %v", err)
	}
}

// The prober holds on to a bad result for a while: seen twice, it is one bad result still.
func TestHeldResultsAreNoEvidence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.set(smtpprobe.Greeting4xx, "a.example")
		var made time.Time // of the connection that stands for the rest of the hour
		w.change = func(r *smtpprobe.Report) {
			if made.IsZero() || time.Since(made) >= time.Hour {
				made = time.Now()
			}
			r.MX[0].Attempts[0].Age = time.Since(made).Seconds()
		}
		m := w.monitor(Options{Domains: []string{"a.example"}, Interval: 10 * time.Minute, Own: true})
		w.run(m, 55*time.Minute)
		if s, _ := m.State("a.example"); s.Status != "" || !s.Last.Held || s.Last.Status != smtpprobe.StatusCritical || len(s.Recent) != 1 {
			t.Errorf("one connection: %+v, %+v", s.Standing, s.Last)
		}
		w.run(m, 30*time.Minute)
		if s, _ := m.State("a.example"); s.Status != smtpprobe.StatusCritical {
			t.Errorf("two connections: %+v", s.Standing)
		}
	})
}
