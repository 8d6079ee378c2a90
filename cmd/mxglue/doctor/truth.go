package doctor

import (
	"context"

	"github.com/miekg/dns"

	"github.com/mxglue/mxglue/resolver/upstream"
)

// checkAdditional counts the addresses that come along with an MX answer. None is no fault: the bundle asks for them.
func (d *Doctor) checkAdditional(ctx context.Context, u *upstream.Upstream) Finding {
	const check = "additional"
	if len(d.Trials.Domains) == 0 {
		return unknown(check, "name a domain with --domain", "there is no domain to ask for")
	}
	domain := d.Trials.Domains[0]
	r, _, err := ask(ctx, u, domain, dns.TypeMX, false)
	switch {
	case err != nil:
		return unknown(check, "", "%s on %s: %v", u, domain, cause(err))
	case !has(r.Msg, dns.TypeMX):
		return unknown(check, "name another one with --domain", "%s says %s of %s, and no MX", u, rcode(r.Msg), domain)
	}
	hosts := map[string]bool{}
	for _, rr := range r.Msg.Answer {
		if mx, is := rr.(*dns.MX); is {
			hosts[dns.CanonicalName(mx.Mx)] = true
		}
	}
	along := 0
	for _, rr := range r.Msg.Extra {
		if t := rr.Header().Rrtype; (t == dns.TypeA || t == dns.TypeAAAA) && hosts[dns.CanonicalName(rr.Header().Name)] {
			along++
		}
	}
	if along == 0 {
		return ok(check, "%s sends no addresses along with the MX of %s: mxglue asks for them at once (resolver.bundle)", u, domain)
	}
	return ok(check, "%s sends addresses along with the MX of %s: %d", u, domain, along)
}

// checkNXDOMAIN asks for names that do not exist. A resolver that leads them somewhere makes every mistyped domain one that
// takes mail, and every DNSBL one that lists the world.
func (d *Doctor) checkNXDOMAIN(ctx context.Context, u *upstream.Upstream) Finding {
	const check = "nxdomain"
	for _, zone := range d.Trials.Zones {
		r, _, err := ask(ctx, u, randomName(zone), dns.TypeA, false)
		switch {
		case err != nil:
			return unknown(check, "", "%s on a name below %s: %v", u, zone, cause(err))
		case has(r.Msg, dns.TypeA):
			return fail(check, "set resolver.upstreams to a resolver that does not rewrite, such as one of your own",
				"%s leads names that do not exist somewhere: %s", u, clip(r.Msg.Answer[len(r.Msg.Answer)-1].String(), maxWords))
		case r.Msg.Rcode != dns.RcodeNameError:
			return unknown(check, "", "%s says %s of a name below %s that does not exist", u, rcode(r.Msg), zone)
		}
	}
	return ok(check, "%s says NXDOMAIN of names that do not exist", u)
}
