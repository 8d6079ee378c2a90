package smtpprobe

import (
	"cmp"
	"context"
	"net/netip"
	"slices"
	"strings"

	"github.com/miekg/dns"

	"github.com/mxglue/mxglue/smtpprobe/lookup"
)

// selectMX fills report.MX with the exchangers to try, in order (RFC 5321 5.1). The error is that of the
// question, or errNullMX.
func (r *run) selectMX(ctx context.Context) error {
	if r.target.Host {
		r.report.MX = []Exchanger{{Name: r.target.Name, Implicit: true, Attempts: []Attempt{}}}
		r.mxSecure = true // there is no MX answer to be forged
		return nil
	}
	ans, err := r.lookup(ctx, r.report.Domain, dns.TypeMX)
	r.noteDifference(ans)
	r.report.Source, r.report.TTL, r.report.AD = ans.source, ans.ttl, ans.ad
	r.mxSecure = ans.ad
	if err != nil {
		return err
	}
	if end := lookup.Host(ans.name); end != r.report.Domain {
		r.nextHops = append(r.nextHops, end)
	}
	records := r.mailHosts(ans.rrs)
	switch {
	case len(ans.rrs) == 0:
		// Implicit MX, for NODATA only: "This implicit MX rule applies only if there are no MX records present".
		r.report.MX = []Exchanger{{Name: lookup.Host(ans.name), Implicit: true, Attempts: []Attempt{}}}
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
				r.warn("null_mx_preference", "RFC 7505 §3", r.report.Domain, "The null MX has preference %d: RFC 7505 section 3 says 0.", mx.Preference)
			}
		}
	}
	r.mixedNull = nulls > 0 && len(hosts) > 0
	if r.mixedNull {
		r.find(SeverityCritical, "null_mx_mixed", "RFC 7505 §3", r.report.Domain, "A null MX stands among other MX records, which RFC 7505 section 3 forbids: some senders refuse all mail for %s, some ignore the null MX.", r.report.Domain)
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
		name := lookup.Host(dns.CanonicalName(mx.Mx))
		if count[name]++; count[name] == 1 {
			all = append(all, Exchanger{Name: name, Preference: mx.Preference, Attempts: []Attempt{}})
		}
	}
	// "the SMTP sender MUST randomize them to spread the load", RFC 5321 5.1; the sort is stable.
	r.shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	slices.SortStableFunc(all, func(a, b Exchanger) int { return cmp.Compare(a.Preference, b.Preference) })
	if len(all) > maxExchangers { // a warning, not a status: else a domain with more could never be ok
		r.warn("cap_exchangers", "", r.report.Domain, "%s has %d exchangers: only %d, of the best preference, were tried.", r.report.Domain, len(all), maxExchangers)
		all = all[:maxExchangers]
	}
	for _, e := range all {
		if n := count[e.Name]; n > 1 {
			r.warn("mx_duplicate", "", e.Name, "%s is listed %d times: tried once, at its best preference.", e.Name, n)
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
		e.Detail = "an address where RFC 5321 section 5.1 wants a name"
		if !r.literal(e.Name).IsValid() {
			e.Verdict, e.Detail = IPLiteral, e.Detail+"; not connected to"
		}
		r.warn("mx_address", "RFC 5321 §5.1", e.Name, "%s: %s.", e.Name, e.Detail)
	case isSpecialName(e.Name):
		// RFC 6761 6.4: never resolves. Microsoft has domains prove their ownership with such records.
		e.Verdict, e.Detail = Skipped, "a name under .invalid is no host (RFC 6761), but perhaps a proof of ownership"
		severity := SeverityInfo
		if strings.HasSuffix(e.Name, "localhost") {
			e.Detail, severity = "localhost is whoever asks (RFC 6761)", SeverityWarning
		}
		r.find(severity, "mx_special_name", "RFC 6761 §6", e.Name, "%s: %s.", e.Name, e.Detail)
	}
}

// isSpecialName tells whether a name can be no host (RFC 6761 6.3 and 6.4).
func isSpecialName(name string) bool {
	top := name[strings.LastIndexByte(name, '.')+1:]
	return top == "invalid" || top == "localhost"
}
