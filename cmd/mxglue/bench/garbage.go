//go:build linux

package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// many is how many names make garbage collection interesting.
const many = 100_000

// What the status endpoint tells of the collector. The CPU is that of Go's accounting, which says itself that it compares
// with nothing else; the longest pause is that of a whole collection, which stops everything twice.
const (
	gcCPU    = "go_cpu_classes_gc_total_cpu_seconds_total"
	allCPU   = "go_cpu_classes_total_cpu_seconds_total"
	idleCPU  = "go_cpu_classes_idle_cpu_seconds_total"
	gcCycles = "go_gc_duration_seconds_count"
	gcPause  = `go_gc_duration_seconds{quantile="1"}`
)

// garbage asks mxglue, one question in ten a miss, until it has collected its garbage some times, and tells how that was.
// Hits leave none.
func (r *runner) garbage() (string, error) {
	const missEvery, enough, longest = 10, 3, 15 * time.Second
	before, err := r.metrics()
	if err != nil {
		return "", err
	}
	var sum tally
	next, began, after := sprinkled(r.next, fresh("miss"), missEvery), time.Now(), before
	for after[gcCycles] < before[gcCycles]+enough && time.Since(began) < longest {
		t, err1 := r.ask(next, noLimit, time.Now().Add(time.Second))
		var err2 error
		after, err2 = r.metrics()
		if err := errors.Join(err1, err2); err != nil {
			return "", err
		}
		sum.add(t)
	}
	took := time.Since(began).Seconds()
	change := func(name string) float64 { return after[name] - before[name] }
	if change(gcCycles) == 0 {
		return fmt.Sprintf("no collection in %.0f s", took), nil
	}
	misses, cycles := float64(sum.answered)/missEvery, change(gcCycles)
	return fmt.Sprintf("with %.0f misses and %.0f hits a second %.0f collections in %.1f s, each after %.0f misses and of %.0f ms CPU. "+
		"That is %.1f %% of the CPU it used; it would be 1 %% of a CPU with %.0f misses a second. No collection paused it for more than %.2f ms",
		misses/took, misses/took*(missEvery-1), cycles, took, misses/cycles, 1000*change(gcCPU)/cycles,
		100*change(gcCPU)/(change(allCPU)-change(idleCPU)), misses/change(gcCPU)/100, 1000*after[gcPause]), nil
}

// metrics reads the status endpoint.
func (r *runner) metrics() (map[string]float64, error) {
	client := http.Client{Timeout: 5 * time.Second}
	reply, err := client.Get(fmt.Sprintf("http://127.0.0.1:%d/metrics", r.setting.StatusPort))
	if err != nil {
		return nil, err
	}
	defer reply.Body.Close()
	all := map[string]float64{}
	for lines := bufio.NewScanner(reply.Body); lines.Scan(); {
		if name, value, found := strings.Cut(lines.Text(), " "); found && name != "#" {
			all[name], _ = strconv.ParseFloat(value, 64) // always a number
		}
	}
	for _, name := range []string{gcCPU, allCPU, idleCPU, gcCycles, gcPause} {
		if _, found := all[name]; !found {
			return nil, fmt.Errorf("the status endpoint has no %s", name)
		}
	}
	return all, nil
}

// printGarbage tells what the garbage collector did in the large cells.
func (b *bench) printGarbage(w io.Writer) {
	for _, c := range b.cells {
		if text := b.garbage[c.name]; text != "" {
			fmt.Fprintf(w, "\nGarbage of mxglue, %s: %s.\n", c.name, text)
		}
	}
}
