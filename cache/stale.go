package cache

import (
	"hash/maphash"
	"time"

	"github.com/mxglue/mxglue/cache/wire"
)

// Stale returns the answer to q that has ended but is better than nothing while upstream is silent, or nil (RFC 8767).
// It is counted.
func (c *Cache) Stale(q *wire.Query, now time.Time) *Entry {
	var buf [wire.MaxKey]byte
	key := wire.AppendKey(buf[:0], q.Question, q.CD())
	hash := maphash.Bytes(c.seed, key)
	s := c.shard(hash)
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.get(hash, RankAnswer, key)
	if e == nil || !e.staleFits(q, c.since(now)) {
		return nil
	}
	s.stats.stale++
	return e
}

// Renew lets e answer for three seconds beyond its end: it is being refreshed.
func (c *Cache) Renew(e *Entry) { e.renews.Store(true) }
