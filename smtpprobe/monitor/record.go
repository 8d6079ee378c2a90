package monitor

import (
	"context"
	"log/slog"
	"time"

	"github.com/mxglue/mxglue/smtpprobe"
)

// record takes an outcome in: into the store first, then to the readers and the log.
func (m *Monitor) record(o outcome) {
	was := m.states[o.domain]
	blocked, events := m.weighBlocked(o)
	result := summarize(o.report, o)
	if !blocked.IsZero() && tried(o.report) {
		result.Status, result.Reason, result.Blocked = smtpprobe.StatusUnknown, blockedReason, true
	}
	result.Held = held(o, was.Last.At)
	result.weighBest(was.Standing, o.report)
	known, changed := was.Known.learn(o.report)
	for _, e := range changed {
		e.At, e.Domain = result.At, o.domain
		events = append(events, e)
	}
	is := State{
		Domain: o.domain, Standing: was.Standing.after(result), Last: result,
		Report: o.report, Deep: lastDeep(was, o.depth), Known: known, Shallow: was.Shallow + 1,
	}
	if o.depth >= smtpprobe.DepthTLS {
		is.Shallow = 0
	}
	is.Depth, is.Next = nextDepth(is, m.opt.Deep, len(changed) > 0), m.next(o)
	events = append(events, standingEvents(o.domain, was.Standing, is.Standing, result)...)
	if err := m.store.put(is, events); err != nil {
		m.storeFailed(err)
	}
	m.publish(is, blocked)
	m.tell(events)
}

// lastDeep is the last report that went to TLS, where the one that came in now is not.
func lastDeep(was State, depth smtpprobe.Depth) *smtpprobe.Report {
	switch {
	case depth >= smtpprobe.DepthTLS:
		return nil
	case was.Last.Depth >= smtpprobe.DepthTLS:
		return &was.Report
	}
	return was.Deep
}

// held tells whether every connection of a report was made before the last result: the prober holds on to bad
// results, so as not to knock again. Two of one connection must not raise an alarm. A report whose backups were left
// alone with a primary that is held is none of now either.
func held(o outcome, last time.Time) bool {
	fresh := anyOf(o.report, func(a smtpprobe.Attempt) bool {
		return connected(a) && o.ended.Add(-time.Duration(a.Age*float64(time.Second))).After(last)
	})
	return !o.report.HeldUntil.IsZero() || tried(o.report) && !fresh
}

// heldSpread is the most that chance adds to the end of a hold. Domains that wait for the same one come within a
// minute, so that the first connects to the primary and the others need not wait for another hold.
const heldSpread = 30 * time.Second

// next is when the domain is probed again: when exchangers that were left alone may be connected to, or after a pause.
// After a failure chance only adds: the 30 minutes are a minimum, and the prober holds on to its result for so long.
func (m *Monitor) next(o outcome) time.Time {
	if until := o.report.HeldUntil; until.After(o.ended) {
		return until.Add(time.Duration(m.luck() * float64(heldSpread))).UTC()
	}
	pause := m.pause(m.opt.Interval, m.luck())
	if failed(o.report) {
		pause = m.pause(m.opt.retry(), 0.5+m.luck()/2)
	}
	return o.ended.Add(pause).UTC()
}

// publish shows the state to the readers, and gives the domain its time.
func (m *Monitor) publish(is State, blocked time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.states[is.Domain] = is
	if is.Last.Depth >= smtpprobe.DepthTLS {
		m.stats.Deep++
	} else {
		m.stats.Greetings++
	}
	if m.listed[is.Domain] {
		m.due[is.Domain] = is.Next
	} else {
		delete(m.due, is.Domain)
	}
	if !blocked.IsZero() && m.blocked.IsZero() {
		for domain, s := range m.states { // a first bad result may be of the same fault: it counts no more
			s.Before = s.Status
			m.states[domain] = s
		}
	}
	m.blocked = blocked
}

// tell logs what happened.
func (m *Monitor) tell(events []Event) {
	for _, e := range events {
		level := slog.LevelInfo
		switch {
		case e.Kind == PortBlocked, e.Kind == FlapBegins, e.Kind == StatusChanged && e.Is != string(smtpprobe.StatusOK):
			level = slog.LevelWarn
		}
		m.log().Log(context.Background(), level, "monitor: "+e.Text, "event", e.Kind, "domain", e.Domain)
	}
}
