package smtpprobe

import (
	"crypto/x509"
	"slices"
	"strings"
	"time"

	"github.com/mxglue/mxglue/smtpprobe/dane"
	"github.com/mxglue/mxglue/smtpprobe/records"
	"github.com/mxglue/mxglue/smtpprobe/sts"
)

// about names an address of an exchanger.
func (e *Exchanger) about(a *Attempt) string {
	if e.Name == literal(a.Address) {
		return e.Name
	}
	return e.Name + " (" + a.Address.String() + ")"
}

// findGreeting adds what an exchanger's words tell besides the verdict.
func (r *run) findGreeting(e *Exchanger, a *Attempt) {
	about := e.about(a)
	if a.PTR != nil && a.PTR.Status != records.OK && a.PTR.Status != "" {
		f := a.PTR.Finding(a.Address)
		r.find(Severity(f.Severity), f.Code, f.Rule, about, "%s", f.Text)
	}
	if c := a.Recipient; c != nil {
		severity, means := SeverityOK, "takes mail for the postmaster"
		if c.Code/100 == 4 {
			severity, means = SeverityInfo, "does not say for now, as greylisting does" // inconclusive, no failure
		} else if c.Code/100 != 2 {
			severity, means = SeverityWarning, "refuses mail for the postmaster, who must get it"
		}
		r.find(severity, "postmaster", "RFC 5321 §4.5.1", about, "%s %s: %s is answered with %d %s.", about, means, c.Command, c.Code, c.Text)
	}
	if a.Code/100 != 2 {
		return
	}
	name, _, _ := strings.Cut(a.Greeting, " ")
	name = strings.ToLower(strings.TrimSuffix(strings.TrimSpace(name), "."))
	if !strings.HasPrefix(name, "[") && name != e.Name && name != e.CNAME {
		r.find(SeverityInfo, "greeting_name", "RFC 5321 §4.3.1", about, "%s greets as %q.", about, clip(name, maxDetail))
	}
}

// findTLS adds what the handshake at one address tells.
func (r *run) findTLS(e *Exchanger, a *Attempt) {
	t, about := a.TLS, e.about(a)
	if t == nil {
		return
	}
	if t.Injected {
		r.warn("starttls_injection", "RFC 3207 §6", about, "%s sends %d octets in clear behind its 220 for STARTTLS: who takes them for its words under TLS can be deceived.", about, a.handshake.injected)
	}
	if slices.Contains(a.ExtensionsTLS, "STARTTLS") {
		r.find(SeverityInfo, "starttls_again", "RFC 3207 §4.2", about, "%s offers STARTTLS once more under TLS, which a server must not.", about)
	}
	if t.Legacy != "" {
		r.find(SeverityInfo, "tls_legacy", "RFC 8996", about, "%s, asked again with TLS 1.0 and all cipher suites: %s.", about, t.Legacy)
	}
	switch {
	case !t.Offered && !t.Established:
		r.find(SeverityInfo, "starttls_missing", "RFC 3207 §1", about, "%s does not offer STARTTLS: whoever listens reads the mail.", about)
	case !t.Established:
		r.warn("starttls_failed", "RFC 3207 §4", about, "%s: %s.", about, t.Detail)
	case t.Verdict != TLSVerdictOK: // nobody looks who does not have to: RFC 7435 3
		r.find(SeverityInfo, t.Verdict, "RFC 7435 §3", about, "%s has a certificate that only opportunistic TLS takes: %s.", about, t.Detail)
	}
	if e.askedAsAnother(a) && (t.DANE != nil && !t.DANE.OK || t.STS != nil && !t.STS.OK) {
		r.find(SeverityUnknown, "server_name", "RFC 6066 §3", about, "%s was asked for its certificate as %s, on behalf of which the connection was made: as %s it may have another.", about, a.handshake.serverName, e.Name)
	}
	r.findChain(e, a, about)
}

// findChain adds what the certificates tell: ends that come near, and weak keys. A certificate that nobody
// trusts may end when it likes, unless a policy has somebody look; so may a needless one beside a path that holds. One
// that DANE-EE names is a warning at most, for the dates are nobody's business (RFC 7672 3.1.1) but that of senders who
// honour an enforced MTA-STS policy.
func (r *run) findChain(e *Exchanger, a *Attempt, about string) {
	now := time.Now()
	if len(a.handshake.chain) == 0 {
		return
	}
	trusted := trustOf(a.handshake.chain, r.opt.Roots, now)
	for _, c := range a.handshake.chain {
		name := clip(Escape(c.Subject.String()), maxDetail)
		if weak := weakness(c); weak != "" {
			r.find(SeverityInfo, "certificate_weak", "RFC 9325 §4.5", about, "%s: the certificate %s has a weak %s.", about, name, weak)
		}
		severity := r.soon(c.NotAfter, now)
		if severity == SeverityOK {
			continue
		}
		switch {
		case !slices.ContainsFunc(trusted.needed, c.Equal) && !demanded(e, a):
			severity = SeverityInfo
		case severity == SeverityCritical && e.namesLeaf(a) && !r.enforced(a):
			severity = SeverityWarning
		}
		r.find(severity, "certificate_ends", "RFC 5280 §4.1.2.5", about, "%s: the certificate %s %s on %s.", about, name, tense(c, now), c.NotAfter.UTC().Format(time.DateOnly))
	}
	if d := e.DANE; d != nil && d.Status == dane.Secure {
		for _, advice := range d.Advise(a.handshake.chain[0], now, r.opt.CertWarning) {
			r.find(SeverityInfo, "dane_advice", "RFC 7672 §3.1", e.Name, "%s", advice)
		}
	}
}

// demanded tells whether somebody who looks at dates takes this chain: MTA-STS, or DANE-TA where no DANE-EE record
// names the certificate.
func demanded(e *Exchanger, a *Attempt) bool {
	ta := e.DANE != nil && e.DANE.Status == dane.Secure && slices.ContainsFunc(e.DANE.Records, func(rec dane.Record) bool { return rec.Usable && rec.Usage == 2 })
	return ta && !e.namesLeaf(a) || a.TLS.STS != nil
}

// namesLeaf tells whether a DANE-EE record of the exchanger names the certificate at an address.
func (e *Exchanger) namesLeaf(a *Attempt) bool {
	if e.DANE == nil {
		return false
	}
	_, ok := e.DANE.NamesLeaf(a.handshake.chain[0])
	return ok
}

// enforced tells whether senders who honour MTA-STS demand a certificate that holds at an address.
func (r *run) enforced(a *Attempt) bool {
	return a.TLS.STS != nil && r.report.STS.Mode == sts.ModeEnforce
}

// tense is the verb for the end of a certificate.
func tense(c *x509.Certificate, now time.Time) string {
	if now.After(c.NotAfter) {
		return "ended"
	}
	return "ends"
}

// soon is how much it matters that something ends then.
func (r *run) soon(end, now time.Time) Severity {
	switch left := end.Sub(now); {
	case left < r.opt.CertCritical:
		return SeverityCritical
	case left < r.opt.CertWarning:
		return SeverityWarning
	}
	return SeverityOK
}
