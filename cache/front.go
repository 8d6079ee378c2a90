package cache

import (
	"math/bits"
	"sync/atomic"
)

// front is a table before the book: at a question's hash, the entry that answers it. Hits read it without a lock; it is written
// under the shard's. It holds only answers and glue that lived when they were put there; what is not in it may be in the book.
//
// A reader loads a set's tags and then a pointer, and a writer may come between the two. That does no harm: the tags only say
// where to look. Entries are immutable, and a reader takes one only after comparing its whole question (isFor) and its end
// (lives). At worst it finds nothing and asks the book, or answers as if it had come a moment before. So that it is no more than
// a moment, whoever changes what answers a question has to drop it from here.
type front []set

// set is the entries whose hashes have the same low bits, at most seven: one line of the processor's cache.
type set struct {
	tags atomic.Uint64 // octet i is the tag of entry i, 0 for none: entries of other tags need not be fetched from memory
	at   [ways]atomic.Pointer[Entry]
}

const ways = 7

// Every octet, and the top bit of each that is a way's.
const (
	eachOctet = 0x0101010101010101
	eachWay   = 0x0080808080808080
)

// newFront returns a table with room for so many entries. Where more than seven fall into one set, they take turns.
func newFront(entries int) front {
	n := 1
	for n*ways < entries {
		n *= 2
	}
	return make(front, n)
}

// set returns the set of a hash.
func (f front) set(hash uint64) *set { return &f[hash&uint64(len(f)-1)] }

// tag returns eight bits of a hash, of which its set's number uses none; the lowest is set, so that no tag is 0.
func tag(hash uint64) uint64 { return hash>>48&0xff | 1 }

// find returns the entry for the question in key, or nil.
func (f front) find(hash uint64, key []byte) *Entry {
	set := f.set(hash)
	for m := set.match(hash); m != 0; m &= m - 1 {
		if e := set.at[wayOf(m)].Load(); e != nil && e.isFor(key) {
			return e
		}
	}
	return nil
}

// match compares the hash's tag with all tags of the set at once. It returns a word with the top bit set in the octet of each way
// whose tag is equal, and now and then in one whose is not: the XOR makes equal octets 0, and subtracting 1 from an octet sets its
// top bit if it was 0, but also borrows from the octet above. isFor sorts those out.
func (s *set) match(hash uint64) uint64 {
	x := s.tags.Load() ^ tag(hash)*eachOctet
	return (x - eachOctet) & ^x & eachWay
}

// wayOf returns the first way of a match.
func wayOf(match uint64) int { return bits.TrailingZeros64(match) / 8 % ways }

// put puts e in its set. If that is full it takes the place of one that its hash chooses.
func (f front) put(hash uint64, e *Entry) {
	s := f.set(hash)
	tags := s.tags.Load()
	way := int(hash>>32) % ways
	for i := range ways {
		if tags>>(8*i)&0xff == 0 {
			way = i
			break
		}
	}
	s.at[way].Store(e)
	s.tags.Store(tags&^(0xff<<(8*way)) | tag(hash)<<(8*way))
}

// drop takes out every entry with the hash's tag: the one for its question, and maybe another's, which the book still has.
func (f front) drop(hash uint64) {
	s := f.set(hash)
	tags := s.tags.Load()
	for i := range ways {
		if tags>>(8*i)&0xff == tag(hash) {
			tags &^= 0xff << (8 * i)
			s.at[i].Store(nil)
		}
	}
	s.tags.Store(tags)
}

// swap puts other where e is, if e is there: the same entry at another place in memory.
func (f front) swap(hash uint64, e, other *Entry) {
	s := f.set(hash)
	for i := range s.at {
		if s.at[i].Load() == e {
			s.at[i].Store(other)
		}
	}
}
