package monitor

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mxglue/mxglue/smtpprobe"
)

// Other domains, a shorter interval and another probe hold at once, a probe under way ends as it began, and what was known
// and counted stays.
func TestReconfigure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.takes = time.Minute
		m := w.monitor(Options{Domains: []string{"stays.example", "busy.example", "old.example"}, Interval: time.Hour})
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			m.Run(ctx)
		}()
		time.Sleep(20*time.Minute + 30*time.Second) // stays.example was probed at 0, busy.example is, since 20 min
		before := m.Stats()

		now := time.Now()
		var mu sync.Mutex
		asked := make(map[string]time.Duration) // first asked, after the change
		err := m.Reconfigure(Change{Options: Options{Domains: []string{"stays.example", "busy.example", "new.example"}, Interval: 10 * time.Minute},
			Probe: func(ctx context.Context, domain string, depth smtpprobe.Depth) smtpprobe.Report {
				mu.Lock()
				if _, yes := asked[domain]; !yes {
					asked[domain] = time.Since(now)
				}
				mu.Unlock()
				return w.probe(ctx, domain, depth)
			}})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(25 * time.Minute)
		synctest.Wait()
		cancel()
		<-ended
		if _, yes := asked["old.example"]; yes || len(asked) != 3 || asked["new.example"] > time.Minute || asked["stays.example"] > 11*time.Minute || asked["busy.example"] > 12*time.Minute {
			t.Errorf("probed %v after the change; want new.example at once and the others within the new interval", asked)
		}
		if len(w.ladder("busy.example")) < 2 {
			t.Error("the probe that was under way is lost")
		}
		if after := m.Stats(); before.Deep == 0 || after.Deep <= before.Deep {
			t.Errorf("counted %+v, then %+v; want the count to go on", before, after)
		}
		if states := m.States(); len(states) != 3 || states[0].Domain != "busy.example" || states[1].Domain != "new.example" {
			t.Errorf("monitored are %+v", states)
		}
	})
}

func TestReconfigureRefusesWhatNewRefuses(t *testing.T) {
	m := newWorld(t).monitor(Options{})
	if err := m.Reconfigure(Change{Options: Options{Interval: time.Second}}); err == nil || len(m.changes) != 0 {
		t.Errorf("error %v, %d changes wait; want it refused", err, len(m.changes))
	}
}
