package cache

import (
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// shard is a part of the entries with a lock of its own.
type shard struct {
	mu        sync.Mutex
	lru       *simplelru.LRU[uint64, *Entry]
	octets    int // that the entries take up, about
	maxOctets int
	stats     hitStats
	_         [64]byte // its own cache line: two cores count at once
}

// hitStats are the counters of the hot path, guarded by the shard's lock.
type hitStats struct {
	hits, misses, expired, evicted uint64
	glueHits, bundleHits, stale    uint64
	evictedMemory                  uint64
	savedQueries                   uint64        // first hits on glue and on what a bundle fetched
	savedWait                      time.Duration // the round trips that these did not wait for
}

func (s *shard) init(entries, octets int) {
	s.maxOctets = octets
	s.lru, _ = simplelru.NewLRU(entries, func(_ uint64, e *Entry) { s.octets -= e.size() }) // errs on sizes below 1 only
}

// insert puts e at its rank; what held the place before is gone. The least recently asked make room.
func (s *shard) insert(e *Entry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if old, ok := s.lru.Peek(e.slot()); ok {
		e.hits.Store(old.hits.Load() / 2)
		s.octets -= old.size() // the LRU tells of those it throws out, not of those it replaces
	}
	s.octets += e.size()
	if s.lru.Add(e.slot(), e) {
		s.stats.evicted++
	}
	for s.octets > s.maxOctets && s.lru.Len() > 1 {
		s.lru.RemoveOldest()
		s.stats.evicted++
		s.stats.evictedMemory++
	}
}

// entryOverhead is what an entry takes up beside its messages, octets: the Entry, its places in the LRU's list and map.
const entryOverhead = 400

// size returns about how many octets e takes up.
func (e *Entry) size() int {
	n := entryOverhead + e.full.size()
	if e.plain != nil {
		n += e.plain.size()
	}
	return n
}

func (f *form) size() int { return cap(f.msg) + 2*cap(f.ttls) + 24*cap(f.cuts) }

// remove takes the entry of a rank for a question away.
func (s *shard) remove(hash uint64, r Rank) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lru.Remove(slot(hash, r))
}

// addTo adds what this shard counted.
func (s *shard) addTo(st *Stats) {
	s.mu.Lock()
	defer s.mu.Unlock()
	st.Entries += s.lru.Len()
	st.Octets += s.octets
	st.Hits += s.stats.hits
	st.Misses += s.stats.misses
	st.Expired += s.stats.expired
	st.Evicted += s.stats.evicted
	st.GlueHits += s.stats.glueHits
	st.BundleHits += s.stats.bundleHits
	st.StaleHits += s.stats.stale
	st.EvictedMemory += s.stats.evictedMemory
}
