package smtpprobe

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/mxglue/mxglue/smtpprobe/dane"
	"github.com/mxglue/mxglue/smtpprobe/sts"
)

// serverName is the SNI for an exchanger: the TLSA base domain where DANE counts (RFC 7672 3.2.2 and 8.1), else
// its name (RFC 8461 7.1). An address has none (RFC 6066 3).
func (e Exchanger) serverName() string {
	switch {
	case e.DANE != nil && (e.DANE.Status == dane.Secure || e.DANE.Status == dane.Unusable) && e.DANE.Base != "":
		return e.DANE.Base
	case strings.HasPrefix(e.Name, "["):
		return ""
	}
	return e.Name
}

// judgeAll holds what was served against what each sender demands, when the policies are known.
func (r *run) judgeAll(p policies) {
	r.takePolicies(p)
	var domain []Senders
	for i := range r.report.MX {
		e := &r.report.MX[i]
		var each []Senders
		for j := range e.Attempts {
			a := &e.Attempts[j]
			if ptr, ok := p.ptr[a.Address]; ok {
				a.PTR = &ptr
			}
			a.TLS = r.judgeTLS(e, a)
			a.Senders = r.senders(e, a)
			each = append(each, a.Senders)
			r.findGreeting(e, a)
			r.findTLS(e, a)
		}
		e.Senders = e.senders(each)
		domain = append(domain, e.Senders)
	}
	r.report.Senders = first(domain)
	for i := range r.report.MX { // how much one exchanger matters depends on the others
		r.findDANE(&r.report.MX[i])
		r.findSTS(&r.report.MX[i])
	}
}

// askedAsAnother tells whether the certificate at an address was shown to a connection for an exchanger of another
// name: for this one's the server may have another, so that what is wrong with it may be wrong with that one only.
func (e *Exchanger) askedAsAnother(a *Attempt) bool {
	return a.Shared != "" && a.handshake != nil && a.handshake.done && a.handshake.serverName != e.serverName()
}

// judgeTLS describes a handshake for one exchanger; nil if there is nothing to describe.
func (r *run) judgeTLS(e *Exchanger, a *Attempt) *TLS {
	h := a.handshake
	if h == nil {
		return nil
	}
	t := &TLS{Offered: h.offered, Established: h.done, Verdict: TLSVerdictOK, Name: h.serverName, Injected: h.injected > 0, Legacy: h.legacy}
	if h.state.Version != 0 {
		t.Version, t.Cipher, t.KeyExchange = tls.VersionName(h.state.Version), tls.CipherSuiteName(h.state.CipherSuite), "RSA"
		if h.state.CurveID != 0 {
			t.KeyExchange = h.state.CurveID.String()
		}
	}
	if len(h.chain) > 0 {
		r.judgeChain(t, e, h.chain, time.Now())
	}
	switch {
	case h.done && len(h.chain) == 0:
		t.Verdict, t.Detail = ValidationFailure, fmt.Sprintf("its certificate has more than %d octets, and was not looked at", maxChainBytes)
	case !h.done && h.err == nil:
		t.Verdict, t.Detail = StartTLSNotSupported, h.failure()
	case !h.done:
		t.Verdict, t.Detail = ValidationFailure, h.failure()
	}
	return t
}

// judgeChain gives the verdict of a sender who trusts public CAs, and what DANE and MTA-STS make of the chain.
func (r *run) judgeChain(t *TLS, e *Exchanger, chain []*x509.Certificate, now time.Time) {
	for _, c := range chain {
		t.Chain = append(t.Chain, certificate(c))
	}
	leaf := chain[0]
	t.SPKI, t.NotAfter = "3 1 1 "+dane.SPKI(leaf), instant(ends(chain))
	trusted := trustOf(chain, r.opt.Roots, now)
	t.Trusted = trusted.needed != nil && !trusted.expired
	name := leaf.VerifyHostname(e.Name)
	t.NameMatches, t.DomainMatches = name == nil, leaf.VerifyHostname(r.report.Domain) == nil
	switch {
	case trusted.expired:
		t.Verdict, t.Detail = CertificateExpired, trusted.why
	case !t.Trusted:
		t.Verdict, t.Detail = CertificateNotTrusted, trusted.why
	case name != nil:
		t.Verdict, t.Detail = CertificateHostMismatch, describe(name)
	}
	if e.DANE != nil && e.DANE.Status == dane.Secure {
		how, err := e.DANE.Match(chain, r.nextHops, now)
		t.DANE = &Match{OK: err == nil, How: how}
		var m *dane.MatchError
		if errors.As(err, &m) {
			t.DANE.Why, t.DANE.Code, t.DANE.Rule = m.Text, m.Code, m.Rule
		}
	}
	if p := r.report.STS; p != nil && p.Status == sts.OK && p.Mode != sts.ModeNone {
		switch t.STS = (&Match{OK: t.Verdict == TLSVerdictOK && p.Covers(e.Name)}); {
		case !p.Covers(e.Name):
			t.STS.Why, t.STS.Code, t.STS.Rule = "the policy does not list "+e.Name, ValidationFailure, "RFC 8461 §4.1"
		case !t.STS.OK:
			t.STS.Why, t.STS.Code, t.STS.Rule = t.Detail, t.Verdict, "RFC 8461 §4.2"
		default:
			t.STS.How = "a trusted certificate for " + e.Name + ", which the policy lists"
		}
	}
}
