package resolver

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"github.com/miekg/dns"

	"github.com/mxglue/mxglue/cache"
	"github.com/mxglue/mxglue/resolver/upstream"
)

// Explanation is what is known of the way that a domain's mail takes, and how it came to be known.
type Explanation struct {
	Domain     string           `json:"domain"` // in lower case, with the final dot
	At         time.Time        `json:"at"`
	Known      bool             `json:"known"`        // anything is known of it at all
	Glue       cache.GluePolicy `json:"glue"`         // cache.glue
	GlueForAll bool             `json:"glue_for_all"` // glue answers every client without DO, not only the one that was sent it
	TrustAD    bool             `json:"trust_ad"`     // AD is passed on from upstreams that are neither loopback nor encrypted, too
	MX         Memory           `json:"mx"`
	Exchangers []Exchanger      `json:"exchangers"` // best preference first, at most 8
	More       int              `json:"more"`       // exchangers that are left out
	Routes     []RouteNow       `json:"routes"`     // of the questions above
}

// Exchanger is a mail host of the domain. Its TLSA records are those of port 25.
type Exchanger struct {
	Name       string `json:"name"`
	Preference uint16 `json:"preference"`
	Implicit   bool   `json:"implicit"` // the domain itself: it has no MX (RFC 5321 §5.1), or nobody knows its MX
	A          Memory `json:"a"`
	AAAA       Memory `json:"aaaa"`
	TLSA       Memory `json:"tlsa"`
}

// RouteNow is a route as it stands.
type RouteNow struct {
	Zone      string           `json:"zone"`
	Policy    Policy           `json:"policy"`
	Upstreams []upstream.Stats `json:"upstreams"` // in the order in which they would be asked
}

// Explain tells what is known of a domain's mail hosts. It asks nobody, counts nothing and keeps nothing alive; but if ask
// is set, it asks for what is missing as a validating mail server would, until ctx ends.
func (r *Resolver) Explain(ctx context.Context, domain string, ask bool) Explanation {
	x := explainer{r, r.settings.Load(), ctx, ask}
	domain = dns.CanonicalName(domain)
	glue, forAll := r.cache.Policy()
	e := Explanation{Domain: domain, At: time.Now(), Glue: glue, GlueForAll: forAll, TrustAD: x.settings.TrustAD, MX: x.recall(domain, dns.TypeMX)}
	e.Exchangers, e.More = exchangers(e.MX)
	var all sync.WaitGroup
	for i := range e.Exchangers {
		all.Go(func() { x.visit(&e.Exchangers[i]) })
	}
	all.Wait()
	e.Known = e.MX.State != Unknown || slices.ContainsFunc(e.Exchangers, Exchanger.known)
	if !e.Known {
		e.Exchangers = []Exchanger{}
	}
	e.Routes = x.routes(e)
	return e
}

// explainer gathers an Explanation.
type explainer struct {
	*Resolver
	settings *settings
	ctx      context.Context
	ask      bool
}

// visit recalls what is known of a mail host.
func (x explainer) visit(e *Exchanger) {
	e.A, e.AAAA = x.recall(e.Name, dns.TypeA), x.recall(e.Name, dns.TypeAAAA)
	x.ask = x.ask && (e.A.authentic() || e.AAAA.authentic())
	e.TLSA = x.recall("_25._tcp."+e.Name, dns.TypeTLSA)
	if e.TLSA.State == Unknown && e.A.insecure() && e.AAAA.insecure() {
		e.TLSA.State = Needless
	}
}

func (e Exchanger) known() bool {
	return e.A.State != Unknown || e.AAAA.State != Unknown || len(e.TLSA.Known) > 0
}

// recall looks at what is known of a question, and asks it if that is wanted and nothing answers it.
func (x explainer) recall(name string, qtype uint16) Memory {
	m := x.remember(name, qtype)
	if !x.ask || !m.Missing() {
		return m
	}
	q := new(dns.Msg).SetQuestion(name, qtype)
	q.SetEdns0(dns.MinMsgSize, true)
	reply, source, err := x.Exchange(x.ctx, q)
	if m = x.remember(name, qtype); err != nil {
		return m
	}
	switch {
	case m.State == Live && source == "upstream":
		m.Source = source
	case m.Missing() && source == "upstream" && reply.Rcode != dns.RcodeServerFailure:
		m.State, m.Source, m.Rcode = NotKept, source, dns.RcodeToString[reply.Rcode]
		m.tell(reply.Answer)
	}
	return m
}

// exchangers lists the hosts that an MX answer names, best preference first, each once; and how many more there are. It is
// the domain itself where there are none, and where nobody knows: what is asked about may be a host.
func exchangers(mx Memory) (list []Exchanger, more int) {
	if mx.State == Unknown || len(mx.rrs) == 0 && mx.Rcode == "NOERROR" {
		return []Exchanger{{Name: mx.Name, Implicit: true}}, 0
	}
	list = []Exchanger{}
	for _, rr := range mx.rrs {
		if mx, ok := rr.(*dns.MX); ok && mx.Mx != "." && mx.Mx != "" { // null MX (RFC 7505 §3); no RDATA
			list = append(list, Exchanger{Name: dns.CanonicalName(mx.Mx), Preference: mx.Preference})
		}
	}
	slices.SortStableFunc(list, func(a, b Exchanger) int { return cmp.Compare(a.Preference, b.Preference) })
	seen := make(map[string]bool)
	list = slices.DeleteFunc(list, func(e Exchanger) bool {
		again := seen[e.Name]
		seen[e.Name] = true
		return again
	})
	more = max(0, len(list)-cache.MaxTargets)
	return list[:len(list)-more], more
}

// routes lists the routes of an explanation's questions, each once.
func (x explainer) routes(e Explanation) []RouteNow {
	all, seen := []RouteNow{}, map[string]bool{"": true} // configured: none
	add := func(m Memory) {
		if seen[m.Zone] {
			return
		}
		seen[m.Zone] = true
		rt := x.settings.routeOf(m.Name)
		now := RouteNow{Zone: rt.Zone, Policy: cmp.Or(rt.Policy, InOrder)}
		for _, member := range rt.order() {
			u := member.Stats()
			u.Down = member.down()
			now.Upstreams = append(now.Upstreams, u)
		}
		all = append(all, now)
	}
	add(e.MX)
	for _, host := range e.Exchangers {
		for _, m := range []Memory{host.A, host.AAAA, host.TLSA} {
			add(m)
		}
	}
	return all
}
