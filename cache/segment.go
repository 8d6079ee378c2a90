package cache

import "slices"

// segment is a run of entries in the order in which they were put in: one piece of memory however many they are, so that the
// garbage collector has little to look at. Nothing in it is written over but hits and marks, so whoever has found an entry may go
// on reading it; when all its entries are gone the segment is let go as a whole.
type segment struct {
	entries []Entry // never beyond the capacity that it was made with: they do not move
	size    int     // octets that its entries take up, those that are gone included
}

// The entries of a segment: few where there are few in all, many where a piece of memory for each hundred would count.
const (
	leastInSegment = 8
	mostInSegment  = 512
)

// isFull says whether a segment has all its entries, or as many octets as one may have: what is gone of the youngest segment
// is let go last, so it must not be large.
func (g *segment) isFull(octets int) bool {
	return len(g.entries) == cap(g.entries) || g.size >= octets
}

// messages is where the messages of entries lie: many in each piece of memory, one behind the other, and a large one in its own.
// A piece goes when the last segment goes that has entries with a message there.
type messages []byte

// pieceOctets is the size of a piece, and a quarter of it what is large.
const pieceOctets = 8 << 10

// keep returns a copy of a message.
func (m *messages) keep(packed []byte) []byte {
	if len(packed) > pieceOctets/4 {
		return slices.Clone(packed)
	}
	if len(*m)+len(packed) > cap(*m) {
		*m = make([]byte, 0, pieceOctets)
	}
	start := len(*m)
	*m = append(*m, packed...)
	return slices.Clip((*m)[start:])
}
