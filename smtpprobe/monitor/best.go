package monitor

import (
	"fmt"
	"slices"

	"github.com/mxglue/mxglue/smtpprobe"
)

// mostBestDown is how many results in a row may find the most preferred exchangers down while a backup takes the
// mail: that is what backups are for. After more it is critical, for the backup is all there is.
const mostBestDown = 4

// weighBest counts on from a standing, and makes a warning critical that has stood for too long. What is no evidence of
// its own counts for nothing.
func (r *Result) weighBest(was Standing, report smtpprobe.Report) {
	r.BestDown = was.BestDown
	if r.Held || r.Blocked {
		return
	}
	down, known := bestDown(report)
	switch {
	case known && !down:
		r.BestDown = 0
	case known:
		r.BestDown++
	}
	if r.BestDown > mostBestDown && r.Status == smtpprobe.StatusWarning {
		r.Status, r.Verdict = smtpprobe.StatusCritical, smtpprobe.Critical
		r.Reason = clip(fmt.Sprintf("The most preferred exchangers are down for the %dth time in a row. %s", r.BestDown, r.Reason))
	}
}

// bestDown tells whether all exchangers of the best preference are down, if that was found out.
func bestDown(r smtpprobe.Report) (down, known bool) {
	if len(r.MX) == 0 {
		return false, r.Verdict == smtpprobe.NullMX
	}
	best := slices.MinFunc(r.MX, func(a, b smtpprobe.Exchanger) int { return int(a.Preference) - int(b.Preference) }).Preference
	known = true
	for _, e := range r.MX {
		switch {
		case e.Preference != best:
		case e.Says220():
			return false, true
		case e.Verdict == smtpprobe.Skipped, e.Verdict == smtpprobe.LocalError, e.Verdict == smtpprobe.DNSFail:
			known = false
		}
	}
	return known, known
}
