//go:build linux

package main

import (
	"fmt"
	"io"
	"os"
	"strings"
)

// printRatios compares mxglue's medians with the floor and the peers.
func (b *bench) printRatios(w io.Writer) {
	var names, floor, best, each []string
	var mxglue, bare, third *server
	for _, s := range b.present() {
		switch {
		case s.kind == own:
			mxglue = s
		case s.kind == echo && bare == nil:
			bare = s
		case s.name == unbound:
			third = s
		}
	}
	for i := range b.cells {
		c := &b.cells[i]
		if c.spread > 0 {
			continue
		}
		names = append(names, c.name)
		m := b.cost(mxglue, c)
		floor = append(floor, ratio(m, b.cost(bare, c)))
		if third != nil {
			each = append(each, ratio(m, b.cost(third, c)))
		}
		var first *server
		for _, s := range b.present() {
			if v := b.cost(s, c); s.kind == peer && v > 0 && (first == nil || v < b.cost(first, c)) {
				first = s
			}
		}
		if first == nil {
			best = append(best, "–")
		} else {
			best = append(best, ratio(m, b.cost(first, c))+" "+first.name)
		}
	}
	if len(names) == 0 {
		return
	}
	head(w, "Ratios of the medians.", "mxglue's CPU as a multiple of", names...)
	row(w, "the "+bare.name, floor...)
	row(w, "the best peer", best...)
	if third != nil {
		row(w, third.name, each...)
	}
}

func ratio(a, b float64) string {
	if a == 0 || b == 0 {
		return "–"
	}
	return fmt.Sprintf("%.2f", a/b)
}

// printSizes is the table of what does not depend on queries.
func (b *bench) printSizes(w io.Writer) {
	names := []string{"start to first answer, ms", "memory then, MiB"}
	for _, c := range b.cells {
		if len(c.questions) >= many {
			names = append(names, "with "+c.name+", MiB")
		}
	}
	head(w, "Start, memory (resident) and size.", "server", append(names, "program, MiB")...)
	for _, s := range b.present() {
		started, _, _ := middle(b.starts[s])
		idle, _, _ := middle(b.idle[s])
		values := []string{number(float64(started.Milliseconds())), mib(idle)}
		for _, c := range b.cells {
			if len(c.questions) >= many {
				values = append(values, mib(b.full[key{s, c.name}]))
			}
		}
		size := 0
		if info, err := os.Stat(s.program); err == nil {
			size = int(info.Size())
		}
		row(w, s.title(), append(values, mib(size))...)
	}
}

func mib(octets int) string {
	if octets == 0 {
		return "–"
	}
	return fmt.Sprintf("%.1f", float64(octets)/(1<<20))
}

// printFaults says what is missing, and why.
func (b *bench) printFaults(w io.Writer) {
	for _, c := range b.cells {
		if len(c.without) > 0 {
			fmt.Fprintf(w, "\n%s is without %s: learning them takes up to a minute each, and everything is to take less than eight.\n", c.name, strings.Join(c.without, ", "))
		}
	}
	for _, s := range b.servers {
		if s.version == "" {
			fmt.Fprintf(w, "\n%s is not installed.\n", s.name)
		}
		for _, c := range b.cells {
			for _, err := range b.failed[key{s, c.name}] {
				fmt.Fprintf(w, "\n%s, %s: %v\n", s.name, c.name, err)
			}
		}
	}
	if b.late {
		fmt.Fprintf(w, "\nThe time was up before the end: what is missing was not measured.\n")
	}
}
