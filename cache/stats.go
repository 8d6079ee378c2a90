package cache

import (
	"sync/atomic"
	"time"
)

// Stats is a snapshot of what the cache did since the start.
type Stats struct {
	Entries       int               `json:"entries"`
	Octets        int               `json:"octets"` // that the entries take up, about
	Capacity      int               `json:"capacity"`
	Hits          uint64            `json:"hits"`           // all of them, glue and bundle included
	Misses        uint64            `json:"misses"`         // expired ones included
	GlueHits      uint64            `json:"glue_hits"`      // answered from an additional section
	BundleHits    uint64            `json:"bundle_hits"`    // answered from what a bundle fetched ahead of the client
	StaleHits     uint64            `json:"stale_hits"`     // expired answers given because upstream failed (RFC 8767)
	Expired       uint64            `json:"expired"`        // misses on an entry whose TTL had run out
	Evicted       uint64            `json:"evicted"`        // entries that made room for others
	EvictedMemory uint64            `json:"evicted_memory"` // of these, because of their size: cache.memory
	NotKept       uint64            `json:"not_kept"`       // responses passed on and forgotten: TC, or more than 256 records
	GlueStored    uint64            `json:"glue_stored"`    // address RRsets promoted to glue
	GlueRefused   map[string]uint64 `json:"glue_refused"`   // address RRsets not promoted, by the guard that refused
	GlueDiffers   uint64            `json:"glue_differs"`   // glue that a later answer contradicted
}

// hitStats are the counters of the hot path.
type hitStats struct {
	hits, misses, expired       atomic.Uint64
	glueHits, bundleHits, stale atomic.Uint64
	evicted, evictedMemory      atomic.Uint64
	savedQueries                atomic.Uint64 // first hits on glue and on what a bundle fetched
	savedWait                   atomic.Int64  // nanoseconds: the round trips that these did not wait for
}

// addTo adds what this shard counted.
func (s *shard) addTo(st *Stats) {
	s.mu.Lock()
	st.Entries += len(s.book)
	st.Octets += s.octets
	s.mu.Unlock()
	st.Hits += s.stats.hits.Load()
	st.Misses += s.stats.misses.Load()
	st.Expired += s.stats.expired.Load()
	st.Evicted += s.stats.evicted.Load()
	st.GlueHits += s.stats.glueHits.Load()
	st.BundleHits += s.stats.bundleHits.Load()
	st.StaleHits += s.stats.stale.Load()
	st.EvictedMemory += s.stats.evictedMemory.Load()
}

// count counts a hit on e, or a miss; expired says that an answer was there and has ended.
func (st *hitStats) count(e *Entry, expired bool) {
	switch {
	case e == nil:
		st.misses.Add(1)
		if expired {
			st.expired.Add(1)
		}
		return
	case e.rank == RankGlue:
		st.glueHits.Add(1)
		st.credit(e)
	case e.rank != RankAnswer:
	case expired:
		st.stale.Add(1)
	case e.by == ByBundle:
		st.bundleHits.Add(1)
		st.credit(e)
	}
	e.mark(asked)
	e.hits.Store(e.hits.Load() + 1)
	st.hits.Add(1)
}

// credit counts the first hit on what nobody had asked for yet: without it, that query would have gone upstream and
// waited. The hits after it are any cache's.
func (st *hitStats) credit(e *Entry) {
	if e.mark(credited) {
		st.savedQueries.Add(1)
		st.savedWait.Add(int64(time.Duration(e.rtt) * rttStep))
	}
}
