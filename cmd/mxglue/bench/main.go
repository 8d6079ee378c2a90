//go:build linux

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"
	"time"
)

// serverCPU is the CPU that servers run on, where they have one of their own.
const serverCPU = 0

// bench is one run.
type bench struct {
	rounds   int
	turn     time.Duration // how long one lasts
	cpus     int
	scratch  string // directory
	servers  []*server
	cells    []cell
	upstream *upstreamProcess
	launched int

	figures
}

// figures are what was measured.
type figures struct {
	turns   map[key][]result
	failed  map[key][]error
	full    map[key]int                 // memory with all questions of a cell answered, octets
	starts  map[*server][]time.Duration // until the first answer
	idle    map[*server][]int           // memory then, octets
	garbage map[string]string           // by cell: how mxglue's was collected
	late    bool                        // time was up
}

type key struct {
	server *server
	cell   string
}

func main() {
	switch {
	case len(os.Args) == 3 && os.Args[1] == "upstream": // what this program starts itself as
		exit(serveUpstream(os.Args[2]))
	case len(os.Args) == 3 && os.Args[1] == "echo":
		exit(serveEcho(os.Args[2]))
	}
	rounds := flag.Int("rounds", 5, "turns that every server has in a cell")
	turn := flag.Duration("turn", 300*time.Millisecond, "how long a turn lasts")
	budget := flag.Duration("budget", 7*time.Minute+30*time.Second, "how long everything may take; then what was measured is printed")
	only := flag.String("only", "", "the cells to run, a regular expression of their names; empty for all")
	with := flag.String("peers", "", "the peers to run, a regular expression of their names; empty for all")
	flag.Parse()
	cells, err1 := regexp.Compile(*only)
	peers, err2 := regexp.Compile(*with)
	if err := errors.Join(err1, err2); err != nil || flag.NArg() > 0 || *rounds < 1 || *turn < time.Millisecond {
		fmt.Fprintf(os.Stderr, "bench: want -rounds of at least 1, -turn of at least 1ms, -only and -peers regular expressions, no arguments (%v)\n", err)
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, *budget)
	defer cancel()
	debug.SetGCPercent(-1) // it would run on the CPU of those who ask, and bench makes little garbage
	b := &bench{rounds: *rounds, turn: *turn, cpus: runtime.NumCPU(), figures: figures{
		turns: map[key][]result{}, failed: map[key][]error{}, full: map[key]int{}, garbage: map[string]string{},
		starts: map[*server][]time.Duration{}, idle: map[*server][]int{}}}
	b.cells = slices.DeleteFunc(loads(runtime.NumCPU()), func(c cell) bool { return !cells.MatchString(c.name) })
	exit(b.all(ctx, peers))
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// all builds, measures and prints. Its errors are of what nothing can be measured without.
func (b *bench) all(ctx context.Context, peers *regexp.Regexp) (err error) {
	if b.scratch, err = os.MkdirTemp("", "mxglue-bench-"); err != nil {
		return err
	}
	defer os.RemoveAll(b.scratch)
	if b.servers, err = servers(ctx, b.scratch); err != nil {
		return err
	}
	b.servers = slices.DeleteFunc(b.servers, func(s *server) bool { return s.kind == peer && !peers.MatchString(s.name) })
	if err := pin(b.cpus - 1); err != nil {
		return err
	}
	if b.upstream, err = startUpstream(b.scratch, b.cpus-1); err != nil {
		return err
	}
	defer b.upstream.stop()
	for i := 0; i < len(b.cells); {
		together := []*cell{&b.cells[i]}
		for i++; i < len(b.cells) && b.cells[i].beside; i++ {
			together = append(together, &b.cells[i])
		}
		b.run(ctx, together)
	}
	b.late = ctx.Err() != nil
	b.print(os.Stdout)
	return nil
}

// fail notes that a server has no figures in a cell, and why.
func (b *bench) fail(s *server, c *cell, err error) {
	fmt.Fprintf(os.Stderr, "bench: %s, %s: %v\n", c.name, s.name, err)
	at := key{s, c.name}
	b.failed[at] = append(b.failed[at], err)
}

// servers builds the echo and mxglue, and finds the peers.
func servers(ctx context.Context, scratch string) ([]*server, error) {
	bare, err := floor(ctx, scratch)
	if err != nil {
		return nil, err
	}
	program := filepath.Join(scratch, "mxglue")
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", program, "github.com/mxglue/mxglue/cmd/mxglue")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build mxglue: %w\n%s", err, out)
	}
	others, err := peers(scratch)
	if err != nil {
		return nil, err
	}
	mxglue := &server{name: "mxglue", kind: own, program: program, conf: "mxglue.yaml", version: commit(ctx),
		spreads: true, args: func(set setting) []string { return []string{"serve", "--config", set.Conf} }}
	return append([]*server{bare, mxglue}, others...), nil
}

// commit names what is measured as git does; "?" outside of a checkout.
func commit(ctx context.Context) string {
	out, err := exec.CommandContext(ctx, "git", "describe", "--always", "--dirty").Output()
	if err != nil {
		return "?"
	}
	return strings.TrimSpace(string(out))
}
