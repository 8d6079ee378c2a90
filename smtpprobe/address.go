package smtpprobe

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"sync"

	"github.com/miekg/dns"
)

// target is one address to try, and where it came from.
type target struct {
	address netip.Addr
	source  string
}

// families are the questions for the addresses of a host. Within a family the order of the response is
// kept (RFC 5321 5.1); between them it is ours to choose.
var families = [2]uint16{dns.TypeA, dns.TypeAAAA}

// addresses asks for both families in parallel. With none found the exchanger gets its verdict.
func (r *run) addresses(ctx context.Context, e *Exchanger) []target {
	var answers [len(families)]answer
	var errs [len(families)]error
	var asked sync.WaitGroup
	for i, qtype := range families {
		asked.Go(func() { answers[i], errs[i] = r.lookup(ctx, e.Name, qtype) })
	}
	asked.Wait()
	var targets []target
	for i, ans := range answers {
		r.noteAlias(e, ans, errs[i])
		found := ans.targets()
		if len(found) > maxPerFamily {
			r.warn("%s has %d %s records: only the first %d were tried.", e.Name, len(found), dns.TypeToString[families[i]], maxPerFamily)
			found = found[:maxPerFamily]
		}
		targets = append(targets, found...)
	}
	if len(targets) == 0 {
		r.settleWithout(ctx, e, errs[:])
		return nil
	}
	for i, err := range errs {
		if err != nil {
			r.warn("%s: the %s question failed (%s): only the other family was tried.", e.Name, dns.TypeToString[families[i]], describe(err))
		}
	}
	return targets
}

// noteAlias warns, once, of an exchanger that is an alias (RFC 2181 10.3, RFC 5321 5.1); senders follow it.
func (r *run) noteAlias(e *Exchanger, ans answer, err error) {
	end := hostName(ans.name)
	if err != nil || end == e.Name || e.CNAME != "" || e.Implicit {
		return
	}
	e.CNAME = end
	r.warn("%s is an alias of %s: an exchanger must not be one (RFC 2181 section 10.3).", e.Name, end)
}

// settleWithout gives an exchanger without addresses its verdict.
func (r *run) settleWithout(ctx context.Context, e *Exchanger, errs []error) {
	failed := slices.IndexFunc(errs, func(err error) bool { return err != nil })
	missing := slices.ContainsFunc(errs, func(err error) bool { return errors.Is(err, errNXDomain) })
	switch {
	case isCut(ctx):
		e.Verdict, e.Detail, r.cut = LocalError, cutShort, true
	case missing: // holds for every type: RFC 8020 2
		e.Verdict, e.Detail = NXDomain, "the name does not exist"
	case failed >= 0:
		e.Verdict, e.Detail = DNSFail, "the "+dns.TypeToString[families[failed]]+" question failed ("+describe(errs[failed])+")"
	default:
		e.Verdict, e.Detail = NoAddress, "neither A nor AAAA"
	}
}

// targets returns the addresses of an answer, each once, in its order.
func (ans answer) targets() []target {
	var found []target
	for _, rr := range ans.rrs {
		var address netip.Addr
		switch rr := rr.(type) {
		case *dns.A:
			address, _ = netip.AddrFromSlice(rr.A.To4())
		case *dns.AAAA:
			address, _ = netip.AddrFromSlice(rr.AAAA)
		}
		if t := (target{address, ans.source}); address.IsValid() && !slices.Contains(found, t) {
			found = append(found, t)
		}
	}
	return found
}
