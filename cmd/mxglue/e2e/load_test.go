//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// A load is many clients that ask mxglue over UDP, each once, without waiting for one another.
type load struct {
	name func(n int) string // of the nth query, for an A record
	rate time.Duration      // from one query to the next

	end     context.CancelFunc
	waiting sync.WaitGroup

	mu      sync.Mutex
	replies []reply // in the order in which they came
}

// A reply is how one query ended.
type reply struct {
	name   string
	asked  time.Time
	waited time.Duration
	failed string // "" if there was an answer
}

// startLoad asks until stop is called, or the test ends.
func startLoad(t *testing.T, rate time.Duration, name func(n int) string) *load {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	l := &load{name: name, rate: rate, end: cancel}
	l.waiting.Go(func() {
		tick := time.NewTicker(rate)
		defer tick.Stop()
		for n := 0; ; n++ {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				l.waiting.Go(func() { l.ask(name(n)) })
			}
		}
	})
	t.Cleanup(l.stop)
	return l
}

func (l *load) ask(name string) {
	r := reply{name: name, asked: time.Now()}
	m, err := exchange("udp", dnsAddress, name, dns.TypeA)
	r.waited = time.Since(r.asked)
	switch {
	case err != nil:
		r.failed = err.Error()
	case m.Rcode != dns.RcodeSuccess || len(m.Answer) == 0:
		r.failed = fmt.Sprintf("%s, %d records", dns.RcodeToString[m.Rcode], len(m.Answer))
	}
	l.mu.Lock()
	l.replies = append(l.replies, r)
	l.mu.Unlock()
}

// stop ends the asking and waits for the last reply.
func (l *load) stop() {
	l.end()
	l.waiting.Wait()
}

// since returns the replies to what was asked in [from, to) and has ended.
func (l *load) since(from, to time.Time) (replies []reply) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, r := range l.replies {
		if !r.asked.Before(from) && r.asked.Before(to) {
			replies = append(replies, r)
		}
	}
	return replies
}

// await waits until so many queries that were asked after from have ended.
func (l *load) await(t *testing.T, from time.Time, count int) {
	t.Helper()
	within := 10*time.Second + 3*time.Duration(count)*l.rate
	eventually(t, within, func() error {
		if n := len(l.since(from, time.Now())); n < count {
			return fmt.Errorf("%d of %d queries have ended", n, count)
		}
		return nil
	})
}

// waits wants every query that was asked in [from, to) to have ended within limit.
func (l *load) waits(t *testing.T, phase string, from, to time.Time, limit time.Duration) {
	t.Helper()
	var most reply
	replies := l.since(from, to)
	for _, r := range replies {
		if r.waited > most.waited {
			most = r
		}
	}
	t.Logf("%-18s %5d queries, the longest wait %4d ms", phase, len(replies), most.waited.Milliseconds())
	if len(replies) == 0 || most.waited >= limit {
		t.Errorf("%s: %s waited %v, want less than %v", phase, most.name, most.waited, limit)
	}
}
