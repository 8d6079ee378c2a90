package status

import (
	"fmt"
	"strings"

	"github.com/mxglue/mxglue/cache"
	"github.com/mxglue/mxglue/resolver"
	"github.com/mxglue/mxglue/resolver/server"
	"github.com/mxglue/mxglue/resolver/upstream"
)

// A Snapshot is what GET /stats shows: every figure of a running daemon, counted since its start.
type Snapshot struct {
	Version       string           `json:"version"`
	UptimeSeconds float64          `json:"uptime_seconds"`
	Server        server.Stats     `json:"server"`
	Cache         cache.Stats      `json:"cache"`
	Resolver      resolver.Stats   `json:"resolver"`
	Upstream      Sums             `json:"upstream"`
	Upstreams     []upstream.Stats `json:"upstreams"` // in the order they are asked
	Saved         resolver.Saved   `json:"saved"`
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
// next query that is answered ends it. One look is one sample: SERVFAIL for one broken domain is a failure as well, so
// an alarm should want two bad looks in a row.
func (s Snapshot) Trouble() string {
	var failures []string
	for _, u := range s.Upstreams {
		switch state(u) {
		case failing:
			failures = append(failures, fmt.Sprintf("%s: %s", u.Address, u.LastError))
		case answering:
			return ""
		}
	}
	if failures == nil {
		return ""
	}
	return "no upstream answered when it was last asked (" + strings.Join(failures, "; ") + ")"
}

// An upstream is in one of three states.
const (
	unasked   = "not asked yet"
	answering = "answering"
	failing   = "failing"
)

// state goes by LastError, which the first usable response clears.
func state(u upstream.Stats) string {
	switch {
	case u.LastError != "":
		return failing
	case u.Queries == 0:
		return unasked
	}
	return answering
}
