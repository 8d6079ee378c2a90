package dane

import (
	"context"
	"fmt"
	"net/netip"
	"strings"

	"github.com/miekg/dns"

	"github.com/mxglue/mxglue/smtpprobe/lookup"
)

// maxRecords is how many TLSA records of a host are looked at.
const maxRecords = 64

// Lookup finds the TLSA records of a host's port. validates tells whether AD in a response may be believed:
// without it nothing is asked, for nothing could be said (RFC 7672 2.1.1).
func Lookup(ctx context.Context, exchange lookup.Exchange, validates bool, host Host, port uint16) Result {
	r := Result{MXSecure: host.MXSecure}
	if _, err := netip.ParseAddr(strings.Trim(host.Name, "[]")); err == nil {
		return r.settle(None, "RFC 7672 §2.2", "%s is an address: DANE is for names.", host.Name)
	}
	if !validates {
		return r.settle(Unknown, "RFC 7672 §2.1.1", "Whether %s has TLSA records cannot be said: the resolver does not validate DNSSEC, or the way to it can be tampered with.", host.Name)
	}
	bases, err := host.bases(ctx, exchange)
	switch {
	case err != nil:
		return r.settle(Error, "RFC 7672 §2.2.2", "The CNAME question for %s failed (%s): for a DANE sender the host is unreachable.", host.Name, lookup.Describe(err))
	case len(bases) == 0:
		return r.settle(None, "RFC 7672 §2.2.2", "The addresses of %s are not signed: its TLSA records are not asked for.", host.Name)
	}
	for _, base := range bases {
		if r = r.ask(ctx, exchange, base, port); r.Status != None {
			break // an error too: the next base is for a denial, or an unsigned answer (RFC 7672 2.2.3)
		}
	}
	return r
}

// bases are the candidates for the TLSA base domain, in order (RFC 7672 2.2.3). Names between the two ends of
// a chain of aliases are never candidates.
func (h Host) bases(ctx context.Context, exchange lookup.Exchange) ([]string, error) {
	name, expanded := dns.CanonicalName(h.Name), dns.CanonicalName(h.Expanded)
	isAlias := h.Expanded != "" && expanded != name
	switch {
	case h.Secure && isAlias:
		return []string{expanded, name}, nil
	case h.Secure:
		return []string{name}, nil
	case !isAlias:
		// SHOULD NOT be asked for: a server that cannot deny them would make the host unreachable (RFC 7672 2.2.2).
		return nil, nil
	}
	// The alias leads from a zone that may be signed to one that is not: then the name alone is a candidate.
	ans, err := lookup.Ask(ctx, exchange, name, dns.TypeCNAME)
	if err != nil || !ans.Secure || len(ans.RRs) == 0 {
		return nil, err
	}
	return []string{name}, nil
}

// ask asks for the TLSA records of one base domain. Those that an alias leads to keep the base of the name
// asked for (RFC 7671 7).
func (r Result) ask(ctx context.Context, exchange lookup.Exchange, base string, port uint16) Result {
	owner := fmt.Sprintf("_%d._tcp.%s", port, base)
	r.Base = lookup.Host(base)
	ans, err := lookup.Ask(ctx, exchange, owner, dns.TypeTLSA)
	owner = lookup.Host(owner)
	switch {
	case err != nil:
		return r.settle(Error, "RFC 7672 §2.2", "The TLSA question for %s failed (%s): for a DANE sender the host is unreachable.", owner, lookup.Describe(err))
	case !ans.Secure:
		return r.settle(None, "RFC 7672 §2.2", "The TLSA answer for %s is not signed: DANE does not apply.", owner)
	case len(ans.RRs) == 0:
		return r.settle(None, "RFC 7672 §2.2", "There are no TLSA records at %s, and the denial is signed.", owner)
	}
	return r.read(owner, ans)
}

// read takes the records of an authentic answer.
func (r Result) read(owner string, ans lookup.Answer) Result {
	if len(ans.RRs) > maxRecords {
		r.Warnings = append(r.Warnings, fmt.Sprintf("%s has %d TLSA records: only the first %d were looked at.", owner, len(ans.RRs), maxRecords))
		ans.RRs = ans.RRs[:maxRecords]
	}
	usable := 0
	for _, rr := range ans.RRs {
		tlsa, ok := rr.(*dns.TLSA)
		if !ok {
			continue
		}
		record := parse(tlsa)
		if r.Records = append(r.Records, record); record.Usable {
			usable++
		} else {
			r.Warnings = append(r.Warnings, fmt.Sprintf("TLSA record %s at %s cannot be used: %s.", record, owner, record.Why))
		}
	}
	r.SignatureEnds = earliestEnd(ans.Sigs)
	if usable == 0 {
		return r.settle(Unusable, "RFC 7672 §2.2", "None of the %d TLSA records at %s can be used: a DANE sender requires TLS and cannot authenticate the host.", len(r.Records), owner)
	}
	return r.settle(Secure, "RFC 7672 §2.2", "%d of %d TLSA records at %s can be used: a DANE sender delivers to a server that matches one, and to no other.", usable, len(r.Records), owner)
}

// settle gives the result its status, with the reason.
func (r Result) settle(status Status, rule, format string, args ...any) Result {
	r.Status, r.Rule, r.Detail = status, rule, lookup.Clip(fmt.Sprintf(format, args...), 512)
	return r
}
