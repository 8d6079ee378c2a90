package resolver

import (
	"context"
	"time"

	"github.com/miekg/dns"

	"github.com/mxglue/mxglue/cache"
	"github.com/mxglue/mxglue/cache/wire"
)

// refreshAfter is how long after its end an answer is fetched anew. A caching upstream hands out what is left of a TTL
// and so counts down to the same end: asked a moment before, it would give that moment.
const refreshAfter = time.Second

// wake is the cache's Wake. It must not block.
func (r *Resolver) wake(e *cache.Entry, who cache.Asker, why cache.Reason) {
	switch why {
	case cache.WakeRefresh:
		r.refreshLater(e)
	default:
		if r.settings.Load().Bundle {
			r.background.start(func() { r.round(e, who) })
		}
	}
}

// refreshLater fetches an answer that is asked for still anew when it has ended. Until that is done, for three seconds at
// most, the old one goes on.
func (r *Resolver) refreshLater(e *cache.Entry) {
	q, ok := newQuery(e.Name(), e.Type(), false)
	if !ok {
		return
	}
	r.cache.Renew(e)
	time.AfterFunc(time.Until(r.cache.Expires(e))+refreshAfter, func() {
		if r.ctx.Err() == nil {
			r.start(q, cache.ByRefresh)
		}
	})
}

// warmRate is how many questions a second are asked anew at a start.
const warmRate = 20

// Warm asks questions anew that were asked often before a restart, twenty a second, most asked first. It returns when all
// have been asked or ctx ends.
func (r *Resolver) Warm(ctx context.Context, questions []cache.Asked) {
	tick := time.NewTicker(time.Second / warmRate)
	defer tick.Stop()
	for _, a := range questions {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if q, ok := newQuery(a.Name, a.Type, false); ok && !r.busy() {
			r.start(q, cache.ByRefresh)
		}
	}
}

// newQuery makes the query that a client would put over TCP.
func newQuery(name string, qtype uint16, do bool) (*wire.Query, bool) {
	m := new(dns.Msg)
	m.SetQuestion(dns.Fqdn(name), qtype)
	m.SetEdns0(dns.MinMsgSize, do)
	packed, err := m.Pack()
	if err != nil {
		return nil, false
	}
	q := new(wire.Query)
	return q, q.Parse(packed, true) == wire.Accept
}

// busy says whether questions that nobody waits for have to stand back: more than three quarters of the places are taken.
func (r *Resolver) busy() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return 4*len(r.flights) > 3*r.settings.Load().MaxInFlight
}
