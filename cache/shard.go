package cache

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// shard is a part of the entries. The LRU is the book of them, behind a lock; before it stands a table that hits are read
// from without one.
type shard struct {
	front front
	// inserted counts the entries that came. One that was made the youngest an eighth of the LRU's length of entries ago or
	// later is young enough: a burst of hits need not reorder the list, and a list that nothing is added to needs no order.
	inserted atomic.Uint32
	young    uint32

	mu        sync.Mutex
	lru       *simplelru.LRU[uint64, *Entry] // by slot
	octets    int                            // that the entries take up, about
	maxOctets int

	_     [64]byte // what hits write shares no cache line with what they read
	stats hitStats
	_     [64]byte
}

// hitStats are the counters of the hot path.
type hitStats struct {
	hits, misses, expired       atomic.Uint64
	glueHits, bundleHits, stale atomic.Uint64
	evicted, evictedMemory      atomic.Uint64
	savedQueries                atomic.Uint64 // first hits on glue and on what a bundle fetched
	savedWait                   atomic.Int64  // nanoseconds: the round trips that these did not wait for
}

func (s *shard) init(entries, octets int) {
	s.maxOctets, s.young = octets, uint32(max(1, entries/8))
	s.lru, _ = simplelru.NewLRU(entries, s.forget) // errs on sizes below 1 only
	s.front = newFront(entries)
}

// forget is told by the LRU of an entry that is gone.
func (s *shard) forget(at uint64, e *Entry) {
	s.octets -= e.size()
	s.front.drop(slot(at, e.rank))
}

// insert puts e at its rank; what held the place before is gone. The least recently asked make room.
func (s *shard) insert(hash uint64, e *Entry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	at := slot(hash, e.rank)
	if old, ok := s.lru.Peek(at); ok {
		e.hits.Store(old.hits.Load() / 2)
		s.octets -= old.size() // the LRU tells of those it throws out, not of those it replaces
	}
	s.octets += e.size()
	e.touched.Store(s.inserted.Add(1))
	if s.lru.Add(at, e) {
		s.stats.evicted.Add(1)
	}
	s.front.drop(hash) // the next query finds out what answers it now
	s.fit()
}

// resize gives the shard other bounds; the least recently asked make room at once.
func (s *shard) resize(entries, octets int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.maxOctets = octets
	s.stats.evicted.Add(uint64(s.lru.Resize(entries)))
	s.fit()
}

// fit evicts until the entries take up no more than they may. Called with mu held.
func (s *shard) fit() {
	for s.octets > s.maxOctets && s.lru.Len() > 1 {
		s.lru.RemoveOldest()
		s.stats.evicted.Add(1)
		s.stats.evictedMemory.Add(1)
	}
}

// touch makes e the youngest if it is not young any more.
func (s *shard) touch(hash uint64, e *Entry) {
	if s.inserted.Load()-e.touched.Load() < s.young {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lru.Get(slot(hash, e.rank))
	e.touched.Store(s.inserted.Load())
}

// entryOverhead is what an entry takes up beside its messages, octets: the Entry, and its places in front and in the LRU's
// list and map.
const entryOverhead = 80 + 16 + 80 + 32

// size returns about how many octets e takes up.
func (e *Entry) size() int {
	n := entryOverhead + roomFor(len(e.full.packed))
	if e.more != nil {
		n += 64 + cap(e.more.options)
		if e.more.plain != nil {
			n += 32 + cap(e.more.plain.packed)
		}
	}
	return n
}

// remove takes the entry of a rank for a question away.
func (s *shard) remove(hash uint64, r Rank) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lru.Remove(slot(hash, r))
}

// addTo adds what this shard counted.
func (s *shard) addTo(st *Stats) {
	s.mu.Lock()
	st.Entries += s.lru.Len()
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
