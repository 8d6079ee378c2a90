package resolver

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/miekg/dns"

	"github.com/mxglue/mxglue/resolver/upstream"
)

// Policy says in which order the upstreams of a route are asked.
type Policy string

// The policies. Whichever it is, upstreams that are down come last.
const (
	InOrder Policy = "order"   // as configured
	Fastest Policy = "fastest" // the shortest smoothed round trip first
	Race    Policy = "race"    // all at once; the first answer counts
)

// Route is the upstreams that a zone's questions go to.
type Route struct {
	Zone      string // the zone and all below it; "." is everything
	Upstreams []*upstream.Upstream
	Policy    Policy // "" is InOrder
	// NoPrivate drops private, loopback and link-local addresses from answers: a public name that leads into this
	// network is DNS rebinding.
	NoPrivate bool
}

// route is a Route at work.
type route struct {
	Route
	members  []*member
	settings *settings // that it is part of
}

// newRoutes returns the routes, longest zone first, so that the first that matches is the one. An upstream that serves
// several is one member; those that are there already are in members.
func newRoutes(routes []Route, members map[*upstream.Upstream]*member) []*route {
	var all []*route
	for _, r := range routes {
		r.Zone = dns.CanonicalName(r.Zone)
		rt := &route{Route: r}
		for _, u := range r.Upstreams {
			if members[u] == nil {
				members[u] = &member{Upstream: u, fallen: make(chan struct{}), gone: make(chan struct{})}
			}
			rt.members = append(rt.members, members[u])
		}
		all = append(all, rt)
	}
	slices.SortStableFunc(all, func(a, b *route) int {
		return cmp.Compare(dns.CountLabel(b.Zone), dns.CountLabel(a.Zone))
	})
	return all
}

// routeOf returns the route of a name.
func (s *settings) routeOf(name string) *route {
	name = strings.ToLower(name)
	for _, rt := range s.routes {
		if dns.IsSubDomain(rt.Zone, name) {
			return rt
		}
	}
	return s.routes[len(s.routes)-1] // "." is always there, and matches
}

// order returns the members in the order to ask them now.
func (rt *route) order() []*member {
	order := slices.Clone(rt.members)
	slices.SortStableFunc(order, func(a, b *member) int {
		if c := cmp.Compare(a.rank(), b.rank()); c != 0 || rt.Policy != Fastest {
			return c
		}
		return cmp.Compare(a.RTT(), b.RTT()) // one without a round trip yet comes first, and gets one
	})
	return order
}

// patience returns how long the given try is waited for before the next begins: the configured time for the first, then
// what lets every upstream have its turn inside the budget. In a race the next begins at once.
func (rt *route) patience(turn int) time.Duration {
	n, s := len(rt.members), rt.settings
	switch {
	case rt.Policy == Race && turn < n-1:
		return 0
	case turn == 0 || rt.Policy == Race && turn == n-1:
		return s.FirstTry
	}
	return min(s.FirstTry, (s.Budget-s.FirstTry)/time.Duration(n))
}

// dropPrivate takes the addresses out of an answer that lead into this network, and then the signatures, which do not fit
// any more. It returns how many addresses that were.
func dropPrivate(m *dns.Msg) int {
	dropped := 0
	m.Answer = slices.DeleteFunc(m.Answer, func(rr dns.RR) bool {
		var ip []byte
		switch rr := rr.(type) {
		case *dns.A:
			ip = rr.A
		case *dns.AAAA:
			ip = rr.AAAA
		}
		a, _ := netip.AddrFromSlice(ip)
		a = a.Unmap()
		private := ip != nil && (a.IsPrivate() || a.IsLoopback() || a.IsLinkLocalUnicast() || a.IsUnspecified())
		if private {
			dropped++
		}
		return private
	})
	if dropped > 0 {
		m.Answer = slices.DeleteFunc(m.Answer, func(rr dns.RR) bool { return rr.Header().Rrtype == dns.TypeRRSIG })
	}
	return dropped
}
