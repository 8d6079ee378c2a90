//go:build linux

package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"time"
)

// result is what one turn of a server showed.
type result struct {
	cpu       float64 // microseconds a query
	forwarded float64 // queries to upstream a query
	rate      float64 // answers a second, of backlogs
	waits     waits   // of open loops
}

// settle is how long a server is asked at the beginning of its turn before it counts: the CPU's caches are another's.
const settle = 100 * time.Millisecond

// measure is one turn of a server.
func (r *runner) measure(u *upstreamProcess, d time.Duration) (result, error) {
	if r.backlog == nil { // which finds the caches cold by itself
		if _, _, err := r.load(settle); err != nil {
			return result{}, err
		}
	}
	before, err1 := u.count()
	from, err2 := r.cpu()
	t, took, err3 := r.load(d)
	to, err4 := r.cpu()
	after, err5 := u.count()
	for _, err := range []error{err1, err2, err3, err4, err5, r.ended()} {
		if err != nil {
			return result{}, err
		}
	}
	if asked := t.answered + t.wrong + t.lost; t.answered == 0 || (t.wrong+t.lost)*50 > asked {
		return result{}, fmt.Errorf("of %d queries %d answered, %d wrongly, %d lost", asked, t.answered, t.wrong, t.lost)
	}
	answered := float64(t.answered)
	res := result{cpu: micros(to-from) / answered, forwarded: float64(after-before) / answered}
	if t.busy > 0 {
		res.rate = answered / t.busy.Seconds()
	}
	res.waits = waitsOf(took)
	return res, nil
}

// waits is how long hits took, microseconds.
type waits struct {
	p50, p99 float64 // of all
	calm     float64 // the median of the p99 of every few hundred in a row
}

// inARow is how many these are: as many as there are between two misses. A machine that is away for some milliseconds each
// second, or has other work for the server's CPU, decides what the p99 of a whole turn is. It spoils few rows, but what a miss
// does to the hits beside it is in each of them.
const inARow = 500

// waitsOf makes figures of hits in the order in which they were answered.
func waitsOf(took []time.Duration) (w waits) {
	if len(took) == 0 {
		return w
	}
	var rows []float64
	for row := range slices.Chunk(slices.Clone(took), inARow) {
		slices.Sort(row)
		rows = append(rows, micros(row[len(row)*99/100]))
	}
	w.calm, _, _ = middle(rows)
	took = slices.Sorted(slices.Values(took))
	w.p50, w.p99 = micros(took[len(took)/2]), micros(took[len(took)*99/100])
	return w
}

func micros(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }

// takes says whether a server is measured in a cell.
func (c *cell) takes(s *server) bool {
	switch {
	case s.version == "" || slices.Contains(c.without, s.name):
		return false
	case c.spread > 0:
		return s.spreads
	}
	return s.kind != echo || c.hit() && !c.tcp
}

// run measures cells together: every server is started for each and warmed, then they take turns.
func (b *bench) run(ctx context.Context, cells []*cell) {
	var on []*runner
	defer func() {
		for _, r := range on {
			r.end()
		}
	}()
	for _, c := range cells {
		fmt.Fprintf(os.Stderr, "bench: %s\n", c.name)
		for _, s := range b.servers {
			if ctx.Err() == nil && c.takes(s) {
				if r := b.prepare(ctx, s, c); r != nil {
					on = append(on, r)
				}
			}
		}
	}
	for round := range b.rounds {
		for i := range on {
			r := on[(i+round)%len(on)] // nobody always comes after the same one
			if ctx.Err() != nil {
				return
			}
			res, err := r.measure(b.upstream, b.turn)
			if err != nil { // the next may go better: the machine may have been away
				b.fail(r.server, r.cell, fmt.Errorf("round %d of %d does not count: %w", round+1, b.rounds, err))
				continue
			}
			at := key{r.server, r.cell.name}
			b.turns[at] = append(b.turns[at], res)
		}
	}
	for _, r := range on {
		if r.kind == own && len(r.cell.questions) >= many && ctx.Err() == nil {
			text, err := r.garbage()
			if err != nil {
				b.fail(r.server, r.cell, err)
			}
			b.garbage[r.cell.name] = text
		}
	}
}

// prepare starts a server and warms it. It returns nil if either fails.
func (b *bench) prepare(ctx context.Context, s *server, c *cell) *runner {
	b.launched++
	r, err := launch(s, c, b.scratch, b.launched, b.upstream.port)
	if err != nil {
		b.fail(s, c, err)
		return nil
	}
	b.starts[s] = append(b.starts[s], r.started)
	b.idle[s] = append(b.idle[s], r.idle)
	if c.questions != nil && s.kind != echo {
		if err := c.warm(ctx, r); err != nil {
			b.fail(s, c, err)
			r.end()
			return nil
		}
	}
	b.full[key{s, c.name}] = r.rss()
	return r
}
