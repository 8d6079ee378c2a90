package cache

import "slices"

// segment is a run of entries in the order in which they were put in, with their messages: two pieces of memory however many
// they are, so that the garbage collector has little to look at. Nothing in it is written over, so whoever has found an
// entry may go on reading it; when all its entries are gone the segment is let go as a whole.
type segment struct {
	entries []Entry // never beyond the capacity that it was made with, nor is packed: neither moves
	packed  []byte
	size    int // octets that its entries take up, those that are gone included
}

// The entries of a segment: few where there are few in all, many where two pieces of memory for each hundred would count.
const (
	leastInSegment = 8
	mostInSegment  = 512
)

// newSegment returns a segment with room for so many entries with so many octets of messages.
func newSegment(entries, octets int) *segment {
	return &segment{entries: make([]Entry, 0, entries), packed: make([]byte, 0, octets)}
}

// hasRoom says whether a message of so many octets fits. One that would take up a large part of the room gets its own.
func (g *segment) hasRoom(octets int) bool {
	return len(g.entries) < cap(g.entries) && (len(g.packed)+octets <= cap(g.packed) || g.isLarge(octets))
}

func (g *segment) isLarge(octets int) bool { return octets > cap(g.packed)/4 }

// put adds an entry with a copy of a message, and returns it. There must be room for it.
func (g *segment) put(full form, f facts) *Entry {
	g.entries = g.entries[:len(g.entries)+1]
	e := &g.entries[len(g.entries)-1]
	e.full, e.facts = full.on(g.keep(full.packed)), f
	g.size += e.size()
	return e
}

// keep returns a copy of a message.
func (g *segment) keep(packed []byte) []byte {
	if g.isLarge(len(packed)) {
		return slices.Clone(packed)
	}
	start := len(g.packed)
	g.packed = append(g.packed, packed...)
	return slices.Clip(g.packed[start:])
}
