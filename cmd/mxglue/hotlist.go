package main

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"math"
	"slices"
	"time"

	"github.com/mxglue/mxglue/cache"
)

// What a hot list has at most, and how often it is written.
const (
	maxHot      = 1000    // questions
	maxHotFile  = 1 << 20 // octets
	saveHotEach = 5 * time.Minute
)

// A hotlist keeps the questions asked most in a file, so that a restart is no cold start (cache.hotlist).
type hotlist struct {
	file   string
	before []cache.Asked // of the run before this one; counts for half as much each time that the file is written
	failed bool          // the file could not be written the last time
}

// newHotlist reads the file; nil is none. One that is not there yet is an empty one. One that is there and no hot list is
// logged and let be: it may be somebody else's, and mxglue does its work without.
func newHotlist(file string, log *slog.Logger) *hotlist {
	if file == "" {
		return nil
	}
	before, err := readHotlist(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		log.Warn("going on without a hot list: delete the file or mend it, or name another (cache.hotlist)", "error", err)
		return nil
	}
	return &hotlist{file: file, before: before}
}

// run asks what was asked most before, politely, and writes the file every five minutes and once ctx ends. When nobody has
// asked anything, the file stays as it is.
func (h *hotlist) run(ctx context.Context, answers *cache.Cache, warm func(context.Context, []cache.Asked), log *slog.Logger) {
	warmed := make(chan struct{})
	before := slices.Clone(h.before)
	go func() {
		defer close(warmed)
		warm(ctx, before)
	}()
	h.tell(tryHotlist(h.file), log)
	tick := time.NewTicker(saveHotEach)
	defer tick.Stop()
	for ended := false; !ended; {
		select {
		case <-tick.C:
		case <-ctx.Done():
			ended = true
		}
		if now := answers.Hottest(maxHot); len(now) > 0 {
			h.tell(h.save(now), log)
		}
	}
	<-warmed
}

// tell logs that the file cannot be written, once and not every five minutes.
func (h *hotlist) tell(err error, log *slog.Logger) {
	if err != nil && !h.failed {
		log.Warn("hot list cannot be written, so a restart will be a cold start: is its directory writable? (cache.hotlist)", "error", err)
	}
	h.failed = err != nil
}

// save writes what is asked most now, and what was before.
func (h *hotlist) save(now []cache.Asked) error {
	h.age()
	return writeHotlist(h.file, merge(now, h.before))
}

// age halves the counts of the run before, and forgets what is down to nothing.
func (h *hotlist) age() {
	for i := range h.before {
		h.before[i].Hits /= 2
	}
	h.before = slices.DeleteFunc(h.before, func(a cache.Asked) bool { return a.Hits == 0 })
}

// merge adds two lists up: the most asked first, maxHot at most.
func merge(a, b []cache.Asked) []cache.Asked {
	hits := map[cache.Asked]uint32{} // by the question, its Hits being 0
	for _, asked := range slices.Concat(a, b) {
		count := asked.Hits
		asked.Hits = 0
		hits[asked] += min(count, math.MaxUint32-hits[asked])
	}
	var all []cache.Asked
	for asked, count := range hits {
		asked.Hits = count
		all = append(all, asked)
	}
	slices.SortFunc(all, func(a, b cache.Asked) int {
		return cmp.Or(cmp.Compare(b.Hits, a.Hits), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Type, b.Type))
	})
	return all[:min(len(all), maxHot)]
}
