package resolver

import (
	"context"
	"time"

	"github.com/miekg/dns"

	"github.com/mxglue/mxglue/cache"
	"github.com/mxglue/mxglue/resolver/upstream"
)

// settle gets an answer into the cache, from the configured records or from upstream, or a failure.
func (r *Resolver) settle(s *settings, q dns.Question, from cache.Origin, begun *begun) *cache.Entry {
	if m := s.Records.answer(q); m != nil {
		if e, err := r.cache.Store(m, from, time.Now()); err == nil {
			return e
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), s.Budget)
	defer cancel()
	rt := s.routeOf(q.Name)
	resp, m, why := r.forward(ctx, rt, q, from.CD, begun)
	if resp != nil {
		if e := r.keep(rt, m, resp, from); e != nil {
			return e
		}
	}
	return r.cache.Failure(q, from, why, time.Now())
}

// keep stores what a member has responded; nil if that cannot be.
func (r *Resolver) keep(rt *route, m *member, resp *upstream.Response, from cache.Origin) *cache.Entry {
	q := resp.Msg.Question[0]
	from.Upstream, from.RTT, from.UDP, from.Size = m.String(), m.RTT(), resp.UDP, resp.Size
	r.distrust(rt, m, resp.Msg)
	e, err := r.cache.Store(resp.Msg, from, time.Now())
	if err != nil {
		r.seldom("response not usable", "question", q.Name, "type", dns.TypeToString[q.Qtype], "upstream", m.String(), "error", err)
		return nil
	}
	return e
}

// distrust takes out of a response what its way here does not vouch for: AD over a path that anybody on it can change
// (RFC 4035 §4.6 has it disregarded unless the channel is secure, or the configuration believes it), and, if the route
// wants that, addresses of this network.
func (r *Resolver) distrust(rt *route, m *member, response *dns.Msg) {
	if response.AuthenticatedData {
		response.AuthenticatedData = r.believes(rt, m)
	}
	if rt.NoPrivate {
		if n := dropPrivate(response); n > 0 {
			response.AuthenticatedData = false // what is left is not what was signed
			r.stats.privateDropped.Add(uint64(n))
			r.seldom("private addresses dropped from an answer", "question", response.Question[0].Name, "upstream", m.String())
		}
	}
}

// believes says whether AD of this member's is passed on, and says so once if it is not.
func (r *Resolver) believes(rt *route, m *member) bool {
	r.cache.SawAD() // passed on or not: glue is no answer to one who asks for AD here
	if rt.settings.TrustAD || m.Trusted() {
		return true
	}
	m.stripped.Do(func() {
		r.log.Warn("AD bit not passed on: the way to this upstream is neither loopback nor encrypted, so anybody on it could set it (resolver.dnssec: trust overrides)", "upstream", m.String())
	})
	return false
}
