package cache

import (
	"hash/maphash"
	"time"

	"github.com/mxglue/mxglue/cache/wire"
)

// Stale returns the answer to q that has ended but is better than nothing while upstream is silent, or nil (RFC 8767).
// It is counted.
func (c *Cache) Stale(q *wire.Query, now time.Time) *Entry {
	key := q.Key()
	hash := maphash.Bytes(c.seed, key)
	s := c.shard(hash)
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.get(hash, RankAnswer, key)
	if e == nil || !e.staleFits(q, c.since(now)) {
		return nil
	}
	c.lane(q).stale.Add(1)
	return e
}

// Renew lets e answer for three seconds beyond its end: it is being refreshed.
func (c *Cache) Renew(e *Entry) { e.mark(renewing) }

// renewGrace is how long an answer goes on while it is refreshed. A caching upstream counts down to the same end as we
// do, so it is asked a second after that: then it has to ask, too, and what comes is fresh.
const renewGrace = 3 * time.Second

// inGrace says whether e has just ended and is being refreshed.
func (e *Entry) inGrace(at time.Duration) bool {
	return e.marked(renewing) && at < e.expires()+renewGrace
}

// graceFits says whether e, if it is in its grace, may be given to this client: AD is not promised beyond the TTL.
func (e *Entry) graceFits(q *wire.Query, at time.Duration) bool {
	return e.inGrace(at) && !e.showsAD(q)
}

// showsAD says whether the client would be told that e is authentic (RFC 6840 §5.7-5.8).
func (e *Entry) showsAD(q *wire.Query) bool { return e.is(authentic) && (q.DO || q.AD()) }

// staleFits says whether e, which has ended, may be given to this client if upstream fails. What was authentic is not
// given to one that would take it for authentic still: its signatures may have ended too.
func (e *Entry) staleFits(q *wire.Query, at time.Duration) bool {
	return at < e.staleUntil() && !e.showsAD(q)
}

// staleTTL is the TTL of an answer that has ended and is given because upstream fails, seconds (RFC 8767 §4).
const staleTTL = 30

// staleOptions say so to the client (RFC 8914 §4.4).
var staleOptions = wire.EDE(wire.EDEStaleAnswer, "")
