package querylog

import (
	"net/netip"
	"time"

	"github.com/mxglue/mxglue/cache/wire"
)

// Query is one query and its reply.
type Query struct {
	Asked    time.Time
	Answered time.Time
	Client   netip.Addr
	TCP      bool
	Question []byte // packed, with type and class
	Reply    []byte // packed
	Source   string // where the answer came from

	size int // octets of the whole reply, of which the batch may keep less
}

// What a batch has room for at most.
const (
	batchQueries = 8192
	batchOctets  = 2 << 20
)

// batch is a number of queries, and the memory for what they point to.
type batch struct {
	queries []Query
	octets  []byte
}

func newBatch() *batch {
	return &batch{queries: make([]Query, 0, batchQueries), octets: make([]byte, 0, batchOctets)}
}

// add copies q, with the given number of octets of its reply at most. It says whether there was room, and whether the writer
// is to be woken: for the first query, and when half of the room is taken.
func (b *batch) add(q Query, most int) (added, wake bool) {
	q.size = len(q.Reply)
	q.Reply = q.Reply[:min(len(q.Reply), most)]
	room := cap(b.octets) - len(b.octets)
	if len(b.queries) == cap(b.queries) || len(q.Question)+len(q.Reply) > room || len(q.Question) < 5 || len(q.Reply) < wire.HeaderLen {
		return false, false
	}
	before := b.halfFull()
	q.Question, q.Reply = b.keep(q.Question), b.keep(q.Reply)
	b.queries = append(b.queries, q)
	return true, len(b.queries) == 1 || b.halfFull() != before
}

// halfFull says whether half of the room is taken.
func (b *batch) halfFull() bool {
	return len(b.queries) >= cap(b.queries)/2 || len(b.octets) >= cap(b.octets)/2
}

// keep copies p, for which there is room.
func (b *batch) keep(p []byte) []byte {
	n := len(b.octets)
	b.octets = append(b.octets, p...)
	return b.octets[n:]
}

func (b *batch) empty() { b.queries, b.octets = b.queries[:0], b.octets[:0] }
