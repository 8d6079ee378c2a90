//go:build e2e

package e2e

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// budget is the default of resolver.timeout: no query waits longer.
const budget = 4 * time.Second

// The two resolvers of the fail-over tests.
const (
	firstAddress  = "127.0.0.1:5361"
	secondAddress = "127.0.0.1:5362"
)

// spareConf is a resolver that knows every name below load.example, and one domain whose records end soon.
const spareConf = unboundServer + `
  interface: 127.0.0.1@%s
  module-config: "iterator"
  local-zone: "." static
  local-zone: "load.example." redirect
  local-data: "load.example. 3600 A 10.77.0.11"
  local-data: "short.example. 2 MX 10 mx.short.example."
  local-data: "mx.short.example. 2 A 10.77.0.11"
  local-data: "_25._tcp.mx.short.example. 2 TLSA 3 1 1 00"
`

// startTwo runs the two resolvers, and mxglue in front of them.
func startTwo(t *testing.T) (first, second *daemon) {
	t.Helper()
	var both []*daemon
	for _, address := range []string{firstAddress, secondAddress} {
		_, port, _ := strings.Cut(address, ":")
		d := runUnbound(t, scratch(t, "unbound"), fmt.Sprintf(spareConf, port))
		awaitAnswer(t, d, address, "short.example.", dns.TypeMX)
		both = append(both, d)
	}
	serveBefore(t, []string{"udp://" + firstAddress, "udp://" + secondAddress})
	return both[0], both[1]
}

// The first resolver freezes, comes back, and dies, and 200 clients a second do not notice: none hears an error, none waits
// longer than the budget, and once the fault is known nobody waits at all.
func TestFailover(t *testing.T) {
	first, _ := startTwo(t)
	began := time.Now()
	l := startLoad(t, 5*time.Millisecond, func(n int) string {
		if n%2 == 0 {
			return fmt.Sprintf("cached%d.load.example.", n%40)
		}
		return fmt.Sprintf("new%d.load.example.", n)
	})
	l.await(t, began, 200)

	first.signal(t, syscall.SIGSTOP)
	frozen := time.Now()
	eventually(t, 5*time.Second, func() error {
		if !readStats(t).Upstreams[0].Down {
			return fmt.Errorf("%s is frozen, and not known to be down", firstAddress)
		}
		return nil
	})
	known := time.Now()
	t.Logf("frozen, and known to be after %v", known.Sub(frozen))
	l.await(t, known, 500)

	asked := readStats(t).Upstreams[0].Queries
	first.signal(t, syscall.SIGCONT)
	thawed := time.Now()
	eventually(t, 3*time.Second, func() error { // a probe a second asks it, and then the clients' questions again
		if now := readStats(t).Upstreams[0]; now.Down || now.Queries < asked+20 {
			return fmt.Errorf("%s is back, and not used: %d queries since", firstAddress, now.Queries-asked)
		}
		return nil
	})
	back := time.Now()
	t.Logf("thawed, and used again after %v", back.Sub(thawed))
	l.await(t, back, 200)

	first.signal(t, syscall.SIGKILL)
	killed := time.Now()
	l.await(t, killed, 500)
	l.stop()

	for _, r := range l.since(began, time.Now()) {
		if r.failed != "" {
			t.Errorf("%s, asked %v after the start: %s after %v", r.name, r.asked.Sub(began), r.failed, r.waited)
		}
	}
	l.waits(t, "all the time", began, time.Now(), budget)
	l.waits(t, "before the fault", began, frozen.Add(-time.Second/2), time.Second)
	l.waits(t, "once it was known", known, thawed, time.Second)
	l.waits(t, "back again", back, killed.Add(-time.Second/2), time.Second)
	l.waits(t, "after the death", killed, time.Now(), 2*time.Second) // what it had been asked is asked again in 1.5 s
}

// Both resolvers are gone: what mail needs is answered from what was known, as RFC 8767 has it. What decides over mail by
// itself, TLSA, is not.
func TestServeStale(t *testing.T) {
	for _, fault := range []struct {
		name   string
		signal syscall.Signal
		limit  time.Duration // a silent resolver is given 1.8 s
	}{{"dead", syscall.SIGKILL, time.Second}, {"silent", syscall.SIGSTOP, 3 * time.Second}} {
		t.Run(fault.name, func(t *testing.T) {
			first, second := startTwo(t)
			for name, qtype := range map[string]uint16{"short.example.": dns.TypeMX, "mx.short.example.": dns.TypeA,
				"_25._tcp.mx.short.example.": dns.TypeTLSA} {
				if r := ask(t, "udp", "127.0.0.1", name, qtype); len(r.Answer) != 1 || r.Answer[0].Header().Ttl > 2 {
					t.Fatalf("want a record that ends within 2 s:\n%v", r)
				}
			}
			first.signal(t, fault.signal)
			second.signal(t, fault.signal)

			awaitStale(t, "short.example.", dns.TypeMX, fault.limit)
			awaitStale(t, "mx.short.example.", dns.TypeA, fault.limit)
			r, err := exchange("udp", dnsAddress, "_25._tcp.mx.short.example.", dns.TypeTLSA)
			if err != nil || r.Rcode != dns.RcodeServerFailure {
				t.Errorf("an old TLSA record: %v, want SERVFAIL:\n%v", err, r)
			}
			if s := readStats(t); s.Cache.StaleHits < 2 {
				t.Errorf("/stats: stale_hits %d, want 2 at least", s.Cache.StaleHits)
			}
		})
	}
}

// awaitStale asks until the answer is an old one, which says so: TTL 30, and extended error 3 (RFC 8914). Until then it is
// an answer all the same, and never later than limit.
func awaitStale(t *testing.T, name string, qtype uint16, limit time.Duration) {
	t.Helper()
	eventually(t, 10*time.Second, func() error {
		q := new(dns.Msg).SetQuestion(name, qtype)
		q.SetEdns0(1232, false)
		client := dns.Client{Timeout: 6 * time.Second}
		r, took, err := client.Exchange(q, dnsAddress)
		if err != nil {
			t.Fatal(err)
		}
		if r.Rcode != dns.RcodeSuccess || len(r.Answer) != 1 {
			t.Fatalf("no answer while the resolvers are gone:\n%v", r)
		}
		if took > limit {
			t.Errorf("%s: the answer took %v, want %v at most", name, took, limit)
		}
		if ttl := r.Answer[0].Header().Ttl; ttl != 30 {
			return fmt.Errorf("%s has TTL %d still", name, ttl)
		}
		for _, o := range r.IsEdns0().Option {
			if e, ok := o.(*dns.EDNS0_EDE); ok && e.InfoCode == dns.ExtendedErrorCodeStaleAnswer {
				return nil
			}
		}
		t.Errorf("%s: an old answer without extended error 3:\n%v", name, r)
		return nil
	})
}
