package resolver

import "github.com/mxglue/mxglue/resolver/upstream"

// Stats is a snapshot of what the resolver did since the start.
type Stats struct {
	InFlight       int               `json:"in_flight"`       // questions being asked upstream now
	Joined         uint64            `json:"joined"`          // queries that waited for an equal question already in flight
	BundleJoined   uint64            `json:"bundle_joined"`   // of these, the ones that joined a bundle's question
	Bundles        uint64            `json:"bundles"`         // MX answers whose hosts were asked for
	BundleQueries  uint64            `json:"bundle_queries"`  // questions that bundles asked
	BundleSkipped  map[string]uint64 `json:"bundle_skipped"`  // questions that bundles left out, by reason: cached, rate, busy, failures
	Refreshes      uint64            `json:"refreshes"`       // answers fetched anew because they are asked for still
	Crowded        uint64            `json:"crowded"`         // queries that heard SERVFAIL because too many waited for the same question, or too many were in flight
	PrivateDropped uint64            `json:"private_dropped"` // addresses of this network taken out of answers (rebinding)
	ServFail       uint64            `json:"servfail"`        // queries answered SERVFAIL
	Upstreams      []upstream.Stats  `json:"-"`
}

// Saved is what the follow-up address queries would have cost the mail server.
type Saved struct {
	Queries uint64  `json:"queries"` // follow-up queries answered here instead of upstream
	WaitMS  float64 `json:"wait_ms"` // the round trips they would have waited for, milliseconds
}
