package resolver

import (
	"slices"
	"time"

	"github.com/mxglue/mxglue/resolver/upstream"
)

// settings are what questions are answered by. They are replaced whole: a question in flight keeps those that it began with.
type settings struct {
	Options
	routes []*route // longest zone first; the last is "."
}

// newSettings makes options and upstreams fit for work. Of an upstream that old has, the member and its health are taken
// over.
func newSettings(o Options, upstreams []*upstream.Upstream, old []*member) *settings {
	s := &settings{Options: o.withDefaults()}
	members := make(map[*upstream.Upstream]*member)
	for _, m := range old {
		members[m.Upstream] = m
	}
	routes := append(slices.Clone(o.Routes), Route{Zone: ".", Upstreams: upstreams, Policy: o.Policy, NoPrivate: o.NoPrivate})
	s.routes = newRoutes(routes, members)
	for _, rt := range s.routes {
		rt.settings = s
	}
	return s
}

// withDefaults fills in what is not set.
func (o Options) withDefaults() Options {
	if o.Budget <= 0 {
		o.Budget = 4 * time.Second
	}
	if o.FirstTry <= 0 {
		o.FirstTry = 1500 * time.Millisecond
	}
	if o.StaleAfter <= 0 {
		o.StaleAfter = 1800 * time.Millisecond
	}
	if o.MaxInFlight <= 0 {
		o.MaxInFlight = 1024
	}
	return o
}

// members returns every upstream once: those of all zones first, in their order.
func (s *settings) members() (all []*member) {
	for i := len(s.routes) - 1; i >= 0; i-- {
		for _, m := range s.routes[i].members {
			if !slices.Contains(all, m) {
				all = append(all, m)
			}
		}
	}
	return all
}

// Reconfigure makes every question from now on go by other options, but for Log, and other upstreams, of which there must be
// one. Questions in flight end by what they began with, and none joins them any more. An upstream that was there before,
// which is the same *Upstream, keeps its health and its connections; one that is gone is closed when the last question that
// may wait for it has ended. An MX answer that was stored without Bundle gets one when it has been fetched anew.
func (r *Resolver) Reconfigure(o Options, upstreams []*upstream.Upstream) {
	old := r.settings.Load()
	now, before := newSettings(o, upstreams, old.members()), old.members()
	r.mu.Lock()
	r.settings.Store(now)
	r.flights = make(map[string]*flight)
	r.mu.Unlock()
	stay := now.members()
	for _, m := range before {
		if !slices.Contains(stay, m) {
			r.background.start(func() { r.retire(m, old.Budget+quickWait) })
		}
	}
	for _, m := range stay {
		if !slices.Contains(before, m) {
			r.background.start(func() { r.look(r.ctx, m) })
		}
	}
}

// retire closes a member that is asked no more when the questions that were out by then have ended, or the resolver does.
func (r *Resolver) retire(m *member, after time.Duration) {
	ended := time.NewTimer(after)
	defer ended.Stop()
	select {
	case <-ended.C:
	case <-r.ctx.Done():
	}
	close(m.gone)
	m.Close()
}
