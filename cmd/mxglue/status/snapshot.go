package status

import (
	"strings"

	"github.com/mxglue/mxglue/cache"
	"github.com/mxglue/mxglue/resolver"
	"github.com/mxglue/mxglue/resolver/server"
	"github.com/mxglue/mxglue/resolver/upstream"
)

// A Snapshot is what GET /stats shows: every figure of a running daemon, counted since its start.
type Snapshot struct {
	Version       string           `json:"version"`
	DNSSEC        string           `json:"dnssec"` // resolver.dnssec: strip or trust
	UptimeSeconds float64          `json:"uptime_seconds"`
	Server        server.Stats     `json:"server"`
	Cache         cache.Stats      `json:"cache"`
	Resolver      resolver.Stats   `json:"resolver"`
	Upstream      Sums             `json:"upstream"`
	Upstreams     []upstream.Stats `json:"upstreams"` // those of everything first, then those of routes
	Saved         resolver.Saved   `json:"saved"`
	Monitor       *Monitored       `json:"monitor,omitempty"` // nil: nothing is monitored
}

// Sums are the figures of all upstreams together.
type Sums struct {
	Queries    uint64 `json:"queries"`
	Failures   uint64 `json:"failures"`
	Mismatched uint64 `json:"mismatched"`
}

// Sum adds up the upstreams.
func Sum(upstreams []upstream.Stats) (sums Sums) {
	for _, u := range upstreams {
		sums.Queries += u.Queries
		sums.Failures += u.Failures
		sums.Mismatched += u.Mismatched
	}
	return sums
}

// HitRate is the share of queries that were answered from the cache, 0 to 1; not ok before the first query.
func (s Snapshot) HitRate() (rate float64, ok bool) {
	all := s.Cache.Hits + s.Cache.Misses
	if all == 0 {
		return 0, false
	}
	return float64(s.Cache.Hits) / float64(all), true
}

// Trouble says in a sentence why the daemon cannot do its work; "" when it can. There is trouble when every upstream
// that was asked at all failed the latest time it was asked. Before the first query there is none; after trouble, the
// next query that is answered ends it. An upstream that is down is asked every second, and comes back by itself. One look is one sample: SERVFAIL for one broken domain is a failure as well, so
// an alarm should want two bad looks in a row.
func (s Snapshot) Trouble() string {
	var failures []string
	for _, u := range s.Upstreams {
		switch state(u) {
		case failing, down:
			failures = append(failures, u.Address+": "+reason(u))
		case answering:
			return ""
		}
	}
	if failures == nil {
		return ""
	}
	return "no upstream answered when it was last asked (" + strings.Join(failures, "; ") + ")"
}

// An upstream is in one of four states.
const (
	unheard   = "no answer yet"
	answering = "answering"
	failing   = "failing" // it answers, but not what it was asked the latest time
	down      = "down"    // it does not answer, and is asked last
)

// state goes by what the resolver has found, then by LastError, which the first usable response clears.
func state(u upstream.Stats) string {
	switch {
	case u.Down:
		return down
	case u.LastError != "":
		return failing
	case u.RTTms == 0: // not asked, or about to answer
		return unheard
	}
	return answering
}

// reason says what is wrong with an upstream that is down or failing. A response that came too late clears LastError
// and leaves the upstream down until it has answered a probe.
func reason(u upstream.Stats) string {
	if u.LastError == "" {
		return "answered too late"
	}
	return u.LastError
}

// stripped says whether the AD bit that an upstream sets goes no further (resolver.dnssec).
func (s Snapshot) stripped(u upstream.Stats) bool {
	return u.Validates && !u.Trusted && s.DNSSEC == "strip"
}
