package smtpprobe

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"

	"github.com/miekg/dns"

	"github.com/mxglue/mxglue/smtpprobe/dane"
	"github.com/mxglue/mxglue/smtpprobe/lookup"
)

// target is one address to try, and where it came from.
type target struct {
	address netip.Addr
	source  string
	ttl     uint32
	ad      bool
}

// families are the questions for the addresses of a host. Within a family the order of the response is
// kept (RFC 5321 5.1); between them it is ours to choose.
var families = [2]uint16{dns.TypeA, dns.TypeAAAA}

// host is what DNS says of one exchanger.
type host struct {
	answers [len(families)]answer
	errs    [len(families)]error
	dane    *dane.Result
}

// resolve asks for the addresses of all exchangers at once, and then for their TLSA records: only then, since
// a host whose addresses are not authentic has none that count (RFC 7672 2.2.2). The results lie beside report.MX.
func (r *run) resolve(ctx context.Context) {
	hosts := make([]host, len(r.report.MX))
	var asked sync.WaitGroup
	for i, e := range r.report.MX {
		if e.Verdict == "" && r.literal(e.Name) == (netip.Addr{}) {
			asked.Go(func() { hosts[i] = r.resolveHost(ctx, e.Name) })
		}
	}
	asked.Wait()
	r.targets = make([][]target, len(hosts))
	left := maxAddresses
	for i := range hosts {
		e := &r.report.MX[i]
		if addr := r.literal(e.Name); addr.IsValid() && e.Verdict == "" {
			r.targets[i] = []target{{address: addr, source: "literal"}} // no DANE for it: RFC 7672 2.2
		} else if e.Verdict == "" {
			r.targets[i] = r.take(ctx, e, hosts[i])
		}
		if len(r.targets[i]) > left {
			r.find(SeverityInfo, "cap_addresses", "", r.report.Domain, "%s has more than %d addresses: the rest was not tried.", r.report.Domain, maxAddresses)
			if r.targets[i] = r.targets[i][:left]; left == 0 {
				e.Verdict, e.Detail = Skipped, fmt.Sprintf("beyond the first %d addresses of the domain", maxAddresses)
			}
		}
		left -= len(r.targets[i])
	}
	r.leaveOutSelf()
}

// literal returns the address that a name is, if it is to be connected to.
func (r *run) literal(name string) netip.Addr {
	if r.target.Address.IsValid() {
		return r.target.Address
	}
	if r.opt.MXToIP {
		addr, _ := netip.ParseAddr(name)
		return addr
	}
	return netip.Addr{}
}

// resolveHost asks for both families in parallel, then for TLSA records.
func (r *run) resolveHost(ctx context.Context, name string) (h host) {
	var asked sync.WaitGroup
	for i, qtype := range families {
		asked.Go(func() {
			h.answers[i], h.errs[i] = r.lookup(ctx, name, qtype)
			h.answers[i].ad = r.secure(ctx, h.answers[i], name, qtype)
		})
	}
	asked.Wait()
	of := dane.Host{Name: name, MXSecure: r.mxSecure}
	known := false
	for i, ans := range h.answers {
		if h.errs[i] == nil && len(ans.rrs) > 0 { // one family suffices
			of.Expanded, of.Secure, known = lookup.Host(ans.name), of.Secure || ans.ad, true
		}
	}
	if known {
		result := dane.Lookup(ctx, r.exchange(), r.opt.Validates, of, r.port())
		h.dane = &result
	}
	return h
}

// take gives an exchanger what DNS says of it. With no address found the exchanger gets its verdict.
func (r *run) take(ctx context.Context, e *Exchanger, h host) []target {
	e.DANE = h.dane
	var targets []target
	for i, ans := range h.answers {
		r.noteAlias(e, ans, h.errs[i])
		r.noteDifference(ans)
		e.AD = e.AD || ans.ad && len(ans.rrs) > 0
		found := ans.targets()
		if len(found) > maxPerFamily && !r.opt.AllAddresses {
			r.warn("cap_addresses", "", e.Name, "%s has %d %s records: only the first %d were tried.", e.Name, len(found), dns.TypeToString[families[i]], maxPerFamily)
			found = found[:maxPerFamily]
		}
		targets = append(targets, found...)
	}
	if len(targets) == 0 {
		r.settleWithout(ctx, e, h.errs[:])
		return nil
	}
	for i, err := range h.errs {
		if err != nil {
			r.warn("family_lookup", "", e.Name, "%s: the %s question failed (%s): only the other family was tried.", e.Name, dns.TypeToString[families[i]], describe(err))
		}
	}
	return targets
}

// noteDifference keeps what a fresh lookup answered differently.
func (r *run) noteDifference(ans answer) {
	if ans.difference != nil {
		r.report.Differences = append(r.report.Differences, *ans.difference)
	}
}

// noteAlias warns, once, of an exchanger that is an alias (RFC 2181 10.3, RFC 5321 5.1); senders follow it.
func (r *run) noteAlias(e *Exchanger, ans answer, err error) {
	end := lookup.Host(ans.name)
	if err != nil || end == e.Name || e.CNAME != "" || e.Implicit {
		return
	}
	e.CNAME = end
	r.warn("mx_alias", "RFC 2181 §10.3", e.Name, "%s is an alias of %s: an exchanger must not be one (RFC 2181 section 10.3).", e.Name, end)
}

// settleWithout gives an exchanger without addresses its verdict.
func (r *run) settleWithout(ctx context.Context, e *Exchanger, errs []error) {
	failed := slices.IndexFunc(errs, func(err error) bool { return err != nil && !errors.Is(err, errNXDomain) })
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
	for _, address := range lookup.Addresses(ans.rrs) {
		found = append(found, target{address, ans.source, ans.ttl, ans.ad})
	}
	return found
}
