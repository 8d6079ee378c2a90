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

// printScaling is the table of the cells in which backlogs are answered.
func (b *bench) printScaling(w io.Writer) {
	cells := b.scaling()
	if cells == nil {
		return
	}
	head(w, "Queries that lie in the server's sockets already, answered on one CPU and on two, for which nobody else has a use meanwhile. Medians.",
		"server", "µs a query, 1 CPU", "2 CPUs", "two do the work of", "answers/s, 1 CPU", "2 CPUs", "two are as fast as")
	for _, s := range b.present() {
		if !s.spreads {
			continue
		}
		one, two := b.turns[key{s, cells[0].name}], b.turns[key{s, cells[1].name}]
		slow, fast := median(one, rateOf), median(two, rateOf)
		row(w, s.title(), spread(pick(one, cpuOf)), spread(pick(two, cpuOf)), ratio(2*b.cost(s, cells[0]), b.cost(s, cells[1])),
			number(slow), number(fast), ratio(fast, slow))
	}
	fmt.Fprintln(w, "\n*What threads share shows in the CPU that a query costs when both run: twice the first cost by the second is the work of one that"+
		" two do. Speed has in it, too, that the kernel starts both on one CPU at times, and takes some milliseconds to part them.*")
}
