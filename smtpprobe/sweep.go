package smtpprobe

import (
	"cmp"
	"net/netip"
	"slices"
	"time"
)

// maxVisits bounds what is remembered; beyond it the visits that ended first are forgotten.
const maxVisits = 16384

// remembered is how long a visit matters: a bad one for twice its time, so that the next bad one is known to follow it.
func (v *visit) remembered() time.Duration {
	if v.pace.InOrder {
		return max(2*v.hold, v.pace.Reuse, keepInOrder)
	}
	return max(2*v.hold, v.pace.Reuse)
}

// sweep forgets what no longer matters, once a minute, or more if there is more to remember than we may.
func (vs *visits) sweep(now time.Time) {
	if vs.at == nil {
		vs.at = make(map[netip.AddrPort]*visit)
	}
	if now.Sub(vs.swept) < time.Minute && len(vs.at) < maxVisits {
		return
	}
	vs.swept = now
	past := make([]netip.AddrPort, 0, len(vs.at))
	for to, v := range vs.at {
		switch {
		case v.ended.IsZero():
		case now.Sub(v.ended) >= v.remembered():
			delete(vs.at, to)
		default:
			past = append(past, to)
		}
	}
	if len(vs.at) < maxVisits {
		return
	}
	slices.SortFunc(past, func(a, b netip.AddrPort) int {
		return cmp.Compare(vs.at[a].ended.UnixNano(), vs.at[b].ended.UnixNano())
	})
	for _, to := range past[:min(len(past), maxVisits/8)] {
		delete(vs.at, to)
	}
}
