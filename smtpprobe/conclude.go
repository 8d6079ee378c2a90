package smtpprobe

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// best lists the verdicts of attempts from good to bad: an exchanger is as good as its best address.
var best = []Verdict{
	OK, Slow, Greeting4xx, Greeting5xx, BadGreeting, NotSMTP, GreetingTimeout, ClosedBeforeGreeting, TLSFailed, Reset,
	Refused, TimeoutConnect, Unreachable, BlockedAddress, LocalError, Skipped,
}

// phrases say what an exchanger does, after its name.
var phrases = map[Verdict]string{
	Greeting4xx:          "is alive but refuses this client for now",
	Greeting5xx:          "is alive but refuses this client",
	BadGreeting:          "greets with a broken reply",
	NotSMTP:              "does not speak SMTP",
	GreetingTimeout:      "connects but never greets",
	ClosedBeforeGreeting: "closes the connection without a greeting",
	Reset:                "resets the connection",
	TLSFailed:            "connects but has no TLS for us",
	Refused:              "refuses the connection",
	TimeoutConnect:       "does not answer",
	Unreachable:          "is unreachable",
	BlockedAddress:       "has special-use addresses only",
	LocalError:           "cannot be reached from here",
	NXDomain:             "does not exist",
	DNSFail:              "has addresses that could not be looked up",
	NoAddress:            "has no address",
	IPLiteral:            "is an address, not a name",
	Skipped:              "was not tried",
}

// maxNamed is how many exchangers one sentence names.
const maxNamed = 3

// judge gives the exchanger the best verdict of its attempts, and tells whether another fell short of it.
// What our own side could not do says nothing about the exchanger.
func (e *Exchanger) judge() {
	rank, failed := len(best), false
	for _, a := range e.Attempts {
		if n := slices.Index(best, a.Verdict); n < rank {
			rank, e.Verdict, e.Detail = n, a.Verdict, a.Detail
		}
		failed = failed || a.failed()
	}
	e.Degraded = failed && e.Says220()
}

// failed tells whether the address does not say 220, and not for a reason of our own.
func (a Attempt) failed() bool {
	return !slices.Contains([]Verdict{OK, Slow, LocalError, Skipped}, a.Verdict)
}

// undetermined tells whether nothing was learned about the exchanger itself.
func (e Exchanger) undetermined() bool { return e.Verdict == DNSFail || e.Verdict == LocalError }

// unanswered tells whether nothing on the way to the exchanger or there said a word.
func (e Exchanger) unanswered() bool { return e.Verdict == TimeoutConnect || e.Verdict == Unreachable }

// unusable tells whether the exchanger leads to no address at all.
func (e Exchanger) unusable() bool {
	return e.Verdict == NoAddress || e.Verdict == NXDomain || e.Verdict == IPLiteral
}

// settle gives the report its verdict.
func (r *run) settle(verdict Verdict, status Status, reason string) {
	r.report.Verdict, r.report.Status, r.report.Reason = verdict, status, reason
}

// conclude gives the report its verdict from those of the exchangers, which stand in the order tried.
func (r *run) conclude() {
	r.gatherNotes()
	mx := r.report.MX
	tried := which(mx, func(e Exchanger) bool { return e.Verdict != Skipped })
	up := which(tried, Exchanger.Says220)
	degraded := which(up, func(e Exchanger) bool { return e.Degraded })
	if len(up) > 0 {
		r.report.TakesMail = &up[0].Name
	}
	count := countSentence(len(up), len(tried), len(mx))
	switch {
	case r.cut:
		r.settle(Unknown, StatusUnknown, "The probe was cut short. Until then, "+count+".")
	case r.opt.Depth == DepthDNS && !r.mixedNull:
		r.concludeDNS()
	case r.mixedNull: // an error of configuration, whatever the hosts say (RFC 7505 3)
		r.settle(Critical, StatusCritical, "A null MX stands among other MX records, so some senders refuse all mail; "+count+".")
	case len(up) > 0 && len(up) == len(tried) && len(degraded) == 0:
		r.settle(OK, StatusOK, count+".")
	case len(up) > 0:
		r.settle(Warning, StatusWarning, count+": "+failures(mx)+".")
	default:
		r.concludeDown(tried)
	}
	r.raise()
}

// concludeDown settles a domain of which no exchanger says 220.
func (r *run) concludeDown(tried []Exchanger) {
	mx, domain := r.report.MX, r.report.Domain
	all := func(is func(Exchanger) bool) bool { return len(which(tried, is)) == len(tried) }
	switch {
	case r.selfSkipped > 0 && len(tried) == 0:
		r.settle(Unknown, StatusUnknown, "This host is the exchanger of "+domain+", or preferred to all the others: none was probed.")
	case r.holding.unmet > 0:
		r.settle(Unknown, StatusUnknown, fmt.Sprintf("No exchanger of %s was connected to: %s failed, and is left alone until %s; before it none of those behind it is (%d not known).",
			domain, r.holding.name, r.holding.until.UTC().Format(time.TimeOnly), r.holding.unmet))
	case all(Exchanger.unusable):
		r.settle(NoAddress, StatusCritical, "No exchanger of "+domain+" has an address: "+failures(mx)+".")
	case all(func(e Exchanger) bool { return e.Verdict == DNSFail }):
		r.settle(DNSFail, StatusUnknown, "No exchanger of "+domain+" could be looked up: "+failures(mx)+".")
	case all(Exchanger.undetermined):
		r.settle(Unknown, StatusUnknown, "No exchanger of "+domain+" could be tested from here: "+failures(mx)+".")
	case r.opt.PortBlocked && all(func(e Exchanger) bool { return e.unanswered() || e.undetermined() || e.unusable() }):
		r.settle(Unknown, StatusUnknown, fmt.Sprintf("Port %d seems blocked here, so nothing is known: %s.", r.port(), failures(mx)))
	default:
		r.settle(Critical, StatusCritical, "No exchanger of "+domain+" says 220: "+failures(mx)+".")
	}
}

// concludeDNS settles a probe that made no connection.
func (r *run) concludeDNS() {
	mx := r.report.MX
	leading := which(mx, func(e Exchanger) bool { return len(e.Attempts) > 0 })
	count := fmt.Sprintf("Exchangers with an address: %d of %d; no connection was made", len(leading), len(mx))
	failed := which(mx, func(e Exchanger) bool { return e.Verdict != Skipped })
	switch {
	case len(leading) == 0 && r.selfSkipped == 0:
		r.concludeDown(failed)
	case len(failed) > 0:
		r.settle(Warning, StatusWarning, count+": "+failures(failed)+".")
	default:
		r.settle(OK, StatusOK, count+".")
	}
}

// concludeLookup settles a probe that has no exchangers to try because the MX question failed.
func (r *run) concludeLookup(ctx context.Context, err error) {
	domain := r.report.Domain
	switch {
	case isCut(ctx):
		r.settle(Unknown, StatusUnknown, "The probe was cut short before the MX answer for "+domain+" came.")
	case errors.Is(err, errNXDomain):
		r.report.Senders = allSenders(OutcomeBounce) // "reported as an error", RFC 5321 5.1
		r.settle(NXDomain, StatusCritical, domain+" does not exist (NXDOMAIN).")
	case errors.Is(err, errNullMX):
		r.report.Senders = allSenders(OutcomeBounce) // RFC 7505 4.1
		status := StatusOK
		if r.opt.NullMXFails {
			status = StatusCritical
		}
		r.settle(NullMX, status, domain+" takes no mail and says so with a null MX (RFC 7505).")
	default:
		// Never a fall back to A: only an MX RRset known to be absent lets the implicit MX in (RFC 5321 5.1).
		r.report.Senders = allSenders(OutcomeDefer) // of one that fares the same
		r.settle(DNSFail, StatusUnknown, "The MX question for "+domain+" failed ("+describe(err)+"): nothing is known of its exchangers.")
	}
}

// which returns the exchangers for which keep holds.
func which(mx []Exchanger, keep func(Exchanger) bool) []Exchanger {
	return slices.DeleteFunc(slices.Clone(mx), func(e Exchanger) bool { return !keep(e) })
}

// countSentence says how many of the exchangers tried say 220.
func countSentence(up, tried, all int) string {
	of, says := "exchangers", "say"
	if tried == 1 {
		of = "exchanger"
	}
	if up == 1 || tried == 1 {
		says = "says"
	}
	if tried < all {
		of += " tried"
	}
	return fmt.Sprintf("%d of %d %s %s 220", up, tried, of, says)
}

// failures names the exchangers that do not say 220 everywhere, and what they do instead.
func failures(mx []Exchanger) string {
	var parts []string
	for _, e := range mx {
		switch {
		case e.Degraded:
			bad := e.Attempts[slices.IndexFunc(e.Attempts, Attempt.failed)]
			parts = append(parts, fmt.Sprintf("%s at %s %s", e.Name, bad.Address, phrases[bad.Verdict]))
		case !e.Says220():
			parts = append(parts, e.Name+" "+phrases[e.Verdict])
		}
	}
	if n := len(parts) - maxNamed; n > 0 {
		parts = append(parts[:maxNamed], fmt.Sprintf("%d more", n))
	}
	return strings.Join(parts, ", ")
}
