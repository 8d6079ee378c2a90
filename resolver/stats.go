package resolver

import "github.com/mxglue/mxglue/resolver/upstream"

// Stats is a snapshot of what the resolver did since the start.
type Stats struct {
	InFlight      int               `json:"in_flight"`      // questions being asked upstream now
	Joined        uint64            `json:"joined"`         // queries that waited for an equal question already in flight
	BundleJoined  uint64            `json:"bundle_joined"`  // of these, the ones that joined a bundle's question
	Bundles       uint64            `json:"bundles"`        // MX answers whose hosts were asked for
	BundleQueries uint64            `json:"bundle_queries"` // questions that bundles asked
	BundleSkipped map[string]uint64 `json:"bundle_skipped"` // questions that bundles left out, by reason: cached, rate, busy, failures
	ServFail      uint64            `json:"servfail"`       // queries answered SERVFAIL
	Upstreams     []upstream.Stats  `json:"-"`
}

// Saved is what the follow-up address queries would have cost the mail server.
type Saved struct {
	Queries uint64  `json:"queries"` // follow-up queries answered here instead of upstream
	WaitMS  float64 `json:"wait_ms"` // the round trips they would have waited for, milliseconds
}
