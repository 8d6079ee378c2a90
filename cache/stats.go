package cache

import (
	"sync/atomic"
	"time"

	"github.com/mxglue/mxglue/cache/wire"
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

// lane is the counters of one UDP socket's queries. Each has cache lines of its own: a counter that two processors write to in
// turn costs them more than all else that a hit does.
type lane struct {
	_                           [64]byte
	hits, misses, expired       atomic.Uint64
	glueHits, bundleHits, stale atomic.Uint64
	savedQueries                atomic.Uint64 // first hits on glue and on what a bundle fetched
	savedWait                   atomic.Int64  // nanoseconds: the round trips that these did not wait for
}

// maxLanes is how many are counted apart; where there are more, some share.
const maxLanes = 16

func (c *Cache) lane(q *wire.Query) *lane { return &c.lanes[q.Lane%maxLanes] }

// addTo adds what this shard counted.
func (s *shard) addTo(st *Stats) {
	s.mu.Lock()
	defer s.mu.Unlock()
	st.Entries += len(s.book)
	st.Octets += s.octets
	st.Evicted += s.evicted
	st.EvictedMemory += s.evictedMemory
}

// addTo adds what was counted of this lane.
func (l *lane) addTo(st *Stats) {
	st.Hits += l.hits.Load()
	st.Misses += l.misses.Load()
	st.Expired += l.expired.Load()
	st.GlueHits += l.glueHits.Load()
	st.BundleHits += l.bundleHits.Load()
	st.StaleHits += l.stale.Load()
}

// count counts a hit on e for the query of an ID, or a miss; expired says that an answer was there and has ended.
func (l *lane) count(e *Entry, expired bool, id uint16) {
	switch {
	case e == nil:
		l.misses.Add(1)
		if expired {
			l.expired.Add(1)
		}
		return
	case e.rank == RankGlue:
		l.glueHits.Add(1)
		l.credit(e)
	case e.rank != RankAnswer:
	case expired:
		l.stale.Add(1)
	case e.by == ByBundle:
		l.bundleHits.Add(1)
		l.credit(e)
	}
	e.mark(asked)
	e.hit(id)
	l.hits.Add(1)
}

// exactHits is how many hits on an entry are counted one by one.
const exactHits = 64

// hit counts a hit on e. The first 64 are counted one by one. From then on a query adds 16 if its ID, which clients draw at random,
// is a multiple of 16, and else nothing: about right, and what is asked for most is not written to by all processors all the time.
func (e *Entry) hit(id uint16) {
	n := e.hits.Load()
	switch {
	case n < exactHits:
		e.hits.Store(n + 1)
	case id%16 == 0:
		e.hits.Store(max(n, n+16)) // it stays where it would begin anew
	}
}

// credit counts the first hit on glue, or on what a bundle fetched, as saved: without mxglue that query would have gone upstream
// and waited. The hits after it any cache would have had.
func (l *lane) credit(e *Entry) {
	if e.mark(credited) {
		l.savedQueries.Add(1)
		l.savedWait.Add(int64(time.Duration(e.rtt) * rttStep))
	}
}
