package upstream

import (
	"sync/atomic"
	"time"
)

// bounds are where the buckets of a Histogram end, and belong to them. They reach from a resolver on this host that has the
// answer to the patience of a stub resolver.
var bounds = [...]time.Duration{
	250 * time.Microsecond, 500 * time.Microsecond, time.Millisecond, 2500 * time.Microsecond, 5 * time.Millisecond,
	10 * time.Millisecond, 25 * time.Millisecond, 50 * time.Millisecond, 100 * time.Millisecond, 250 * time.Millisecond,
	500 * time.Millisecond, time.Second, 2500 * time.Millisecond, 5 * time.Second,
}

// A Histogram counts how long things took. The zero value is empty. It has no lock, and is safe for use by many goroutines.
type Histogram struct {
	counts [len(bounds) + 1]atomic.Uint64 // by bucket; the last is for what takes longer than all bounds
	total  atomic.Int64                   // ns
}

// Observe counts one.
func (h *Histogram) Observe(took time.Duration) {
	bucket := 0
	for bucket < len(bounds) && took > bounds[bucket] {
		bucket++
	}
	h.counts[bucket].Add(1)
	h.total.Add(int64(took))
}

// Times returns what has been counted so far.
func (h *Histogram) Times() (t Times) {
	for i := range h.counts {
		t.counts[i] = h.counts[i].Load()
	}
	t.Total = time.Duration(h.total.Load()) // may be of one more or less than was counted
	return t
}

// Times is a snapshot of a Histogram.
type Times struct {
	Total  time.Duration // of all together
	counts [len(bounds) + 1]uint64
}

// Buckets returns how many took at most so many seconds, for each bound, and how many there were at all.
func (t Times) Buckets() (upTo map[float64]uint64, all uint64) {
	upTo = make(map[float64]uint64, len(bounds))
	for i, bound := range bounds {
		all += t.counts[i]
		upTo[bound.Seconds()] = all
	}
	return upTo, all + t.counts[len(bounds)]
}
