package status

import "github.com/mxglue/mxglue/smtpprobe"

// Require is what a probe has to find for probe_success to be 1.
type Require string

// What can be required.
const (
	RequirePlain Require = "plain"   // a plain sender delivers
	RequireTLS   Require = "tls"     // and does so over TLS
	RequireDANE  Require = "dane"    // a DANE sender delivers to a host that has proved who it is
	RequireSTS   Require = "mta_sts" // the same for an MTA-STS sender
)

// met tells whether a report has what is required. A domain that says it takes no mail fails no plain sender (RFC 7505), and
// a probe that went no farther than the greeting goes by its status.
func (q Require) met(r smtpprobe.Report) bool {
	outcome := r.Senders.Plain
	switch q {
	case RequireDANE:
		return r.Senders.DANE == smtpprobe.OutcomeAuthenticated
	case RequireSTS:
		return r.Senders.STS == smtpprobe.OutcomeAuthenticated
	case RequireTLS:
		return outcome == smtpprobe.OutcomeEncrypted || outcome == smtpprobe.OutcomeAuthenticated
	}
	switch outcome {
	case smtpprobe.OutcomeClear, smtpprobe.OutcomeEncrypted, smtpprobe.OutcomeAuthenticated:
		return true
	case smtpprobe.OutcomeUnknown:
		return r.Status == smtpprobe.StatusOK || r.Status == smtpprobe.StatusWarning
	}
	return r.Verdict == smtpprobe.NullMX && r.Status == smtpprobe.StatusOK
}
