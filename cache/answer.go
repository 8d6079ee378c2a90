package cache

// HOT: a hit is answered here. No allocation, one shard lock, no branch on configuration.

import (
	"encoding/binary"
	"time"

	"github.com/mxglue/mxglue/cache/wire"
)

// Answer appends the reply to q if one is cached, and returns nil if not: then the question is the resolver's.
func (c *Cache) Answer(dst []byte, q *wire.Query, now time.Time) []byte {
	e := c.Find(q, now)
	if e == nil {
		return nil
	}
	return c.Append(dst, e, q, now)
}

// Find returns the entry that answers q, or nil, and counts a hit or a miss.
func (c *Cache) Find(q *wire.Query, now time.Time) *Entry {
	at := c.since(now)
	e := c.find(q, at, true)
	if e != nil && at < e.expires { // one that has ended is past waking
		c.wakeFor(e, q, at)
	}
	return e
}

// Peek is Find without any effect: no count, no younger place in the LRU order, no wake.
func (c *Cache) Peek(q *wire.Query, now time.Time) *Entry { return c.find(q, c.since(now), false) }

func (c *Cache) find(q *wire.Query, at time.Duration, count bool) *Entry {
	var buf [wire.MaxKey]byte
	key, hash := c.key(buf[:], q.Question, q.CD())
	s := c.shard(hash)
	s.mu.Lock()
	e, expired := c.lookup(s, hash, key, q, at)
	if count {
		s.stats.count(e, expired)
		if e != nil {
			s.lru.Get(e.slot())
		}
	}
	s.mu.Unlock()
	return e
}

// lookup goes down the ranks: an answer, or an old one while upstream is known to fail, or glue, or the failure. expired
// says that an answer was there and has ended.
func (c *Cache) lookup(s *shard, hash uint64, key []byte, q *wire.Query, at time.Duration) (e *Entry, expired bool) {
	answer := s.get(hash, RankAnswer, key)
	if answer != nil && (at < answer.expires || answer.graceFits(q, at)) {
		return answer, false
	}
	failure := s.get(hash, RankFailure, key)
	if failure != nil && at >= failure.expires {
		failure = nil
	}
	if failure != nil && answer != nil && answer.staleFits(q, at) {
		return answer, true
	}
	if glue := s.get(hash, RankGlue, key); glue != nil && at < glue.expires && c.glueFits(glue, q) {
		return glue, false
	}
	return failure, answer != nil
}

// get returns the entry of a rank for the question in key, or nil.
func (s *shard) get(hash uint64, r Rank, key []byte) *Entry {
	if e, ok := s.lru.Peek(slot(hash, r)); ok && e.isFor(hash, key) {
		return e
	}
	return nil
}

// isFor compares the whole question: a hash can collide.
func (e *Entry) isFor(hash uint64, key []byte) bool {
	end := len(key) - 1
	return e.hash == hash && e.cd == (key[end] != 0) &&
		len(e.full.msg) >= wire.HeaderLen+end && string(e.full.msg[wire.HeaderLen:wire.HeaderLen+end]) == string(key[:end])
}

// glueFits says whether glue may answer this client (glue-policy guards 8 and 9): only the one that was sent it, never
// one that asks for DNSSEC. CD is part of the key, and glue has none.
func (c *Cache) glueFits(e *Entry, q *wire.Query) bool {
	return !q.DO && (!q.AD() || !c.adSeen.Load()) && (e.forAll || e.origin.Client == q.Client)
}

func (st *hitStats) count(e *Entry, expired bool) {
	switch {
	case e == nil:
		st.misses++
		if expired {
			st.expired++
		}
		return
	case e.rank == RankGlue:
		st.glueHits++
		st.credit(e)
	case expired && e.rank == RankAnswer:
		st.stale++
	case e.origin.By == ByBundle && e.rank == RankAnswer:
		st.bundleHits++
		st.credit(e)
	}
	e.hits.Store(e.hits.Load() + 1) // no other writer: the shard's lock is held
	st.hits++
}

// credit counts the first hit on what nobody had asked for yet: without it, that query would have gone upstream and
// waited. The hits after it are any cache's.
func (st *hitStats) credit(e *Entry) {
	if !e.saved {
		e.saved = true
		st.savedQueries++
		st.savedWait += e.origin.RTT
	}
}

// wakeFor calls Wake once for each reason whose instant has come.
func (c *Cache) wakeFor(e *Entry, q *wire.Query, at time.Duration) {
	who := AskerOf(q)
	for _, why := range [2]Reason{c.BundleReason(e, who), WakeRefresh} {
		w := &e.wake[why]
		if due := w.Load(); due != 0 && int64(at) >= due && w.CompareAndSwap(due, 0) && c.Wake != nil {
			c.Wake(e, who, why)
		}
	}
}

// Append appends e as the reply to q: the longest prefix of the packed message that fits q.Limit and has not expired.
// q must ask e's question.
func (c *Cache) Append(dst []byte, e *Entry, q *wire.Query, now time.Time) []byte {
	f := &e.full
	if !q.DO && e.plain != nil {
		f = e.plain
	}
	at := c.since(now)
	age := max(0, at-e.arrived) // now may have been read before the entry came
	stale := at >= e.expires && at < e.stale && !e.inGrace(at)
	options := e.options
	if stale {
		options = staleOptions
	}
	room := q.Limit
	if q.EDNS {
		room -= wire.OPTLen
		if len(options) > room-int(f.cuts[0].end) {
			options = nil // without room for its reasons a failure goes without
		}
		room -= len(options)
	}
	cut := f.cut(room, age)

	n := len(dst)
	dst = append(dst, f.msg[:cut.end]...)
	msg := dst[n:]
	flags := q.ReplyFlags(0) | wire.Flags(msg)
	if e.showsAD(q) {
		flags |= wire.FlagAD
	}
	if cut.partial {
		flags |= wire.FlagTC
	}
	binary.BigEndian.PutUint16(msg[0:], q.ID)
	binary.BigEndian.PutUint16(msg[2:], flags)
	binary.BigEndian.PutUint16(msg[6:], cut.counts[0])
	binary.BigEndian.PutUint16(msg[8:], cut.counts[1])
	binary.BigEndian.PutUint16(msg[10:], cut.counts[2])
	copy(msg[wire.HeaderLen:], q.Name())
	if stale {
		f.setTTLs(msg, staleTTL)
	} else {
		f.ageTTLs(msg, uint32(age/time.Second))
	}
	if q.EDNS {
		binary.BigEndian.PutUint16(msg[10:], cut.counts[2]+1)
		dst = wire.AppendOPT(dst, q, 0, options)
	}
	return dst
}

// cut returns the longest end of f that has room and lives.
func (f *form) cut(room int, age time.Duration) *cut {
	for i := len(f.cuts) - 1; i > 0; i-- {
		if c := &f.cuts[i]; int(c.end) <= room && age < c.life {
			return c
		}
	}
	return &f.cuts[0]
}

// ageTTLs counts the TTLs in msg down by age seconds, each RRset's from what it came with (RFC 1035 §7.3), to 0 at last.
func (f *form) ageTTLs(msg []byte, age uint32) {
	if age == 0 {
		return
	}
	for _, off := range f.ttls {
		if int(off) >= len(msg) {
			return
		}
		ttl := binary.BigEndian.Uint32(msg[off:])
		binary.BigEndian.PutUint32(msg[off:], ttl-min(ttl, age))
	}
}

// setTTLs makes every TTL in msg the same.
func (f *form) setTTLs(msg []byte, ttl uint32) {
	for _, off := range f.ttls {
		if int(off) >= len(msg) {
			return
		}
		binary.BigEndian.PutUint32(msg[off:], ttl)
	}
}
