package smtpprobe

import (
	"fmt"
	"slices"
	"strings"
)

// best lists the verdicts of attempts from good to bad: an exchanger is as good as its best address.
var best = []Verdict{
	OK, Slow, Greeting4xx, Greeting5xx, BadGreeting, NotSMTP, GreetingTimeout, ClosedBeforeGreeting, Reset,
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
	case r.mixedNull: // an error of configuration, whatever the hosts say (RFC 7505 3)
		r.settle(Critical, StatusCritical, "A null MX stands among other MX records, so some senders refuse all mail; "+count+".")
	case len(up) > 0 && len(up) == len(tried) && len(degraded) == 0:
		r.settle(OK, StatusOK, count+".")
	case len(up) > 0:
		r.settle(Warning, StatusWarning, count+": "+failures(mx)+".")
	case len(which(tried, Exchanger.unusable)) == len(tried):
		r.settle(NoAddress, StatusCritical, "No exchanger of "+r.report.Domain+" has an address: "+failures(mx)+".")
	case len(which(tried, func(e Exchanger) bool { return e.Verdict == DNSFail })) == len(tried):
		r.settle(DNSFail, StatusUnknown, "No exchanger of "+r.report.Domain+" could be looked up: "+failures(mx)+".")
	case len(which(tried, Exchanger.undetermined)) == len(tried):
		r.settle(Unknown, StatusUnknown, "No exchanger of "+r.report.Domain+" could be tested from here: "+failures(mx)+".")
	default:
		r.settle(Critical, StatusCritical, "No exchanger of "+r.report.Domain+" says 220: "+failures(mx)+".")
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
	if up == 1 {
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

// gatherNotes makes warnings of what was odd, once per address.
func (r *run) gatherNotes() {
	seen := make(map[string]bool)
	for _, e := range r.report.MX {
		for _, a := range e.Attempts {
			for _, note := range a.Notes {
				if key := a.Address.String() + note; !seen[key] {
					seen[key] = true
					r.warn("%s (%s): %s.", e.Name, a.Address, note)
				}
			}
		}
	}
}
