package cache

import (
	"hash/maphash"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/mxglue/mxglue/cache/wire"
)

// GluePolicy says what becomes of the address records in the additional section of an MX response.
type GluePolicy string

// The glue policies. Whatever the policy, the additional section is given back with the answer it came with.
const (
	Trust  GluePolicy = "trust"  // within the fence of promote.go they answer follow-up queries
	Verify GluePolicy = "verify" // they answer nobody, but a difference to what upstream says later is counted and logged
	Ignore GluePolicy = "ignore" // they are echoed only
)

// Options are the cache's settings, all of which but Log can be changed later: Reconfigure. The zero value of a field means
// the default named beside it.
type Options struct {
	Entries        int           // the most entries kept (100000)
	Memory         int           // the most octets that entries take up, about (256 MiB)
	Glue           GluePolicy    // (Trust)
	GlueMaxTTL     time.Duration // the longest life of glue (300 s)
	GlueForAll     bool          // glue answers every client, not only the one that was sent it
	GluePrivate    bool          // glue may be RFC 1918, ULA and loopback addresses
	NegativeMaxTTL time.Duration // the longest life of NXDOMAIN and NODATA (1 h)
	MinTTL, MaxTTL time.Duration // bounds of the TTLs of answers; 0 is none but seven days (RFC 8767 §4)
	Log            *slog.Logger  // (slog.Default)
	// Configured says whether a name's answers are configured, so that no glue is taken for it. nil means none is.
	Configured func(name string) bool
}

// maxShards bounds how many locks the entries are spread over; small caches have fewer, so that Entries stays exact.
const maxShards = 64

// minPerShard keeps the order of eviction meaningful: a shard this small would evict at random.
const minPerShard = 256

// Cache is safe for use by many goroutines.
type Cache struct {
	// Wake is called for the first hit on an entry after an instant that SetWake named. It must not block. nil means
	// that nobody listens. It is to be set before the first Answer.
	Wake func(e *Entry, who Asker, why Reason)

	options atomic.Pointer[Options]
	log     *slog.Logger

	seed   maphash.Seed
	start  time.Time
	made   int // the most entries that there can be: the table before the book is not made anew
	shards []shard
	mask   uint64
	claims claims
	// adSeen is set once an upstream has set AD: from then on a client that asks to see AD is not answered from glue,
	// which could only tell it "not validated" (glue-policy: a wrong AD bit switches DANE off).
	adSeen  atomic.Bool
	notKept atomic.Uint64
	flushes atomic.Uint64  // counted up before anything is forgotten; whoever stores compares it with the shard's or the claims' lock held
	lanes   [maxLanes]lane // last: nothing that hits read is beside them
}

// New returns an empty cache. now is the instant that entries are aged from; later ones must come from the same clock.
func New(o Options, now time.Time) *Cache {
	o = o.withDefaults()
	n := 1
	for n < maxShards && o.Entries >= 2*n*minPerShard {
		n *= 2
	}
	c := &Cache{log: o.Log, seed: maphash.MakeSeed(), start: now, made: o.Entries, shards: make([]shard, n), mask: uint64(n - 1)}
	c.options.Store(&o)
	for i := range c.shards {
		c.shards[i].init(c.seed, share(o.Entries, n, i), o.Memory/n)
	}
	c.claims.init(o.claims())
	return c
}

// share returns what of so many entries is the ith shard's among n.
func share(entries, n, i int) int {
	size := entries / n
	if i < entries%n {
		size++
	}
	return size
}

// withDefaults fills in what is not set.
func (o Options) withDefaults() Options {
	if o.Entries <= 0 {
		o.Entries = 100_000
	}
	if o.Memory <= 0 {
		o.Memory = 256 << 20
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
	return o
}

// key appends the key of a packed question to buf[:0] and returns it with its hash.
func (c *Cache) key(buf, question []byte, cd bool) (key []byte, hash uint64) {
	key = wire.AppendKey(buf[:0], question, cd)
	return key, maphash.Bytes(c.seed, key)
}

// shard returns the shard of a key's hash. Entries of all ranks for one question share a shard.
func (c *Cache) shard(hash uint64) *shard { return &c.shards[hash>>58&c.mask] }

// since turns an instant into the cache's own time, the time since New. Entries keep it because it is eight octets, monotonic, and
// has no pointer.
func (c *Cache) since(now time.Time) time.Duration { return now.Sub(c.start) }

// SawAD tells the cache that an upstream validates: it has set AD.
func (c *Cache) SawAD() {
	if !c.adSeen.Load() {
		c.adSeen.Store(true)
	}
}

// SetWake asks for Wake to be called for one of the reasons for a bundle, at the first hit after the given instant. Only
// the entries of MX questions do that.
func (c *Cache) SetWake(e *Entry, why Reason, at time.Time) {
	if e.more != nil {
		e.more.bundle[why].Store(max(1, int64(c.since(at))))
	}
}

// Stats returns the counters since New.
func (c *Cache) Stats() Stats {
	st := Stats{Capacity: c.options.Load().Entries}
	for i := range c.shards {
		c.shards[i].addTo(&st)
	}
	for i := range c.lanes {
		c.lanes[i].addTo(&st)
	}
	st.NotKept = c.notKept.Load()
	c.claims.stats(&st)
	return st
}

// Octets returns how many octets the entries take up, about.
func (c *Cache) Octets() (sum int) {
	for i := range c.shards {
		s := &c.shards[i]
		s.mu.Lock()
		sum += s.octets
		s.mu.Unlock()
	}
	return sum
}

// Saved returns the first queries for glue and for a bundle's answers, which need not have gone upstream, and the round
// trips that they did not wait for.
func (c *Cache) Saved() (queries uint64, wait time.Duration) {
	for i := range c.lanes {
		queries += c.lanes[i].savedQueries.Load()
		wait += time.Duration(c.lanes[i].savedWait.Load())
	}
	return queries, wait
}
