package monitor

import (
	"cmp"
	"context"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/mxglue/mxglue/smtpprobe"
)

// jitter is how much of the time between two probes is left to chance, to either side.
const jitter = 0.1

// outcome is a probe that has ended.
type outcome struct {
	domain       string
	depth        smtpprobe.Depth
	report       smtpprobe.Report
	began, ended time.Time
}

// Run probes until ctx ends, then waits for what is under way, which a cut ends soon; what was cut is not
// counted. It is the only one that writes.
func (m *Monitor) Run(ctx context.Context) {
	outcomes := make(chan outcome)
	busy := 0
	var refreshed time.Time
	for {
		now := time.Now()
		if refreshed.IsZero() || now.Sub(refreshed) >= m.opt.Interval {
			m.refresh(now)
			refreshed = now
		}
		busy += m.start(ctx, outcomes, now, m.opt.Width-busy)
		m.count(func(s *Stats) { s.Running = busy })
		wake := time.NewTimer(m.wake(refreshed.Add(m.opt.Interval), busy < m.opt.Width).Sub(now))
		select {
		case o := <-outcomes:
			busy--
			if ctx.Err() == nil {
				m.record(o)
			}
		case c := <-m.changes:
			refreshed = time.Now()
			m.change(c, refreshed)
		case <-wake.C:
		case <-ctx.Done():
			for ; busy > 0; busy-- {
				<-outcomes
			}
			m.count(func(s *Stats) { s.Running = 0 })
			wake.Stop()
			return
		}
		wake.Stop()
	}
}

// refresh takes the list of domains anew, and gives those that have come a time: the one they had before a
// restart, or a place in the interval, so that not all begin at once.
func (m *Monitor) refresh(now time.Time) {
	list := m.domains()
	m.list(list)
	m.forget(now)
	for d, at := range m.due {
		if !m.listed[d] && !at.IsZero() {
			delete(m.due, d)
		}
	}
	arrived := slices.DeleteFunc(list, func(d string) bool { _, waits := m.due[d]; return waits })
	for i, d := range arrived {
		at := now.Add(m.opt.Interval / time.Duration(len(arrived)) * time.Duration(i))
		// No later than a probe of just now would be: the clock may have been wrong before.
		if next := m.states[d].Next; next.After(at) && !next.After(now.Add(m.pause(m.opt.retry(), 1))) {
			at = next
		}
		m.due[d] = at
		m.update(d, func(s *State) { s.Next = at })
	}
}

// domains is the list: those of the options, then the busiest, as far as there is room.
func (m *Monitor) domains() []string {
	list := slices.Clone(m.opt.Domains)
	if m.Busiest == nil {
		return list
	}
	seen := make(map[string]bool)
	for _, d := range list {
		seen[d] = true
	}
	for _, name := range m.Busiest() {
		d, err := smtpprobe.ParseDomain(name)
		if err == nil && !seen[d] && len(list) < maxDomains { // a name that is no domain is a question that somebody asked
			seen[d] = true
			list = append(list, d)
		}
	}
	return list
}

// start begins the probes whose time has come, free of them at most and the one that waits longest first, and
// returns how many.
func (m *Monitor) start(ctx context.Context, outcomes chan<- outcome, now time.Time, free int) int {
	var ready []string
	for d, at := range m.due {
		if !at.IsZero() && !at.After(now) {
			ready = append(ready, d)
		}
	}
	slices.SortFunc(ready, func(a, b string) int { return cmp.Or(m.due[a].Compare(m.due[b]), cmp.Compare(a, b)) })
	ready = ready[:min(len(ready), free)]
	for _, d := range ready {
		m.due[d] = time.Time{}
		depth, timeout, probe := m.states[d].Depth, m.opt.Timeout, m.Probe
		go func() {
			ctx, cancel := context.WithTimeout(ctx, timeout)
			defer cancel()
			began := time.Now()
			report := probe(ctx, d, depth)
			outcomes <- outcome{d, depth, report, began, time.Now()}
		}()
	}
	return len(ready)
}

// wake is when there is something to do: at refresh, or earlier if a probe is due and may be begun.
func (m *Monitor) wake(refresh time.Time, free bool) time.Time {
	for _, at := range m.due {
		if free && !at.IsZero() && at.Before(refresh) {
			refresh = at
		}
	}
	return refresh
}

// pause is the time between probes, give or take the jitter; luck is from 0 up to 1.
func (m *Monitor) pause(interval time.Duration, luck float64) time.Duration {
	return time.Duration(float64(interval) * (1 - jitter + 2*jitter*luck))
}

func (m *Monitor) luck() float64 {
	if m.Random == nil {
		return rand.Float64()
	}
	return m.Random()
}
