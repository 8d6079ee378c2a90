package records

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/miekg/dns"

	"github.com/mxglue/mxglue/smtpprobe/lookup"
)

// maxNames of an address are asked for.
const maxNames = 5

// FCrDNS asks for the names of an address, and whether one of them leads back (RFC 1912 2.1, RFC 8601 3). All of it takes
// no longer than one lookup may (lookup.Timeout).
func FCrDNS(ctx context.Context, exchange lookup.Exchange, addr netip.Addr) PTR {
	ctx, cancel := context.WithTimeout(ctx, lookup.Timeout)
	defer cancel()
	addr = addr.Unmap().WithZone("")
	reverse, err := dns.ReverseAddr(addr.String())
	if err != nil {
		return PTR{Status: Unknown, Detail: "This is no address."}
	}
	ans, err := lookup.Ask(ctx, exchange, reverse, dns.TypePTR)
	if err != nil {
		return PTR{Status: Unknown, Detail: fmt.Sprintf("The PTR question for %s failed (%s).", addr, lookup.Describe(err))}
	}
	p := PTR{Status: None, Detail: fmt.Sprintf("%s has no reverse name.", addr)}
	var failed error
	for _, rr := range ans.RRs {
		ptr, ok := rr.(*dns.PTR)
		if !ok || len(p.Names) >= maxNames {
			continue
		}
		name := lookup.Host(dns.CanonicalName(ptr.Ptr))
		p.Names = append(p.Names, name)
		forward, err := lookup.Ask(ctx, exchange, name, family(addr))
		if err != nil {
			failed = err
		} else if slices.Contains(lookup.Addresses(forward.RRs), addr) {
			p.Status, p.Confirmed, p.Detail = OK, name, fmt.Sprintf("%s is %s, and that leads back.", addr, name)
			return p
		}
	}
	switch names := lookup.Clip(strings.Join(p.Names, ", "), 256); {
	case failed != nil:
		p.Status, p.Detail = Unknown, fmt.Sprintf("%s is %s, and whether that leads back is not known (%s).", addr, names, lookup.Describe(failed))
	case len(p.Names) > 0:
		p.Status, p.Detail = Invalid, fmt.Sprintf("%s is %s, and that does not lead back.", addr, names)
	}
	return p
}

// family is the type of the records that have such addresses.
func family(addr netip.Addr) uint16 {
	if addr.Is4() {
		return dns.TypeA
	}
	return dns.TypeAAAA
}

// Finding is the outcome for an exchanger's address, where it is never more than information: receivers look at
// the reverse names of those who send.
func (p PTR) Finding(addr netip.Addr) Finding {
	severity := Info
	if p.Status == Unknown {
		severity = UnknownSeverity
	}
	return finding(severity, "fcrdns", "RFC 1912 §2.1", addr.String(), "%s", p.Detail)
}
