//go:build linux

package main

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"
)

// cell is one kind of load.
type cell struct {
	name      string
	questions []question // asked in random order, all of them known; nil: names that nobody knows
	entries   int        // room that caches get
	tcp       bool
	rate      int // queries a second; 0: as fast as they are answered
	missEvery int // one query in so many is for a name that nobody knows; 0: none
}

// loads returns all cells. million adds the one of a million names.
func loads(million bool) []cell {
	tenK, hundredK := hosts(10_000, false), hosts(100_000, false)
	cells := []cell{
		{name: "1 name", questions: hosts(1, false), entries: 10_000},
		{name: "10k names", questions: tenK, entries: 20_000},
		{name: "10k, EDNS DO", questions: hosts(10_000, true), entries: 20_000},
		{name: "100k names", questions: hundredK, entries: 150_000},
		{name: "mail mix", questions: mail(2_000), entries: 40_000},
		{name: "miss", entries: 500_000},
		{name: "TCP", questions: tenK, entries: 20_000, tcp: true},
		{name: "5k/s", questions: tenK, entries: 20_000, rate: 5_000},
		{name: "20k/s", questions: tenK, entries: 20_000, rate: 20_000},
		{name: "20k/s with misses", questions: tenK, entries: 40_000, rate: 20_000, missEvery: 500},
	}
	if million {
		cells = append(cells, cell{name: "1M names", questions: hosts(1_000_000, false), entries: 1_500_000})
	}
	return cells
}

// hit says whether all is answered from the cache.
func (c *cell) hit() bool { return c.questions != nil && c.missEvery == 0 }

// source is what a server is asked in the turns of a cell.
func (c *cell) source() source {
	switch {
	case c.questions == nil:
		return fresh()
	case c.missEvery > 0:
		return sprinkled(shuffled(c.questions), fresh(), c.missEvery)
	}
	return shuffled(c.questions)
}

// result is what one turn of a server showed.
type result struct {
	cpu       float64 // microseconds a query
	forwarded float64 // queries to upstream a query
	p50, p99  float64 // microseconds that a hit took; of open loops
}

// warm asks everything until it has been answered, over the transport that is measured.
func (c *cell) warm(ctx context.Context, r *runner) error {
	left, deadline := len(c.questions), time.Now().Add(warmTime)
	if end, ok := ctx.Deadline(); ok && end.Before(deadline) {
		deadline = end
	}
	for pass := 0; pass < 2; pass++ { // the second finds what the first lost
		t, err := r.ask(c, inOrder(c.questions), left, deadline)
		if err != nil {
			return err
		}
		if n := t.answered + t.wrong + t.lost; t.wrong > 0 || pass > 0 && t.lost*100 > n || n < left {
			return fmt.Errorf("not warm: %d queries, of which within %v %d answered, %d wrongly, %d lost", left, warmTime, t.answered, t.wrong, t.lost)
		}
	}
	return nil
}

// warmTime is how long warming a server may take; a million names take one in which a miss costs most a minute.
const warmTime = 2 * time.Minute

// ask asks as fast as there are answers.
func (r *runner) ask(c *cell, next source, enough int, deadline time.Time) (tally, error) {
	if c.tcp {
		return askTCP(r.port, next, enough, deadline)
	}
	return r.client.closed(next, enough, deadline)
}

const noLimit = math.MaxInt

// settle is how long a server is asked at the beginning of its turn before it counts: the CPU's caches are another's.
const settle = 100 * time.Millisecond

// measure is one turn of a server.
func (c *cell) measure(r *runner, u *upstreamProcess, d time.Duration) (result, error) {
	if _, err := r.ask(c, r.next, noLimit, time.Now().Add(settle)); err != nil {
		return result{}, err
	}
	before, err1 := u.count()
	from, err2 := r.cpu()
	var t tally
	var took []time.Duration
	var err3 error
	if c.rate > 0 {
		t, took, err3 = r.client.open(r.next, c.rate, d)
	} else {
		t, err3 = r.ask(c, r.next, noLimit, time.Now().Add(d))
	}
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
	res := result{cpu: micros(to-from) / float64(t.answered), forwarded: float64(after-before) / float64(t.answered)}
	if len(took) > 0 {
		slices.Sort(took)
		res.p50, res.p99 = micros(took[len(took)/2]), micros(took[len(took)*99/100])
	}
	return res, nil
}

func micros(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }

// run measures one cell: every server is started and warmed, then they take turns.
func (b *bench) run(ctx context.Context, c *cell) {
	var on []*runner
	defer func() {
		for _, r := range on {
			r.end()
		}
	}()
	for _, s := range b.servers {
		if ctx.Err() != nil || s.version == "" || s.kind == echo && (c.questions == nil || c.tcp || c.missEvery > 0) {
			continue
		}
		b.launched++
		r, err := launch(s, b.scratch, b.launched, b.upstream.port, c.entries)
		if err != nil {
			b.fail(s, c, err)
			continue
		}
		on = append(on, r)
		b.starts[s] = append(b.starts[s], r.started)
		b.idle[s] = append(b.idle[s], r.idle)
		r.next = c.source()
		if c.questions != nil && s.kind != echo {
			if err := c.warm(ctx, r); err != nil {
				b.fail(s, c, err)
			}
		}
		b.full[key{s, c.name}] = r.rss()
	}
	for round := range b.rounds {
		for i := range on {
			r := on[(i+round)%len(on)] // nobody always comes after the same one
			at := key{r.server, c.name}
			if ctx.Err() != nil || b.failed[at] != nil {
				continue
			}
			res, err := c.measure(r, b.upstream, b.turn)
			if err != nil {
				b.fail(r.server, c, err)
				continue
			}
			b.turns[at] = append(b.turns[at], res)
		}
	}
}
