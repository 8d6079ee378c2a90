//go:build linux

package main

import (
	"context"
	"fmt"
	"math"
	"time"
)

// cell is one kind of load.
type cell struct {
	name      string
	questions []question // asked in random order, all of them known; nil: names that nobody knows
	entries   int        // room that caches get
	tcp       bool
	rate      int      // queries a second; 0: as fast as they are answered
	missEvery int      // one query in so many is for a name that nobody knows; 0: none
	misses    string   // the letters that these begin with
	spread    int      // the server answers backlogs on so many CPUs; 0: it has one, and is asked from another
	beside    bool     // the servers take turns in it and in the cell before it at once, so that the two compare
	without   []string // peers that are left out
}

// loads returns the cells that a machine of so many CPUs has room for.
func loads(cpus int) []cell {
	tenK, hundredK, million := hosts(10_000, false), hosts(100_000, false), hosts(1_000_000, false)
	cells := []cell{
		{name: "1 name", questions: hosts(1, false), entries: 10_000},
		{name: "10k names", questions: tenK, entries: 20_000},
		{name: "10k, EDNS DO", questions: hosts(10_000, true), entries: 20_000},
		{name: "100k names", questions: hundredK, entries: 150_000},
		{name: "1M names", questions: million, entries: 1_500_000, without: []string{"dnsmasq", "PowerDNS Recursor", bind}},
		{name: "mail mix", questions: mail(2_000), entries: 40_000},
		{name: "miss", misses: "miss", entries: 500_000},
		{name: "TCP", questions: tenK, entries: 20_000, tcp: true},
		{name: "5k/s", questions: tenK, entries: 20_000, rate: 5_000},
		{name: "20k/s", questions: tenK, entries: 40_000, rate: 20_000},
		{name: "20k/s with misses", questions: tenK, entries: 40_000, rate: 20_000, missEvery: inARow, misses: "miss", beside: true},
		{name: "20k/s, slow upstream", questions: tenK, entries: 40_000, rate: 20_000, missEvery: inARow, misses: "slow", beside: true},
	}
	if cpus > 1 {
		cells = append(cells,
			cell{name: "1 CPU", questions: tenK, entries: 20_000, spread: 1},
			cell{name: "2 CPUs", questions: tenK, entries: 20_000, spread: 2, beside: true})
	}
	return cells
}

// hit says whether all is answered from the cache.
func (c *cell) hit() bool { return c.misses == "" }

// closed says whether the server, on a CPU of its own, is asked as fast as it answers.
func (c *cell) closed() bool { return c.rate == 0 && c.spread == 0 }

// cpus returns those that the server runs on.
func (c *cell) cpus() []int {
	all := []int{serverCPU}
	for cpu := serverCPU + 1; cpu < c.spread; cpu++ {
		all = append(all, cpu)
	}
	return all
}

// source is what a server is asked in the turns of a cell.
func (c *cell) source() source {
	switch {
	case c.questions == nil:
		return fresh(c.misses)
	case c.missEvery > 0:
		return sprinkled(shuffled(c.questions), fresh(c.misses), c.missEvery)
	}
	return shuffled(c.questions)
}

// warm asks everything until it has been answered, over the transport that is measured.
func (c *cell) warm(ctx context.Context, r *runner) error {
	left, deadline := len(c.questions), time.Now().Add(warmTime)
	if end, ok := ctx.Deadline(); ok && end.Before(deadline) {
		deadline = end
	}
	for pass := 0; pass < 2; pass++ { // the second finds what the first lost, or what was refused in the rush
		t, err := r.ask(inOrder(c.questions), left, deadline)
		if err != nil {
			return err
		}
		if n := t.answered + t.wrong + t.lost; pass > 0 && (t.wrong > 0 || t.lost*100 > n) || n < left {
			return fmt.Errorf("not warm: %d queries, of which within %v %d answered, %d wrongly, %d lost", left, warmTime, t.answered, t.wrong, t.lost)
		}
	}
	return nil
}

// warmTime is how long warming a server may take; a million names take one in which a miss costs most a minute.
const warmTime = 2 * time.Minute

// ask asks as fast as there are answers.
func (r *runner) ask(next source, enough int, deadline time.Time) (tally, error) {
	if r.cell.tcp {
		return askTCP(r.setting.Port, next, enough, deadline)
	}
	return r.client.closed(next, enough, deadline)
}

const noLimit = math.MaxInt

// load asks as the cell says, for so long. It returns how long hits took, if they were asked at a rate.
func (r *runner) load(d time.Duration) (t tally, took []time.Duration, err error) {
	switch {
	case r.cell.rate > 0:
		defer keepTick(serverCPU, r.setting.Port)()
		return r.client.open(r.next, r.cell.rate, d)
	case r.backlog != nil:
		t, err = r.backlog.closed(d)
	default:
		t, err = r.ask(r.next, noLimit, time.Now().Add(d))
	}
	return t, nil, err
}
