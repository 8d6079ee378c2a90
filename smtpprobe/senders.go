package smtpprobe

import (
	"github.com/mxglue/mxglue/smtpprobe/dane"
	"github.com/mxglue/mxglue/smtpprobe/sts"
)

// Outcome is what a sender does with a message now.
type Outcome string

// Outcomes, from bad to good but for the first.
const (
	OutcomeUnknown       Outcome = "unknown"       // not found out
	OutcomeBounce        Outcome = "bounce"        // returns it at once
	OutcomeDefer         Outcome = "defer"         // keeps it, tries again, returns it after some days
	OutcomeClear         Outcome = "clear"         // delivers in clear
	OutcomeEncrypted     Outcome = "encrypted"     // delivers over TLS, to whoever answers
	OutcomeAuthenticated Outcome = "authenticated" // delivers over TLS, to a server that proved who it is
)

// Senders is what each kind of sender does, at one address, exchanger or domain.
type Senders struct {
	Plain Outcome `json:"plain"`   // opportunistic TLS (RFC 7435), as nearly everybody's
	DANE  Outcome `json:"dane"`    // RFC 7672
	STS   Outcome `json:"mta_sts"` // RFC 8461, without DANE
}

// allSenders is the same outcome for every kind of sender.
func allSenders(o Outcome) Senders { return Senders{Plain: o, DANE: o, STS: o} }

// delivers tells whether the message is handed over.
func (o Outcome) delivers() bool {
	return o == OutcomeClear || o == OutcomeEncrypted || o == OutcomeAuthenticated
}

// returns tells whether the message stays with the sender, to be tried again or sent back.
func (o Outcome) returns() bool { return o == OutcomeDefer || o == OutcomeBounce }

// first is what senders do who try one place after the other: they deliver at the first that lets them. If none
// does, a place that could not be looked at might have; else one that defers has them keep the message.
func first(places []Senders) Senders {
	return Senders{
		Plain: firstOutcome(places, func(s Senders) Outcome { return s.Plain }),
		DANE:  firstOutcome(places, func(s Senders) Outcome { return s.DANE }),
		STS:   firstOutcome(places, func(s Senders) Outcome { return s.STS }),
	}
}

func firstOutcome(places []Senders, of func(Senders) Outcome) Outcome {
	seen := make(map[Outcome]bool)
	for _, s := range places {
		if of(s).delivers() {
			return of(s)
		}
		seen[of(s)] = true
	}
	for _, o := range []Outcome{OutcomeUnknown, OutcomeDefer, OutcomeBounce} {
		if seen[o] {
			return o
		}
	}
	return OutcomeUnknown
}

// senders is what each kind of sender does at one address.
func (r *run) senders(e *Exchanger, a *Attempt) Senders {
	plain := a.plain(r.opt.Depth)
	s := Senders{Plain: plain, DANE: a.underDANE(e.DANE, plain), STS: a.underSTS(r.report.STS, e.Name, plain)}
	if a.TLS == nil || !e.askedAsAnother(a) {
		return s
	}
	if m := a.TLS.DANE; m != nil && !m.OK {
		s.DANE = OutcomeUnknown
	}
	if m := a.TLS.STS; m != nil && !m.OK && s.STS == OutcomeDefer && r.report.STS.Covers(e.Name) {
		s.STS = OutcomeUnknown
	}
	return s
}

// plain is the outcome for a sender who takes TLS where it is offered, whatever the certificate, and delivers in
// clear otherwise (RFC 7435), as Postfix does at smtp_tls_security_level=may.
func (a *Attempt) plain(depth Depth) Outcome {
	switch {
	case a.Code == 521:
		return OutcomeBounce // RFC 7504 3
	case a.Verdict == LocalError, a.Verdict == BlockedAddress, a.Verdict == Skipped:
		return OutcomeUnknown
	case a.Verdict != OK && a.Verdict != Slow:
		return OutcomeDefer // a 5xx greeting too: senders try elsewhere and later (Postfix: smtp_skip_5xx_greeting)
	case depth < DepthTLS:
		return OutcomeUnknown
	case a.Hello == "":
		return OutcomeDefer
	case a.TLS != nil && a.TLS.Established:
		return OutcomeEncrypted
	}
	return OutcomeClear // a handshake that fails is tried again without (RFC 7435 3, RFC 3207 6 leaves it to the client)
}

// underDANE is the outcome for a sender who honours TLSA records.
func (a *Attempt) underDANE(d *dane.Result, plain Outcome) Outcome {
	switch {
	case d == nil || d.Status == dane.None:
		return plain
	case d.Status == dane.Error: // MUST be treated as unreachable: RFC 7672 2.1.2, 2.2
		return OutcomeDefer
	case plain == OutcomeUnknown || !plain.delivers():
		return plain
	case d.Status == dane.Unknown:
		return OutcomeUnknown
	case d.Status == dane.Unusable && a.TLS != nil && a.TLS.Established: // TLS without authentication: RFC 7672 2.2
		return OutcomeEncrypted
	case d.Status == dane.Secure && a.TLS != nil && a.TLS.Established && a.TLS.DANE != nil && a.TLS.DANE.OK:
		if d.MXSecure {
			return OutcomeAuthenticated
		}
		return OutcomeEncrypted // the MX answer could be forged: no secure delivery (RFC 7672 2.2.1)
	}
	return OutcomeDefer
}

// underSTS is the outcome for a sender who honours MTA-STS and has no older policy in its cache. Without an
// enforced policy that is plain delivery (RFC 8461 5).
func (a *Attempt) underSTS(p *sts.Result, exchanger string, plain Outcome) Outcome {
	switch {
	case p == nil:
		return plain
	case p.Status == sts.Unknown && plain.delivers():
		return OutcomeUnknown
	case p.Status != sts.OK || p.Mode != sts.ModeEnforce:
		return plain
	case !p.Covers(exchanger):
		return OutcomeDefer // RFC 8461 5.1
	case plain == OutcomeUnknown || !plain.delivers():
		return plain
	case a.TLS != nil && a.TLS.Established && a.TLS.STS != nil && a.TLS.STS.OK:
		return OutcomeAuthenticated
	}
	return OutcomeDefer
}

// senders is what each kind of sender does at the exchanger, given what it does at each address.
func (e *Exchanger) senders(each []Senders) Senders {
	switch {
	case len(each) > 0:
		return first(each)
	case e.unusable(), e.Verdict == Skipped && isSpecialName(e.Name):
		return allSenders(OutcomeBounce) // if there is no other exchanger: RFC 5321 5.1
	case e.Verdict == DNSFail:
		return allSenders(OutcomeDefer)
	}
	return allSenders(OutcomeUnknown)
}
