package cache

import (
	"hash/maphash"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// GluePolicy says what becomes of the address records in the additional section of an MX response.
type GluePolicy string

// The glue policies. Whatever the policy, the additional section is given back with the answer it came with.
const (
	Trust  GluePolicy = "trust"  // within the fence of promote.go they answer follow-up queries
	Verify GluePolicy = "verify" // they answer nobody, but a difference to what upstream says later is counted and logged
	Ignore GluePolicy = "ignore" // they are echoed only
)

// Options are the cache's settings. The zero value of a field means the default named beside it.
type Options struct {
	Entries        int           // the most entries kept (100000)
	Glue           GluePolicy    // (Trust)
	GlueMaxTTL     time.Duration // the longest life of glue (300 s)
	GlueForAll     bool          // glue answers every client, not only the one that was sent it
	GluePrivate    bool          // glue may be RFC 1918, ULA and loopback addresses
	NegativeMaxTTL time.Duration // the longest life of NXDOMAIN and NODATA (1 h)
	Log            *slog.Logger  // (slog.Default)
}

// maxShards bounds how many locks the entries are spread over; small caches have fewer, so that Entries stays exact.
const maxShards = 64

// minPerShard keeps the LRU order meaningful: a shard this small would evict at random.
const minPerShard = 256

// Cache is safe for use by many goroutines.
type Cache struct {
	Options
	// Wake, when set, is called for the first hit on an entry after an instant that SetWake named. It must not block.
	// It is to be set before the first Answer.
	Wake func(e *Entry, do bool)

	seed   maphash.Seed
	start  time.Time
	shards []shard
	mask   uint64
	claims claims
	// adSeen is set once an upstream has set AD: from then on a client that asks to see AD is not answered from glue,
	// which could only tell it "not validated" (glue-policy: a wrong AD bit switches DANE off).
	adSeen atomic.Bool
}

type shard struct {
	mu    sync.Mutex
	lru   *simplelru.LRU[uint64, *Entry]
	stats hitStats
	_     [64]byte // its own cache line: two cores count at once
}

// hitStats are the counters of the hot path, guarded by the shard's lock.
type hitStats struct {
	hits, misses, expired, evicted uint64
	glueHits, bundleHits           uint64
	saved                          time.Duration // the round trips that glue and bundle hits did not wait for
}

// New returns an empty cache. now is the instant that entries are aged from; later ones must come from the same clock.
func New(o Options, now time.Time) *Cache {
	if o.Entries <= 0 {
		o.Entries = 100_000
	}
	if o.Glue == "" {
		o.Glue = Trust
	}
	if o.GlueMaxTTL <= 0 {
		o.GlueMaxTTL = 300 * time.Second
	}
	if o.NegativeMaxTTL <= 0 {
		o.NegativeMaxTTL = time.Hour
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	n := 1
	for n < maxShards && o.Entries >= 2*n*minPerShard {
		n *= 2
	}
	c := &Cache{Options: o, seed: maphash.MakeSeed(), start: now, shards: make([]shard, n), mask: uint64(n - 1)}
	for i := range c.shards {
		size := o.Entries / n
		if i < o.Entries%n {
			size++
		}
		c.shards[i].lru, _ = simplelru.NewLRU[uint64, *Entry](size, nil) // errs on sizes below 1 only
	}
	c.claims.init(max(o.Entries/4, 16))
	return c
}

// shard returns the shard of a key's hash. Entries of all ranks for one question share a shard.
func (c *Cache) shard(hash uint64) *shard { return &c.shards[hash>>58&c.mask] }

// since turns an instant into the cache's own time, which entries keep: eight octets, monotonic, no pointer.
func (c *Cache) since(now time.Time) time.Duration { return now.Sub(c.start) }

// insert puts e at its rank; what held the place before is gone.
func (c *Cache) insert(e *Entry) {
	s := c.shard(e.hash)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lru.Add(e.slot(), e) {
		s.stats.evicted++
	}
}

// remove takes the entry of a rank for a question away.
func (c *Cache) remove(hash uint64, r Rank) {
	s := c.shard(hash)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lru.Remove(slot(hash, r))
}

// SawAD tells the cache that an upstream validates: it has set AD.
func (c *Cache) SawAD() {
	if !c.adSeen.Load() {
		c.adSeen.Store(true)
	}
}

// SetWake asks for Wake to be called at the first hit after the given instant, by a client with or without DO.
func (c *Cache) SetWake(e *Entry, do bool, at time.Time) {
	e.wake[b2i(do)].Store(max(1, int64(c.since(at))))
}

// Stats returns the counters since New.
func (c *Cache) Stats() Stats {
	st := Stats{Capacity: c.Entries}
	for i := range c.shards {
		s := &c.shards[i]
		s.mu.Lock()
		st.Entries += s.lru.Len()
		st.Hits += s.stats.hits
		st.Misses += s.stats.misses
		st.Expired += s.stats.expired
		st.Evicted += s.stats.evicted
		st.GlueHits += s.stats.glueHits
		st.BundleHits += s.stats.bundleHits
		s.mu.Unlock()
	}
	c.claims.stats(&st)
	return st
}

// Saved returns the round trips that hits on glue and on a bundle's answers did not wait for.
func (c *Cache) Saved() (wait time.Duration) {
	for i := range c.shards {
		s := &c.shards[i]
		s.mu.Lock()
		wait += s.stats.saved
		s.mu.Unlock()
	}
	return wait
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}
