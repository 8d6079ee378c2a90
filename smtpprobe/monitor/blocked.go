package monitor

import (
	"fmt"
	"slices"
	"time"

	"github.com/mxglue/mxglue/smtpprobe"
)

const blockedReason = "Port 25 seems blocked here: nobody answers on it, whatever the domain."

// weighBlocked returns since when nobody has answered (zero: somebody does), and the event if that is news. It is
// over with the first answer. It begins when domains that were not known to be down, in so many networks that
// smtpprobe.BlockedHere believes it, have fallen silent without an answer from anybody in between.
func (m *Monitor) weighBlocked(o outcome) (time.Time, []Event) {
	now := o.ended.UTC()
	switch {
	case answered(o.report):
		m.answer = now
		if m.blocked.IsZero() {
			return m.blocked, nil
		}
		return time.Time{}, []Event{{At: now, Kind: PortOpen, Text: fmt.Sprintf("Port 25 is open again: an exchanger of %s answers.", o.domain)}}
	case !m.blocked.IsZero() || !tried(o.report):
		return m.blocked, nil
	}
	var silent []smtpprobe.Report
	for domain, s := range m.states {
		switch {
		case s.Status == smtpprobe.StatusCritical:
		case domain == o.domain:
			silent = append(silent, o.report)
		case s.Last.At.After(m.answer) && tried(s.Report):
			silent = append(silent, s.Report)
		}
	}
	if !smtpprobe.BlockedHere(silent) {
		return m.blocked, nil
	}
	return now, []Event{{At: now, Kind: PortBlocked, Text: fmt.Sprintf("%s %d domains fell silent, one after the other.", blockedReason, len(silent))}}
}

// answered tells whether somebody answered, with so much as a refusal.
func answered(r smtpprobe.Report) bool {
	return anyOf(r, func(a smtpprobe.Attempt) bool {
		switch a.Verdict {
		case smtpprobe.TimeoutConnect, smtpprobe.Unreachable, smtpprobe.LocalError:
			return false
		}
		return connected(a)
	})
}

// failed tells whether an address was tried and did not say 220, for a reason of its own.
func failed(r smtpprobe.Report) bool {
	return anyOf(r, func(a smtpprobe.Attempt) bool {
		switch a.Verdict {
		case smtpprobe.OK, smtpprobe.Slow, smtpprobe.LocalError:
			return false
		}
		return connected(a)
	})
}

// tried tells whether a connection was tried.
func tried(r smtpprobe.Report) bool { return anyOf(r, connected) }

// connected tells whether the address was connected to, in vain or not.
func connected(a smtpprobe.Attempt) bool {
	return a.Verdict != smtpprobe.Skipped && a.Verdict != smtpprobe.BlockedAddress
}

// anyOf tells whether is holds for an attempt of the report.
func anyOf(r smtpprobe.Report, is func(smtpprobe.Attempt) bool) bool {
	return slices.ContainsFunc(r.MX, func(e smtpprobe.Exchanger) bool { return slices.ContainsFunc(e.Attempts, is) })
}
