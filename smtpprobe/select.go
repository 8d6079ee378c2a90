package smtpprobe

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/miekg/dns"
)

// selectMX fills report.MX with the exchangers to try, in order (RFC 5321 5.1). The error is that of the
// question, or errNullMX.
func (r *run) selectMX(ctx context.Context) error {
	ans, err := r.lookup(ctx, r.report.Domain, dns.TypeMX)
	r.report.Source = ans.source
	if err != nil {
		return err
	}
	records := r.mailHosts(ans.rrs)
	switch {
	case len(ans.rrs) == 0:
		// Implicit MX, for NODATA only: "This implicit MX rule applies only if there are no MX records present".
		r.report.MX = []Exchanger{{Name: hostName(ans.name), Implicit: true, Attempts: []Attempt{}}}
		return nil
	case len(records) == 0:
		return errNullMX
	}
	r.report.MX = r.order(records)
	for i := range r.report.MX {
		r.settleName(&r.report.MX[i])
	}
	return nil
}

// mailHosts returns the MX records that name a host, and notes what is wrong with null ones.
func (r *run) mailHosts(rrs []dns.RR) []*dns.MX {
	var hosts []*dns.MX
	nulls := 0
	for _, rr := range rrs {
		mx, ok := rr.(*dns.MX)
		switch {
		case !ok:
		case mx.Mx != ".":
			hosts = append(hosts, mx)
		default:
			if nulls++; mx.Preference != 0 && nulls == 1 {
				// Null all the same, as Postfix and mox see it; RFC 7505 3 wants preference 0.
				r.warn("The null MX has preference %d: RFC 7505 section 3 says 0.", mx.Preference)
			}
		}
	}
	r.mixedNull = nulls > 0 && len(hosts) > 0
	if r.mixedNull {
		r.warn("A null MX stands among other MX records, which RFC 7505 section 3 forbids: some senders refuse all mail for %s, some ignore the null MX.", r.report.Domain)
	}
	return hosts
}

// order drops duplicates, shuffles, sorts by preference and keeps the best.
func (r *run) order(records []*dns.MX) []Exchanger {
	slices.SortFunc(records, func(a, b *dns.MX) int {
		return cmp.Or(cmp.Compare(a.Preference, b.Preference),
			cmp.Compare(dns.CanonicalName(a.Mx), dns.CanonicalName(b.Mx)))
	})
	count := make(map[string]int)
	var all []Exchanger
	for _, mx := range records {
		name := hostName(dns.CanonicalName(mx.Mx))
		if count[name]++; count[name] == 1 {
			all = append(all, Exchanger{Name: name, Preference: mx.Preference, Attempts: []Attempt{}})
		}
	}
	// "the SMTP sender MUST randomize them to spread the load", RFC 5321 5.1; the sort is stable.
	r.shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	slices.SortStableFunc(all, func(a, b Exchanger) int { return cmp.Compare(a.Preference, b.Preference) })
	if len(all) > maxExchangers { // a warning, not a status: else a domain with more could never be ok
		r.warn("%s has %d exchangers: only %d, of the best preference, were tried.", r.report.Domain, len(all), maxExchangers)
		all = all[:maxExchangers]
	}
	for _, e := range all {
		if n := count[e.Name]; n > 1 {
			r.warn("%s is listed %d times: tried once, at its best preference.", e.Name, n)
		}
	}
	return all
}

// settleName gives a verdict to an exchanger that cannot be asked for by its name.
func (r *run) settleName(e *Exchanger) {
	_, err := netip.ParseAddr(strings.Trim(e.Name, "[]"))
	switch {
	case err == nil:
		// "MUST contain a domain name", RFC 5321 5.1. Postfix connects all the same; Exim refuses, and so do we.
		e.Verdict, e.Detail = IPLiteral, "an address where RFC 5321 section 5.1 wants a name; not connected to"
		r.warn("%s: %s.", e.Name, e.Detail)
	case e.Name == "invalid" || strings.HasSuffix(e.Name, ".invalid"):
		// RFC 6761 6.4: never resolves. Microsoft has domains prove their ownership with such records.
		e.Verdict, e.Detail = Skipped, "a name under .invalid is no host (RFC 6761), but perhaps a proof of ownership"
		r.warn("%s: %s.", e.Name, e.Detail)
	}
}

// warn adds a sentence to the report.
func (r *run) warn(format string, args ...any) {
	r.report.Warnings = append(r.report.Warnings, fmt.Sprintf(format, args...))
}
