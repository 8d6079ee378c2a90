//go:build linux

package main

import (
	"fmt"
	"io"
)

// scaling are the two cells that compare, in this order; nil if they were not measured.
func (b *bench) scaling() []*cell {
	var both []*cell
	for i := range b.cells {
		if c := &b.cells[i]; c.spread == len(both)+1 {
			both = append(both, c)
		}
	}
	if len(both) < 2 {
		return nil
	}
	return both
}

// printScaling is the table of the cells in which a crowd asks.
func (b *bench) printScaling(w io.Writer) {
	cells := b.scaling()
	if cells == nil {
		return
	}
	head(w, "The server on one CPU and on two; on both a thread that asks from many ports, as fast as it is answered. Medians.", "server",
		"µs a query, 1 CPU", "2 CPUs", "two do the work of", "answers/s, 1 CPU", "2 CPUs", "CPUs in use, 1 CPU", "2 CPUs", "unused, 2 CPUs")
	for _, s := range b.present() {
		if !s.spreads {
			continue
		}
		one, two := b.turns[key{s, cells[0].name}], b.turns[key{s, cells[1].name}]
		rate := func(t result) float64 { return t.rate }
		used := func(t result) float64 { return t.rate * t.cpu / 1e6 }
		row(w, s.title(), spread(pick(one, cpuOf)), spread(pick(two, cpuOf)), ratio(2*b.cost(s, cells[0]), b.cost(s, cells[1])),
			number(median(one, rate)), number(median(two, rate)), fmt.Sprintf("%.2f", median(one, used)), fmt.Sprintf("%.2f", median(two, used)),
			fmt.Sprintf("%.2f", median(two, func(t result) float64 { return t.unused })))
	}
	fmt.Fprintln(w, "\n*Those who ask need the same CPUs, so answers a second say little, and what compares is the CPU that a query costs under the same"+
		" load: two CPUs do twice the first cost by the second of the work of one. Threads that wait for each other cost no CPU, but would leave"+
		" some unused.*")
}
