package resolver

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/miekg/dns"

	"github.com/mxglue/mxglue/resolver/upstream"
)

// Stats is a snapshot of what the resolver did since the start.
type Stats struct {
	InFlight       int               `json:"in_flight"`       // questions being asked upstream now
	Joined         uint64            `json:"joined"`          // queries that waited for an equal question already in flight
	JoinsRefused   uint64            `json:"joins_refused"`   // queries not let wait because 256 waited for the same question
	BundleJoined   uint64            `json:"bundle_joined"`   // of these, the ones that joined a bundle's question
	Bundles        uint64            `json:"bundles"`         // MX answers whose hosts were asked for
	BundleQueries  uint64            `json:"bundle_queries"`  // questions that bundles asked
	BundleSkipped  map[string]uint64 `json:"bundle_skipped"`  // questions that bundles left out, by reason: cached, rate, busy, failures
	Refreshes      uint64            `json:"refreshes"`       // answers fetched anew because they are asked for still
	Crowded        uint64            `json:"crowded"`         // queries not looked up because too many questions were in flight
	PrivateDropped uint64            `json:"private_dropped"` // addresses of this network taken out of answers (rebinding)
	ServFail       uint64            `json:"servfail"`        // queries looked up and answered SERVFAIL; those from memory are the cache's hits
	Replies        Replies           `json:"replies"`         // to queries that the cache could not answer
	Upstreams      []upstream.Stats  `json:"-"`
}

// Saved is what the follow-up address queries would have cost the mail server.
type Saved struct {
	Queries uint64  `json:"queries"` // follow-up queries whose answer was here, or on its way, before they came: first hits on glue and on a bundle's answers, and joins
	WaitMS  float64 `json:"wait_ms"` // the round trips they would have waited for, milliseconds
}

type counters struct {
	joined, joinsRefused, bundleJoined, bundles, bundleQueries atomic.Uint64
	refreshes, crowded, privateDropped                         atomic.Uint64
	replies                                                    replies

	mu      sync.Mutex
	skipped map[string]uint64 // guarded by mu
	saved   time.Duration     // guarded by mu; by clients that joined a bundle's question
}

// Stats returns the counters since New.
func (r *Resolver) Stats() Stats {
	r.mu.Lock()
	inFlight := len(r.flights)
	r.mu.Unlock()
	st := Stats{
		InFlight: inFlight, Joined: r.stats.joined.Load(), JoinsRefused: r.stats.joinsRefused.Load(), BundleJoined: r.stats.bundleJoined.Load(),
		Bundles: r.stats.bundles.Load(), BundleQueries: r.stats.bundleQueries.Load(),
		ServFail: r.stats.replies.of(dns.RcodeServerFailure), Refreshes: r.stats.refreshes.Load(), Crowded: r.stats.crowded.Load(),
		PrivateDropped: r.stats.privateDropped.Load(), BundleSkipped: make(map[string]uint64), Replies: r.stats.replies.snapshot(),
	}
	r.stats.mu.Lock()
	for why, n := range r.stats.skipped {
		st.BundleSkipped[why] = n
	}
	r.stats.mu.Unlock()
	for _, m := range r.settings.Load().members() {
		u := m.Stats()
		u.Down = m.down()
		st.Upstreams = append(st.Upstreams, u)
	}
	return st
}

// Saved returns what follow-up queries did not have to ask and to wait for: those answered from glue and from a bundle's
// answers, and those that joined a bundle's question, for the time it had been out.
func (r *Resolver) Saved() Saved {
	queries, wait := r.cache.Saved()
	r.stats.mu.Lock()
	defer r.stats.mu.Unlock()
	return Saved{
		Queries: queries + r.stats.bundleJoined.Load(),
		WaitMS:  float64((wait + r.stats.saved).Microseconds()) / 1000,
	}
}
