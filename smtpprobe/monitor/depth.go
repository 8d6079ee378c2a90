package monitor

import (
	"time"

	"github.com/mxglue/mxglue/smtpprobe"
)

// How long before its end a certificate, or the signature of TLSA records, is watched closely. Zones are often
// signed for two weeks and signed again when half of that is over.
const (
	certificateSoon = 21 * 24 * time.Hour
	signatureSoon   = 2 * 24 * time.Hour
)

// nextDepth is how far the next probe of a domain goes. A bad result is looked at again as closely as it was
// found: a probe that stops at the greeting would clear the alarm that a certificate has raised.
func nextDepth(s State, every int, changed bool) smtpprobe.Depth {
	now := s.Last.At
	near := func(end time.Time, soon time.Duration) bool { return !end.IsZero() && end.Sub(now) < soon }
	switch {
	case s.Last.Status != smtpprobe.StatusOK || s.Status != smtpprobe.StatusOK,
		s.Shallow+1 >= every,
		changed,
		near(s.Known.Ends, certificateSoon),
		near(s.Known.Signed, signatureSoon):
		return smtpprobe.DepthTLS
	}
	return smtpprobe.DepthGreeting
}
