//go:build linux

package main

import (
	"cmp"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// middle returns the median, the least and the most; all 0 of none.
func middle[T cmp.Ordered](values []T) (median, least, most T) {
	if len(values) == 0 {
		return
	}
	v := slices.Sorted(slices.Values(values))
	return v[(len(v)-1)/2], v[0], v[len(v)-1]
}

// pick takes one figure out of every turn.
func pick(turns []result, figure func(result) float64) []float64 {
	var values []float64
	for _, t := range turns {
		values = append(values, figure(t))
	}
	return values
}

func median(turns []result, figure func(result) float64) float64 {
	m, _, _ := middle(pick(turns, figure))
	return m
}

func cpuOf(t result) float64 { return t.cpu }

func rateOf(t result) float64 { return t.rate }

// cost returns the median CPU of a server in a cell, microseconds a query; 0 if there is none.
func (b *bench) cost(s *server, c *cell) float64 {
	return median(b.turns[key{s, c.name}], cpuOf)
}

// row writes a line of a Markdown table.
func row(w io.Writer, first string, rest ...string) {
	fmt.Fprintf(w, "| %s | %s |\n", first, strings.Join(rest, " | "))
}

// head begins a table, under its caption.
func head(w io.Writer, caption, first string, rest ...string) {
	fmt.Fprintf(w, "\n%s\n\n", caption)
	row(w, first, rest...)
	row(w, "---", slices.Repeat([]string{"---:"}, len(rest))...)
}

// print writes everything that was measured.
func (b *bench) print(w io.Writer) {
	var uts unix.Utsname
	_ = unix.Uname(&uts) // it cannot fail
	fmt.Fprintf(w, "%s, Linux %s %s, %d CPUs, %s; %d rounds of %v; room of caches and all else: `cmd/mxglue/bench`.\n",
		time.Now().UTC().Format(time.DateOnly), unix.ByteSliceToString(uts.Release[:]), runtime.GOARCH, b.cpus, runtime.Version(), b.rounds, b.turn)
	b.printCPU(w)
	b.printGarbage(w)
	b.printRates(w)
	b.printScaling(w)
	b.printRatios(w)
	b.printSizes(w)
	b.printFaults(w)
}

// printCPU is the table of the closed loops.
func (b *bench) printCPU(w io.Writer) {
	var names []string
	for _, c := range b.cells {
		if c.closed() {
			names = append(names, c.name)
		}
	}
	if len(names) == 0 {
		return
	}
	head(w, "CPU of the server's process, µs a query, asked as fast as it answers: median (least–most).", "server", names...)
	marked := false
	for _, s := range b.present() {
		var values []string
		for i := range b.cells {
			c := &b.cells[i]
			if !c.closed() {
				continue
			}
			turns := b.turns[key{s, c.name}]
			text := spread(pick(turns, cpuOf))
			if f := median(turns, func(t result) float64 { return t.forwarded }); c.hit() && f > 0.01 {
				text, marked = text+fmt.Sprintf(" *%.0f %%*", 100*f), true
			}
			values = append(values, text)
		}
		row(w, s.title(), values...)
	}
	if marked {
		fmt.Fprintln(w, "\n*In italics: so many of what should have been hits were asked of the upstream.*")
	}
}

// printRates is the table of the open loops.
func (b *bench) printRates(w io.Writer) {
	var names []string
	for _, c := range b.cells {
		if c.rate > 0 {
			names = append(names, c.name, "half within", "99 % in a row", "99 % of all")
		}
	}
	if len(names) == 0 {
		return
	}
	head(w, fmt.Sprintf("The same at steady rates, and within how many µs hits were answered: half of them, 99 %% of %d in a row, and 99 %% of a turn's. Medians.", inARow), "server", names...)
	for _, s := range b.present() {
		var values []string
		for _, c := range b.cells {
			if c.rate > 0 {
				turns := b.turns[key{s, c.name}]
				values = append(values, spread(pick(turns, cpuOf)), number(median(turns, func(t result) float64 { return t.waits.p50 })),
					number(median(turns, func(t result) float64 { return t.waits.calm })), number(median(turns, func(t result) float64 { return t.waits.p99 })))
			}
		}
		row(w, s.title(), values...)
	}
}

// spread writes the median, the least and the most.
func spread(values []float64) string {
	m, least, most := middle(values)
	if m == 0 {
		return "–"
	}
	return fmt.Sprintf("%.2f (%.2f–%.2f)", m, least, most)
}

func number(v float64) string {
	if v == 0 {
		return "–"
	}
	return fmt.Sprintf("%.0f", v)
}

// present returns the servers that are installed.
func (b *bench) present() (all []*server) {
	for _, s := range b.servers {
		if s.version != "" {
			all = append(all, s)
		}
	}
	return all
}

func (s *server) title() string {
	if s.kind == echo {
		return s.name
	}
	return s.name + " " + s.version
}
