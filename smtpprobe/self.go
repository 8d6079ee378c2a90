package smtpprobe

import (
	"context"
	"net/netip"
	"slices"
	"strings"

	"github.com/mxglue/mxglue/smtpprobe/records"
)

// leaveOutSelf skips the exchangers that are ourselves, and all of the same or a worse preference: "it MUST
// be discarded" along with them (RFC 5321 5.1), since a host that relayed to its equals would loop. Names and
// addresses are compared, as the RFC has it; Postfix compares addresses only.
func (r *run) leaveOutSelf() {
	if r.target.Host { // given by its name or its address, and not by an MX record
		return
	}
	limit := -1
	for i, e := range r.report.MX {
		if r.isSelf(e.Name, r.targets[i]) && (limit < 0 || int(e.Preference) < limit) {
			limit = int(e.Preference)
			r.find(SeverityInfo, "mx_self", "RFC 5321 §5.1", e.Name, "%s is this host: it would not use exchangers of preference %d and worse.", e.Name, e.Preference)
		}
	}
	if limit < 0 || r.opt.IncludeSelf {
		return
	}
	for i := range r.report.MX {
		if e := &r.report.MX[i]; int(e.Preference) >= limit && e.Verdict == "" {
			e.Verdict, e.Detail = Skipped, "this host, or not preferred to it (RFC 5321 section 5.1)"
			r.selfSkipped++
		}
	}
}

// isSelf tells whether a name, or one of its addresses, is ours.
func (r *run) isSelf(name string, targets []target) bool {
	return slices.ContainsFunc(r.opt.Own, func(own string) bool {
		addr, err := netip.ParseAddr(own)
		if err != nil {
			return strings.EqualFold(strings.TrimSuffix(own, "."), name)
		}
		return slices.ContainsFunc(targets, func(t target) bool { return t.address.Unmap() == addr.Unmap() })
	})
}

// findEgress looks at the reverse names of the addresses that we connected from, each once. Mail servers refuse mail from one
// that has none, or whose name does not lead back. Behind NAT our end is no address that they see, and nothing is said.
func (r *run) findEgress(ctx context.Context) {
	if r.opt.Depth < DepthTLS {
		return
	}
	var seen []netip.Addr
	for _, e := range r.report.MX {
		for _, a := range e.Attempts {
			if !a.local.IsValid() || slices.Contains(seen, a.local) || (Options{}).blockedClass(a.local) != "" {
				continue
			}
			seen = append(seen, a.local)
			if ptr := records.FCrDNS(ctx, r.exchange(), a.local); ptr.Status == records.None || ptr.Status == records.Invalid {
				r.warn("fcrdns_own", "RFC 1912 §2.1", a.local.String(), "We connect from %s, from which strict servers take no mail: %s", a.local, ptr.Detail)
			}
		}
	}
}
