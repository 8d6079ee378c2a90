package main

import (
	"context"
	"os"
	"runtime/debug"
	"time"
)

// The garbage collector's room. Hits leave nothing behind, misses a few hundred octets each. So it need not run when the
// heap has doubled, as is its default, but when some hundred thousand misses have been. What a run costs grows with the
// cache, slowly: so does the room beside a large one.
const (
	mostRoom  = 48 << 20 // octets that are allocated before it runs, beside a small cache
	leastLive = 16 << 20 // a percentage of less than that would be large, and wrong as soon as the cache grows
	roomEvery = time.Second
)

// gcPercent returns for debug.SetGCPercent how far the heap may grow beyond a cache of so many octets.
func gcPercent(octets int) int {
	live := max(octets, leastLive)
	return 100 * max(mostRoom-live/8, live/3) / live
}

// keepMemory adapts the garbage collector to the size of the cache until ctx ends. Whoever sets GOGC knows better.
func keepMemory(ctx context.Context, octets func() int) {
	if os.Getenv("GOGC") != "" {
		return
	}
	defer debug.SetGCPercent(debug.SetGCPercent(100)) // as it was
	tick := time.NewTicker(roomEvery)
	defer tick.Stop()
	for now := 100; ; {
		if want := gcPercent(octets()); want != now {
			debug.SetGCPercent(want)
			now = want
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
