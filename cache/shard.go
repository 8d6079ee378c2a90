package cache

import (
	"hash/maphash"
	"sync"
)

// shard is a part of the entries, under one lock. They lie in segments in the order in which they came; the book is a map that
// says where; before the book stands a table that hits are read from without the lock.
//
// Room is made by the clock algorithm, which keeps about what an LRU keeps, without a write to a list at each hit: a hand goes over
// the entries from the oldest on. One that has been asked for since it was put where it lies is copied behind the youngest and
// so gets another turn; the first that has not been is evicted.
type shard struct {
	front front

	mu       sync.Mutex
	seed     maphash.Seed
	book     map[uint64]place              // by slot; without pointers, so that the garbage collector passes it by
	segments []*segment                    // from the oldest to the youngest, which is being filled
	first    uint32                        // the number of the oldest; the others' follow, and may wrap
	hand     int                           // how many entries of the oldest segment it has passed: all of them gone
	messages messages                      // of the entries
	room     struct{ entries, octets int } // the most there may be
	octets   int                           // that the entries in the book take up, about
	gone     int                           // octets of entries that are gone, but whose memory the hand has not freed yet

	evicted, evictedMemory uint64
}

// place is where an entry lies: the number of its segment, and its index there.
type place struct{ segment, index uint32 }

func (s *shard) init(seed maphash.Seed, entries, octets int) {
	s.seed, s.room.entries, s.room.octets = seed, entries, octets
	s.book = make(map[uint64]place)
	s.front = newFront(entries)
}

// insert puts an entry at its rank, and returns it; what held the place before is gone. What has not been asked for makes room.
// Called with mu held.
func (s *shard) insert(hash uint64, full form, f facts) *Entry {
	at, hits := slot(hash, f.rank), uint32(0)
	if old := s.at(at); old != nil {
		hits = old.hits.Load() / 2
		s.discard(at, old)
	}
	s.fit(1, sizeOf(&full, f.more))
	e := s.put(at, full, f)
	e.hits.Store(hits)
	s.front.drop(hash) // the next query finds out what answers it now
	return e
}

// put lays an entry with a copy of its message behind the youngest.
func (s *shard) put(at uint64, full form, f facts) *Entry {
	g := s.youngest()
	index := len(g.entries)
	g.entries = g.entries[:index+1]
	e := &g.entries[index]
	e.full, e.facts = full.on(s.messages.keep(full.packed)), f
	g.size += e.size()
	s.octets += e.size()
	s.book[at] = place{s.first + uint32(len(s.segments)-1), uint32(index)}
	return e
}

// youngest returns the segment that is being filled. If it is full another is begun, for an eighth of as many entries as there
// are, or an eighth of the octets that there may be.
func (s *shard) youngest() *segment {
	if n := len(s.segments); n > 0 && !s.segments[n-1].isFull(s.room.octets/8) {
		return s.segments[n-1]
	}
	g := &segment{entries: make([]Entry, 0, min(max(leastInSegment, len(s.book)/8), mostInSegment))}
	s.segments = append(s.segments, g)
	return g
}

// at returns the entry at a slot, or nil.
func (s *shard) at(slot uint64) *Entry {
	p, ok := s.book[slot]
	if !ok {
		return nil
	}
	return &s.segments[p.segment-s.first].entries[p.index]
}

// discard takes an entry out of the book and the table in front of it.
func (s *shard) discard(at uint64, e *Entry) {
	delete(s.book, at)
	s.front.drop(slot(at, e.rank))
	s.leave(e)
}

// leave marks an entry gone that the book does not lead to any more. Its memory is let go with its segment.
func (s *shard) leave(e *Entry) {
	e.mark(gone)
	s.octets -= e.size()
	s.gone += e.size()
}

// fit makes room for so many more entries and octets.
func (s *shard) fit(entries, octets int) {
	for len(s.book) > 0 && (len(s.book)+entries > s.room.entries || s.octets+octets > s.room.octets) {
		s.evicted++
		if len(s.book)+entries <= s.room.entries {
			s.evictedMemory++
		}
		s.evict()
	}
	s.tidy()
}

// mostTurns is how many entries in a row get another turn because they have been asked for: the shard's lock is not to be held
// for long, and where so many have been it matters little which one goes.
const mostTurns = 1024

// evict throws one entry out.
func (s *shard) evict() {
	for range mostTurns {
		e := s.oldest()
		if !e.marked(asked) {
			break
		}
		s.again(e)
	}
	e := s.oldest()
	s.discard(s.slotOf(e), e)
}

// tidy frees memory until what is gone takes up at most a quarter of what is not: the hand goes on, so that segments end, and what
// lives in them is copied behind the youngest. It ends after one round at the latest, since nothing that is copied is gone.
func (s *shard) tidy() {
	for e := s.oldest(); e != nil && s.gone > s.octets/4; e = s.oldest() {
		s.again(e)
	}
}

// oldest moves the hand to the oldest entry that is not gone, and returns it, or nil if there is none. The segments that it has
// passed are let go.
func (s *shard) oldest() *Entry {
	for len(s.segments) > 0 {
		g := s.segments[0]
		for ; s.hand < len(g.entries); s.hand++ {
			e := &g.entries[s.hand]
			if !e.marked(gone) {
				return e
			}
			s.gone -= e.size()
		}
		if len(s.segments) == 1 {
			break // it is being filled
		}
		s.segments[0], s.segments = nil, s.segments[1:]
		s.first++
		s.hand = 0
	}
	return nil
}

// again copies an entry behind the youngest, as one that has not been asked for yet, and leaves the old one. A reader who has
// just found the old one notes a hit or a mark there, and that may be lost.
func (s *shard) again(e *Entry) {
	at := s.slotOf(e)
	next := s.put(at, e.full, e.facts)
	next.hits.Store(e.hits.Load())
	next.marks.Store(e.marks.Load() &^ uint32(asked))
	s.leave(e)
	s.front.swap(slot(at, e.rank), e, next)
}

// slotOf returns the slot of an entry.
func (s *shard) slotOf(e *Entry) uint64 { return slot(e.hash(s.seed), e.rank) }

// each calls f for every entry. f may discard it.
func (s *shard) each(f func(e *Entry)) {
	for _, g := range s.segments {
		for i := range g.entries {
			if e := &g.entries[i]; !e.marked(gone) {
				f(e)
			}
		}
	}
}

// resize gives the shard other bounds; what there is too much of goes at once.
func (s *shard) resize(entries, octets int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.room.entries, s.room.octets = entries, octets
	s.fit(0, 0)
}

// remove takes the entry of a rank for a question away.
func (s *shard) remove(hash uint64, r Rank) {
	s.mu.Lock()
	defer s.mu.Unlock()
	at := slot(hash, r)
	if e := s.at(at); e != nil {
		s.discard(at, e)
		s.tidy()
	}
}

// entryOverhead is what an entry takes up beside its messages, octets: the Entry, and its places in front and in the book.
const entryOverhead = 80 + 16 + 28

// size returns about how many octets e takes up.
func (e *Entry) size() int { return sizeOf(&e.full, e.more) }

func sizeOf(full *form, more *more) int {
	n := entryOverhead + len(full.packed)
	if more != nil {
		n += 64 + cap(more.options)
		if more.plain != nil {
			n += 48 + cap(more.plain.packed)
		}
	}
	return n
}
