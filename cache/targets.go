package cache

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/miekg/dns"
)

// addressOf returns the address in an A or AAAA record, or the zero Addr.
func addressOf(rr dns.RR) netip.Addr {
	var ip []byte
	switch rr := rr.(type) {
	case *dns.A:
		ip = rr.A.To4()
	case *dns.AAAA:
		ip = rr.AAAA
	}
	a, _ := netip.AddrFromSlice(ip)
	return a.Unmap()
}

// addressSets collects the address RRsets of the additional section, class IN.
func addressSets(m *dns.Msg) map[question][]dns.RR {
	sets := make(map[question][]dns.RR)
	for _, rr := range m.Extra {
		h := rr.Header()
		if h.Class == dns.ClassINET && (h.Rrtype == dns.TypeA || h.Rrtype == dns.TypeAAAA) {
			q := question{strings.ToLower(h.Name), h.Rrtype}
			sets[q] = append(sets[q], rr)
		}
	}
	return sets
}

// targetsOf returns the targets of owner's MX or SRV records in lower case, each once, best preference first.
func targetsOf(m *dns.Msg, owner string) []string {
	type target struct {
		name       string
		preference uint16
	}
	var all []target
	for _, rr := range m.Answer {
		if !strings.EqualFold(rr.Header().Name, owner) {
			continue
		}
		switch rr := rr.(type) {
		case *dns.MX:
			all = append(all, target{strings.ToLower(rr.Mx), rr.Preference})
		case *dns.SRV:
			all = append(all, target{strings.ToLower(rr.Target), rr.Priority})
		}
	}
	slices.SortStableFunc(all, func(a, b target) int { return int(a.preference) - int(b.preference) })
	var names []string
	seen := map[string]bool{".": true, "": true} // "." is null MX (RFC 7505 §3), and no service (RFC 2782); "" came without RDATA
	for _, t := range all {
		if !seen[t.name] {
			seen[t.name] = true
			names = append(names, t.name)
		}
	}
	return names
}
