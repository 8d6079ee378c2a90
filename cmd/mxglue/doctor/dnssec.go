package doctor

import (
	"context"
	"time"

	"github.com/miekg/dns"

	"github.com/mxglue/mxglue/resolver/upstream"
)

// verdicts are an upstream's on the three questions that tell whether it validates.
type verdicts struct {
	signed *dns.Msg // to the signed name
	bogus  *dns.Msg // to the bogus name
	loose  *dns.Msg // to the bogus name, checking disabled
}

// checkDNSSEC asks for a signed name, which a validating resolver marks with AD, and for one whose signatures are wrong,
// which it hides behind SERVFAIL unless checking is disabled (RFC 4035 §3.2).
func (d *Doctor) checkDNSSEC(ctx context.Context, u *upstream.Upstream) []Finding {
	const check = "dnssec"
	var v verdicts
	for _, q := range []struct {
		into **dns.Msg
		name string
		cd   bool
	}{{&v.signed, d.Trials.Signed, false}, {&v.bogus, d.Trials.Bogus, false}, {&v.loose, d.Trials.Bogus, true}} {
		r, _, err := ask(ctx, u, q.name, dns.TypeA, q.cd)
		if err != nil {
			return []Finding{unknown(check, "", "%s on %s: %v", u, q.name, cause(err))}
		}
		*q.into = r.Msg
	}
	findings := []Finding{d.judgeDNSSEC(u, v)}
	if clock, told := d.checkClock(v.signed); told {
		findings = append(findings, clock)
	}
	return findings
}

func (d *Doctor) judgeDNSSEC(u *upstream.Upstream, v verdicts) Finding {
	const check = "dnssec"
	const local = "run a validating resolver on this host (Unbound does by default) and name it in resolver.upstreams"
	hidden, ad := v.bogus.Rcode == dns.RcodeServerFailure, v.signed.AuthenticatedData
	switch {
	case v.loose.Rcode != dns.RcodeSuccess || !has(v.loose, dns.TypeA):
		return unknown(check, "name another one with --bogus", "%s says %s of %s even with checking disabled", u, rcode(v.loose), d.Trials.Bogus)
	case v.signed.Rcode != dns.RcodeSuccess || !has(v.signed, dns.TypeA):
		return unknown(check, "name another one with --signed", "%s says %s of %s", u, rcode(v.signed), d.Trials.Signed)
	case v.bogus.AuthenticatedData:
		return unknown(check, "name another one with --bogus", "%s sets AD on %s, too: its signatures are right by now, or that resolver sets AD on everything", u, d.Trials.Bogus)
	case ad && !hidden && !has(v.loose, dns.TypeRRSIG):
		return unknown(check, "name another one with --bogus", "%s sends no signatures with %s, so there is nothing wrong with them", u, d.Trials.Bogus)
	case ad && !hidden:
		return fail(check, local, "%s sets AD on %s, but hands out %s, whose signatures are wrong: it believes somebody who does not check", u, d.Trials.Signed, d.Trials.Bogus)
	case !hidden:
		return warn(check, local, "%s does not validate: no DANE", u)
	case !ad:
		return warn(check, local, "%s validates, but does not say so (no AD): no DANE", u)
	case d.StripAD && !u.Trusted():
		return warn(check, "write it as tls://, or "+local, "%s validates, but anybody on the way there could set AD, so it is not passed on (resolver.dnssec): no DANE", u)
	}
	return ok(check, "%s validates: AD for %s, SERVFAIL for %s", u, d.Trials.Signed, d.Trials.Bogus)
}

// checkClock compares this machine's clock with the time of the signatures; told is false if there are none.
func (d *Doctor) checkClock(m *dns.Msg) (f Finding, told bool) {
	const check = "clock"
	for _, rr := range m.Answer {
		s, signature := rr.(*dns.RRSIG)
		if !signature {
			continue
		}
		if !s.ValidityPeriod(d.Now) {
			return fail(check, "timedatectl set-ntp true", "this machine's clock says %s, but the signature of %s is good from %s until %s", d.Now.UTC().Format(time.DateTime),
				s.Hdr.Name, dns.TimeToString(s.Inception), dns.TimeToString(s.Expiration)), true
		}
		told = true
	}
	return ok(check, "this machine's clock is right enough for DNSSEC"), told
}
