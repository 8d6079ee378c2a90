package cache

// HOT: a hit is answered here: Answer finds the entry, wakes the resolver if that is due, and appends the reply. No allocation and
// no branch on configuration; and no lock for what stands in the table before the book (front.go, which is as hot).

import (
	"encoding/binary"
	"hash/maphash"
	"time"

	"github.com/mxglue/mxglue/cache/wire"
)

// Answer appends the reply to q if one is cached, and returns nil if not: then the question is the resolver's. dst may be
// the memory that q was parsed from, if q's message began there: without a reply it is left as it is.
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
	if e != nil && e.lives(at) { // one that has ended is past waking
		c.wakeFor(e, q, at)
	}
	return e
}

// Peek is Find without any effect: no count, no other turn when room is needed, no wake.
func (c *Cache) Peek(q *wire.Query, now time.Time) *Entry { return c.find(q, c.since(now), false) }

// find looks into the table before the book, without a lock, and only if that does not have what answers q into the book.
func (c *Cache) find(q *wire.Query, at time.Duration, count bool) *Entry {
	key, hash := q.Key(), q.Hash
	if hash == 0 {
		hash = maphash.Bytes(c.seed, key)
	}
	s := c.shard(hash)
	e, expired := s.front.find(hash, key), false
	if e == nil || !e.lives(at) || e.rank == RankGlue && !c.glueFits(e, q) {
		e, expired = c.search(s, hash, key, q, at)
	}
	if count {
		c.lane(q).count(e, expired, q.ID)
	}
	return e
}

// search looks into the book under the shard's lock. What it finds is put into the table before the book, unless it is a failure
// or has ended: whether those may answer has to be looked up each time.
func (c *Cache) search(s *shard, hash uint64, key []byte, q *wire.Query, at time.Duration) (e *Entry, expired bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e, expired = c.lookup(s, hash, key, q, at)
	if e != nil && e.rank > RankFailure && e.lives(at) {
		s.front.drop(hash)
		s.front.put(hash, e)
	}
	return e, expired
}

// lookup goes down the ranks and returns the first of these: an answer that lives, or has just ended and is being refreshed; while
// a failure is remembered, an answer that has ended but may be given stale; glue that fits the client; the failure. expired says
// that an answer was there and has ended.
func (c *Cache) lookup(s *shard, hash uint64, key []byte, q *wire.Query, at time.Duration) (e *Entry, expired bool) {
	answer := s.get(hash, RankAnswer, key)
	if answer != nil && (answer.lives(at) || answer.graceFits(q, at)) {
		return answer, false
	}
	failure := s.get(hash, RankFailure, key)
	if failure != nil && (!failure.lives(at) || answer != nil && failure.arrived < answer.arrived) { // upstream has answered since
		failure = nil
	}
	if failure != nil && answer != nil && answer.staleFits(q, at) {
		return answer, true
	}
	if glue := s.get(hash, RankGlue, key); glue != nil && glue.lives(at) && c.glueFits(glue, q) {
		return glue, false
	}
	return failure, answer != nil
}

// get returns the entry of a rank for the question in key, or nil.
func (s *shard) get(hash uint64, r Rank, key []byte) *Entry {
	if e := s.at(slot(hash, r)); e != nil && e.isFor(key) {
		return e
	}
	return nil
}

// isFor compares the whole question: a hash can collide.
func (e *Entry) isFor(key []byte) bool {
	end := len(key) - 1
	return e.is(asDisabled) == (key[end] != 0) && string(e.question()) == string(key[:end])
}

// glueFits says whether glue may answer this client (glue-policy guards 8 and 9): only the one that was sent it, never
// one that asks for DNSSEC. CD is part of the key, and glue has none.
func (c *Cache) glueFits(e *Entry, q *wire.Query) bool {
	return !q.DO && (!q.AD() || !c.adSeen.Load()) && (e.is(forAll) || e.source.Value().client == q.Client)
}

// wakeFor calls Wake once for each reason whose instant has come.
func (c *Cache) wakeFor(e *Entry, q *wire.Query, at time.Duration) {
	if e.isDue(at) && e.mark(refreshed) {
		c.wake(e, AskerOf(q), WakeRefresh)
	}
	if e.more != nil {
		who := AskerOf(q)
		why := c.BundleReason(e, who)
		w := &e.more.bundle[why]
		if due := w.Load(); due != 0 && int64(at) >= due && w.CompareAndSwap(due, 0) {
			c.wake(e, who, why)
		}
	}
}

// isDue says whether a hit now shows that e is worth a refresh: it is in the last part of its life, and of the kind that may be
// given stale. Without CD, since a refresh is asked without it.
func (e *Entry) isDue(at time.Duration) bool {
	life := time.Duration(e.full.ttl) * time.Second
	return e.is(mayBeStale) && !e.is(asDisabled) && at-e.arrived >= life-life/refreshPart
}

func (c *Cache) wake(e *Entry, who Asker, why Reason) {
	if c.Wake != nil {
		c.Wake(e, who, why)
	}
}

// Append appends e as the reply to q: the longest prefix of the packed message that fits q.Limit and has not expired.
// q must ask e's question. dst may be the memory that q was parsed from, if q's message began there.
func (c *Cache) Append(dst []byte, e *Entry, q *wire.Query, now time.Time) []byte {
	f, options := &e.full, []byte(nil)
	if e.more != nil {
		if options = e.more.options; !q.DO && e.more.plain != nil {
			f = e.more.plain
		}
	}
	at := c.since(now)
	age := max(0, at-e.arrived) // now may have been read before the entry came
	stale := !e.lives(at) && at < e.staleUntil() && !e.inGrace(at)
	if stale {
		options = staleOptions
	}
	room := q.Limit
	if q.EDNS {
		room -= wire.OPTLen
		if len(options) > room-int(f.question) {
			options = nil // without room for its reasons a failure goes without
		}
		room -= len(options)
	}
	end, counts := f.cut(room, age)

	n := len(dst)
	dst = append(dst, f.packed[:wire.HeaderLen]...)
	dst = append(dst, q.Question...) // as the client spelled it
	dst = append(dst, f.packed[f.question:end]...)
	msg := dst[n:]
	flags := q.ReplyFlags(0) | wire.Flags(msg)
	if e.showsAD(q) {
		flags |= wire.FlagAD
	}
	if end < int(f.needed) {
		flags |= wire.FlagTC
	}
	binary.BigEndian.PutUint16(msg[0:], q.ID)
	binary.BigEndian.PutUint16(msg[2:], flags)
	copy(msg[6:wire.HeaderLen], counts)
	if stale {
		f.setTTLs(msg, staleTTL)
	} else if age >= time.Second {
		f.ageTTLs(msg, uint32(age/time.Second))
	}
	if q.EDNS {
		binary.BigEndian.PutUint16(msg[10:], binary.BigEndian.Uint16(msg[10:])+1)
		dst = wire.AppendOPT(dst, q, 0, options)
	}
	return dst
}

// noCounts are those of a reply without records: answer, authority, additional.
var noCounts = make([]byte, 6)

// cut returns where the longest reply ends that has room and lives, and its packed counts of records.
func (f *form) cut(room int, age time.Duration) (end int, counts []byte) {
	seconds := age / time.Second
	if int(f.end) <= room && seconds < time.Duration(f.life) {
		return int(f.end), f.packed[6:wire.HeaderLen]
	}
	for i := int(f.cuts) - 1; i >= 0; i-- {
		c := f.cutAt(i)
		end := int(binary.BigEndian.Uint16(c))
		if end <= room && seconds < time.Duration(binary.BigEndian.Uint32(c[8:])) {
			return end, c[2:8]
		}
	}
	return int(f.question), noCounts
}

// ageTTLs counts the TTLs in msg down by age seconds, each RRset's from what it came with (RFC 1035 §6.1.3), to 0 at last.
func (f *form) ageTTLs(msg []byte, age uint32) {
	for i := range f.records() {
		off := f.ttlAt(i)
		if off >= len(msg) {
			return
		}
		ttl := binary.BigEndian.Uint32(msg[off:])
		binary.BigEndian.PutUint32(msg[off:], ttl-min(ttl, age))
	}
}

// setTTLs makes every TTL in msg the same.
func (f *form) setTTLs(msg []byte, ttl uint32) {
	for i := range f.records() {
		off := f.ttlAt(i)
		if off >= len(msg) {
			return
		}
		binary.BigEndian.PutUint32(msg[off:], ttl)
	}
}

// near is the most queries that Near looks at.
const near = 32

// Near reads a little of each entry that will answer one of a batch of queries, so that the processor has fetched them when Answer
// comes to them one by one: where there are more names than its caches hold, the fetches of a whole batch overlap and take little
// longer than one. It notes each query's Hash on the way. The sum that it returns means nothing; without it the compiler would
// leave the reading out.
func (c *Cache) Near(batch []wire.Query) (sum int) {
	var found [near]*Entry
	batch = batch[:min(len(batch), near)]
	for i := range batch {
		if q := &batch[i]; len(q.Question) > 0 {
			q.Hash = maphash.Bytes(c.seed, q.Key())
		}
	}
	for i := range batch {
		hash := batch[i].Hash
		set := c.shard(hash).front.set(hash)
		if m := set.match(hash); m != 0 {
			found[i] = set.at[wayOf(m)].Load()
		}
	}
	for _, e := range found[:len(batch)] {
		if e != nil {
			last := len(e.full.packed) - 1
			sum += int(e.hits.Load()) + int(e.full.packed[0]) + int(e.full.packed[last/2]) + int(e.full.packed[last])
		}
	}
	return sum
}
