package smtpprobe

import (
	"context"
	"net/netip"
	"time"
)

// keepInOrder is how long a result is remembered where Options.InOrder may want it: as long as the probers that set it
// hold a failure, and as long again.
const keepInOrder = time.Hour

// holding is the most preferred exchanger that was not connected to because an earlier failure there still stands. Those
// of a worse preference are left alone as long: who meets the backup and not the primary is taken for a spammer
// (POSTSCREEN_README, "Always on MX").
type holding struct {
	name       string // "": there is none
	preference uint16
	until      time.Time // when one of its addresses may be connected to
	unmet      int       // exchangers behind it of which nothing is known
}

// meet visits an address, or takes what is known of it where its exchanger is to be left alone.
func (r *run) meet(ctx context.Context, e *Exchanger, address netip.Addr) Attempt {
	h := &r.holding
	if h.name == "" || e.Preference <= h.preference {
		return r.visit(ctx, e, address)
	}
	r.report.HeldUntil = h.until.UTC()
	to := netip.AddrPortFrom(address.Unmap(), r.port())
	if v := r.prober.visits.last(to, r.kind()); v != nil {
		return v.tell(address)
	}
	return Attempt{Address: address, Port: to.Port(), Verdict: Skipped,
		Detail: "not connected to before " + h.name + ", which is preferred and left alone until " + h.until.UTC().Format(time.TimeOnly) + " UTC"}
}

// noticeHold takes note of an exchanger that was tried, if nobody connected to it within Options.Reuse.
func (r *run) noticeHold(e *Exchanger) {
	h := &r.holding
	if h.name != "" {
		if e.Verdict == Skipped && e.Preference > h.preference {
			h.unmet++
		}
		return
	}
	var until time.Time
	for _, a := range e.Attempts {
		switch {
		case a.Verdict == Skipped, a.Verdict == BlockedAddress, a.Verdict == LocalError:
		case a.holdEnds.IsZero() || a.Age <= r.opt.Reuse.Seconds():
			return
		case until.IsZero() || a.holdEnds.Before(until):
			until = a.holdEnds
		}
	}
	if r.opt.InOrder && !until.IsZero() {
		*h = holding{name: e.Name, preference: e.Preference, until: until}
	}
}
