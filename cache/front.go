package cache

import "sync/atomic"

// front is the table that hits are read from, without a lock: at a question's hash, what answers it. It holds only answers
// and glue that lived when they were put there; whoever reads asks whether they live still, and whether they are for the
// question at all. What is not there is in the book. All but reading is done under the shard's lock.
type front []set

// set is what hashes with the same end share: a line of the processor's cache.
type set struct {
	tags atomic.Uint64 // octet i is the tag of entry i, 0 for none: who looks for another need not look at it
	at   [ways]atomic.Pointer[Entry]
}

const ways = 7

// Every octet, and the top bit of each that is a way's.
const (
	eachOctet = 0x0101010101010101
	eachWay   = 0x0080808080808080
)

// newFront returns a table with room for so many entries. When the cache is full a few find their set full, and take turns.
func newFront(entries int) front {
	n := 1
	for n*ways < entries {
		n *= 2
	}
	return make(front, n)
}

// set returns the set of a hash.
func (f front) set(hash uint64) *set { return &f[hash&uint64(len(f)-1)] }

// tag returns an octet of a hash that the number of its set says nothing about.
func tag(hash uint64) uint64 { return hash>>48&0xff | 1 }

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

// drop takes out what is there for a question: every entry of its tag, which may be another's, too.
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

// swap puts another entry for a question where one is, if it is there.
func (f front) swap(hash uint64, e, other *Entry) {
	s := f.set(hash)
	for i := range s.at {
		if s.at[i].Load() == e {
			s.at[i].Store(other)
		}
	}
}
