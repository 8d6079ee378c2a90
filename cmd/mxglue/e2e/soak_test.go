//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/miekg/dns"
)

// soakSeconds names how long TestSoak asks, seconds; without it it is a short one.
const soakSeconds = "SOAK_SECONDS"

// Everything at once, while both upstreams flap: hits, misses, names that do not exist, floods of random names, pipelines,
// half a message, mail. Every query is answered or counted as dropped, in time, and afterwards mxglue is as it was.
func TestSoak(t *testing.T) {
	during := 10 * time.Second
	if text := os.Getenv(soakSeconds); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 5 {
			t.Fatalf("%s=%q, want a number of seconds, 5 at least", soakSeconds, text)
		}
		during = time.Duration(n) * time.Second
	}
	first, second := startFlapping(t, firstAddress), startFlapping(t, secondAddress)
	// Small bounds, so that they are reached.
	serveBefore(t, []string{"udp://" + firstAddress, "udp://" + secondAddress}, "MXGLUE_CACHE_ENTRIES=5000", "MXGLUE_SERVER_MAX_WAITING=300")
	ask(t, "udp", "127.0.0.1", "hit0.load.example.", dns.TypeA)
	before := readVitals(t)

	ctx, cancel := context.WithTimeout(t.Context(), during)
	defer cancel()
	go flap(ctx, first, second, during)
	tallies := soak(ctx, t)
	s := readStats(t)
	overflowed := kernelDrops(t)

	all := &tally{kind: "all"}
	for _, c := range tallies {
		all.asked, all.answered, all.servfail = all.asked+c.asked, all.answered+c.answered, all.servfail+c.servfail
		all.unanswered, all.longest = all.unanswered+c.unanswered, max(all.longest, c.longest)
	}
	lost := all.unanswered - int(s.Server.Dropped) - overflowed
	after := awaitCalm(t, before)
	t.Logf("%v of load while two upstreams flap\n%s\ndropped and counted %d, by the kernel %d, lost %d; longest wait %d ms; goroutines %d before, %d after; memory %d MiB before, %d after\n",
		during, table(append(tallies, all)), s.Server.Dropped, overflowed, lost, all.longest.Milliseconds(),
		before.goroutines, after.goroutines, before.memory>>20, after.memory>>20)

	if lost != 0 {
		t.Errorf("%d queries were neither answered nor counted as dropped", lost)
	}
	if limit := budget + time.Second; all.longest > limit {
		t.Errorf("a client waited %v, want %v at most", all.longest, limit)
	}
	if all.answered-all.servfail < all.asked/2 {
		t.Errorf("%d of %d queries got an answer: that is no service", all.answered-all.servfail, all.asked)
	}
	if hits := tallies[0]; hits.servfail > 0 || hits.unanswered > 0 {
		t.Errorf("of what was cached, %d queries were answered SERVFAIL and %d not at all", hits.servfail, hits.unanswered)
	}
	if most := before.memory + memoryRoom(); after.memory > most {
		t.Errorf("memory %d MiB, before %d, want %d at most", after.memory>>20, before.memory>>20, most>>20)
	}
}

// soak asks until ctx ends, and returns what became of it when the last reply is there. The hits come first.
func soak(ctx context.Context, t *testing.T) []*tally {
	var all sync.WaitGroup
	kinds := []struct {
		kind     string
		interval time.Duration
		do       func(c *tally, n int)
	}{
		{"hits", 5 * time.Millisecond, func(c *tally, n int) { c.ask("hit0.load.example.", dns.TypeA) }},
		{"misses", 5 * time.Millisecond, func(c *tally, n int) { c.ask(fmt.Sprintf("new%d.load.example.", n), dns.TypeA) }},
		{"NXDOMAIN", 10 * time.Millisecond, func(c *tally, n int) { c.ask(fmt.Sprintf("no%d.none.example.", n/2), dns.TypeA) }},
		{"MX and hosts", 25 * time.Millisecond, askMail},
		{"flood", 2 * time.Second, func(c *tally, n int) { complain(t, c.askMany("udp", randomNames("flood", n, 500))) }},
		{"TCP pipeline", time.Second / 2, func(c *tally, n int) { complain(t, c.askMany("tcp", randomNames("pipe", n/2, 50))) }},
		{"half a message", time.Second / 5, func(*tally, int) { complain(t, halfOpen()) }},
	}
	var tallies []*tally
	for _, k := range kinds {
		c := &tally{kind: k.kind}
		c.keep(ctx, &all, k.interval, k.do)
		if k.kind != "half a message" { // it is no query
			tallies = append(tallies, c)
		}
	}
	all.Wait()
	return tallies
}

// askMail asks what a mail server asks.
func askMail(c *tally, n int) {
	domain := fmt.Sprintf("d%d.mail.example.", n)
	c.ask(domain, dns.TypeMX)
	for i := range 3 {
		c.ask(exchangerOf(domain, i), dns.TypeA)
		c.ask(exchangerOf(domain, i), dns.TypeAAAA)
	}
}

func randomNames(kind string, n, count int) (names []string) {
	for i := range count {
		names = append(names, fmt.Sprintf("%s%d-%d.load.example.", kind, n, i))
	}
	return names
}

func table(tallies []*tally) string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "\tqueries\tanswered\tof these SERVFAIL\tunanswered\tlongest wait ms\t")
	for _, c := range tallies {
		fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%d\t%d\t\n", c.kind, c.asked, c.answered, c.servfail, c.unanswered, c.longest.Milliseconds())
	}
	w.Flush()
	return b.String()
}
