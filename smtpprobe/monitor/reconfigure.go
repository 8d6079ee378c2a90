package monitor

import (
	"context"
	"time"

	"github.com/mxglue/mxglue/smtpprobe"
)

// A Change is what a Monitor goes by from some time on.
type Change struct {
	Options
	Probe   func(ctx context.Context, domain string, depth smtpprobe.Depth) smtpprobe.Report // required
	Busiest func() []string                                                                  // nil: none
}

// Reconfigure lets Run go by other options and functions than those that New and the fields have said, as soon as it gets to
// it. Probes under way end as they began; what is known and counted stays. The error names the option; then nothing changes.
// One goroutine at a time may call it.
func (m *Monitor) Reconfigure(c Change) error {
	opt, err := c.Options.withDefaults()
	if err != nil {
		return err
	}
	c.Options = opt
	select {
	case <-m.changes: // one that Run has not got to is out of date
	default:
	}
	m.changes <- c
	return nil
}

// change goes by c from now on: it takes the list anew, and lets no domain wait for longer than it would have to by c.
func (m *Monitor) change(c Change, now time.Time) {
	m.opt, m.Probe, m.Busiest = c.Options, c.Probe, c.Busiest
	for d, at := range m.due {
		pause := m.opt.Interval
		if failed(m.states[d].Report) {
			pause = m.opt.retry()
		}
		if next := now.Add(m.pause(pause, m.luck())); at.After(next) { // zero is under way
			m.due[d] = next
			m.update(d, func(s *State) { s.Next = next.UTC() })
		}
	}
	m.refresh(now)
}
