package resolver

import (
	"context"
	"time"

	"github.com/mxglue/mxglue/cache"
	"github.com/mxglue/mxglue/cache/wire"
)

// maxJoined is the most queries that wait for one question; those beyond hear SERVFAIL at once.
const maxJoined = 256

// flight is a question that is upstream now. Whoever asks it meanwhile joins it and waits for the same answer. Its life: board books
// it, find or start has it asked, by quick (quick.go) or else by fly, and land gives it its entry (landing.go).
type flight struct {
	key      string
	from     cache.Origin
	settings *settings
	started  time.Time
	joined   int           // guarded by Resolver.mu
	waited   bool          // guarded by Resolver.mu: a client or the tester waits, and not a bundle or a refresh alone
	who      cache.Asker   // guarded by Resolver.mu: the first of these, with DO if any of them sets it
	done     chan struct{} // guarded by Resolver.mu: made by waits for whoever has to wait, closed by land
	entry    *cache.Entry  // set once by land, with Resolver.mu held, before done is closed
}

// waits returns a channel that is closed when the flight has landed. It is made only here, because most flights land before anybody
// waits.
func (r *Resolver) waits(f *flight) <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	if f.done == nil {
		f.done = make(chan struct{})
		if f.entry != nil {
			close(f.done)
		}
	}
	return f.done
}

// find returns the entry that answers q, from upstream or from a question that is already on its way there, and says
// which. An old answer is given when upstream takes too long or fails. The entry is nil if ctx ends first, if too many
// questions are in flight, or if q does not unpack.
func (r *Resolver) find(ctx context.Context, q *wire.Query, by cache.By, now time.Time) (e *cache.Entry, source string) {
	f, first, e := r.board(q, by, now)
	if e != nil { // it landed between the miss and here
		if source = sourceOf(e); source == "" {
			source = "cache"
		}
		return e, source
	}
	if f == nil { // too much is going on for another question
		return r.cache.Stale(q, now), "cache"
	}
	if first {
		begun, e := r.quick(f, now)
		if e != nil {
			r.spare(f)
			return e, "upstream"
		}
		go r.fly(f, begun)
	}
	done := r.waits(f)
	late := time.NewTimer(f.settings.StaleAfter - time.Since(now))
	defer late.Stop()
	for {
		select {
		case <-done:
			if f.entry.Rank() == cache.RankFailure {
				if e := r.cache.Stale(q, time.Now()); e != nil {
					return e, "cache"
				}
			}
			if by != cache.ByBundle && f.from.By == cache.ByBundle {
				return f.entry, "bundle"
			}
			return f.entry, "upstream"
		case <-late.C:
			if e := r.cache.Stale(q, time.Now()); e != nil {
				return e, "cache"
			}
		case <-ctx.Done():
			return nil, ""
		}
	}
}

// start puts q's question in flight, or joins it there, without waiting for it. It returns nil if too much is in flight, or if the
// answer is cached.
func (r *Resolver) start(q *wire.Query, by cache.By) *flight {
	f, first, _ := r.board(q, by, time.Now())
	if first {
		go func() {
			if begun, e := r.quick(f, time.Now()); e == nil {
				r.fly(f, begun)
			}
		}()
	}
	return f
}

// board joins the flight of q's question, or books a new one: then first is true, and the caller has to see that it lands. If the
// answer has come into the cache meanwhile it returns that, e, and no flight. f and e are nil if too much is in flight, or too many
// have joined.
func (r *Resolver) board(q *wire.Query, by cache.By, now time.Time) (f *flight, first bool, e *cache.Entry) {
	key := q.Key()

	r.mu.Lock()
	defer r.mu.Unlock()
	if f, ok := r.flights[string(key)]; ok {
		return r.join(f, q, by, now), false, nil
	}
	if by != cache.ByRefresh { // a refresh is for an answer that goes on a little
		if e := r.cache.Peek(q, now); e != nil {
			return nil, false, e
		}
	}
	if len(r.flights) >= r.room(by) {
		r.stats.crowded.Add(1)
		return nil, false, nil
	}
	if n := len(r.landed); n > 0 {
		f, r.landed = r.landed[n-1], r.landed[:n-1]
	} else {
		f = new(flight)
	}
	*f = flight{key: string(key), settings: r.settings.Load(), started: now,
		from: cache.Origin{By: by, Client: q.Client, CD: q.CD(), Flushes: r.cache.Flushes()}}
	f.waitedFor(q, by)
	r.flights[f.key] = f
	return f, true, nil
}

// room returns how many questions may be in flight at most when one of this kind begins. An eighth of the places is for refreshes
// alone: what is asked for often is worth more than what a flood of names asks for once.
func (r *Resolver) room(by cache.By) int {
	most := r.settings.Load().MaxInFlight
	if by == cache.ByRefresh {
		return most
	}
	return most - most/8
}

// join lets q wait for a flight, and counts as saved the time that a bundle's question has been out before the client asked. It
// returns nil if too many wait already. Called with mu held.
func (r *Resolver) join(f *flight, q *wire.Query, by cache.By, now time.Time) *flight {
	if f.joined >= maxJoined {
		r.stats.joinsRefused.Add(1)
		return nil
	}
	f.joined++
	f.waitedFor(q, by)
	r.stats.joined.Add(1)
	if by == cache.ByClient && f.from.By == cache.ByBundle {
		r.stats.bundleJoined.Add(1)
		r.stats.mu.Lock()
		r.stats.saved += now.Sub(f.started)
		r.stats.mu.Unlock()
	}
	return f
}

// waitedFor notes that a client or the tester waits for the flight: if the question is for an MX, it will ask for addresses next.
// Called with mu held.
func (f *flight) waitedFor(q *wire.Query, by cache.By) {
	switch {
	case by != cache.ByClient && by != cache.ByProber:
	case !f.waited:
		f.waited, f.who = true, cache.AskerOf(q)
	default:
		f.who.DO = f.who.DO || q.DO
	}
}
