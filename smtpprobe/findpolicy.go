package smtpprobe

import (
	"strings"

	"github.com/mxglue/mxglue/smtpprobe/dane"
	"github.com/mxglue/mxglue/smtpprobe/sts"
)

// daneSeverity is how much the status of TLSA records matters. An error is as good as a host that is down.
var daneSeverity = map[dane.Status]Severity{
	dane.None: SeverityInfo, dane.Secure: SeverityOK, dane.Unusable: SeverityWarning,
	dane.Error: SeverityCritical, dane.Unknown: SeverityUnknown,
}

// up tells whether the address takes a client in.
func (a *Attempt) up() bool { return a.Verdict == OK || a.Verdict == Slow }

// findDANE adds what a DANE sender makes of an exchanger.
func (r *run) findDANE(e *Exchanger) {
	d := e.DANE
	if d == nil {
		return
	}
	r.find(daneSeverity[d.Status], "dane", d.Rule, e.Name, "%s", d.Detail)
	for _, warning := range d.Warnings {
		r.warn("dane_records", "RFC 7672 §3.1", e.Name, "%s", warning)
	}
	if d.Status == dane.Secure && !d.MXSecure {
		r.find(SeverityInfo, "dane_insecure_mx", "RFC 7672 §2.2.1", e.Name, "The MX answer is not signed: a certificate that matches the TLSA records of %s proves the host, not that the mail is for it.", e.Name)
	}
	severity := r.deferring(r.report.Senders.DANE)
	for i := range e.Attempts {
		a := &e.Attempts[i]
		if !a.up() || a.TLS == nil {
			continue
		}
		m := a.TLS.DANE
		switch about := e.about(a); {
		case m != nil && m.OK:
			r.find(SeverityOK, "dane_matches", d.Rule, about, "%s: %s", about, sentence(m.How))
		case m != nil && e.askedAsAnother(a): // findTLS says so
		case m != nil:
			r.find(severity, "dane_defers", m.Rule, about, "%s: a DANE sender defers. %s", about, sentence(m.Why))
		case a.Senders.DANE == OutcomeDefer && d.Status != dane.Error:
			r.find(severity, "dane_defers", "RFC 7672 §2.2", about, "%s: a DANE sender demands TLS, and defers. %s", about, sentence(a.TLS.Detail))
		}
	}
}

// findSTS adds what an MTA-STS sender makes of an exchanger.
func (r *run) findSTS(e *Exchanger) {
	policy := r.report.STS
	if policy == nil || policy.Status != sts.OK || policy.Mode == sts.ModeNone {
		return
	}
	severity, does := SeverityWarning, "would defer if the policy were enforced"
	if policy.Mode == sts.ModeEnforce {
		severity, does = r.deferring(r.report.Senders.STS), "defers"
	}
	if !policy.Covers(e.Name) {
		r.find(severity, "mta_sts_mx", "RFC 8461 §4.1", e.Name, "%s is not listed by the MTA-STS policy: a sender that honours it %s.", e.Name, does)
		return
	}
	for i := range e.Attempts {
		if a := &e.Attempts[i]; a.up() && a.TLS != nil && (a.TLS.STS == nil || !a.TLS.STS.OK) && !e.askedAsAnother(a) {
			r.find(severity, "mta_sts_defers", "RFC 8461 §4.2", e.about(a), "%s: a sender that honours MTA-STS %s. %s", e.about(a), does, sentence(a.TLS.Detail))
		}
	}
}

// deferring is how much it matters that a kind of sender passes an exchanger by: that depends on whether another one
// takes its mail (RFC 8461 5.1, RFC 7672 2.2: the next exchanger is tried).
func (r *run) deferring(domain Outcome) Severity {
	if domain.returns() {
		return SeverityCritical
	}
	return SeverityWarning
}

// sentence begins a text with a capital and ends it with a full stop.
func sentence(text string) string {
	if text == "" {
		return ""
	}
	return strings.ToUpper(text[:1]) + strings.TrimSuffix(text[1:], ".") + "."
}
