package monitor

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mxglue/mxglue/smtpprobe"
)

// world is what the probes of a test find: each domain has one exchanger, whose verdict is OK unless verdicts
// says otherwise.
type world struct {
	t     *testing.T
	store *Store
	began time.Time

	mu       sync.Mutex
	verdicts map[string]smtpprobe.Verdict
	change   func(*smtpprobe.Report) // what else a report says; may be nil
	takes    time.Duration
	probes   []probe
}

type probe struct {
	domain string
	depth  smtpprobe.Depth
	after  time.Duration // since the beginning
}

func newWorld(t *testing.T) *world {
	return &world{t: t, store: openStore(t, filepath.Join(t.TempDir(), "history.db"), Limits{}), began: time.Now(), verdicts: make(map[string]smtpprobe.Verdict)}
}

func openStore(t *testing.T, path string, limits Limits) *Store {
	t.Helper()
	store, err := OpenStore(path, limits)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	return store
}

// monitor makes a Monitor without luck: its pauses are exact.
func (w *world) monitor(o Options) *Monitor {
	w.t.Helper()
	m, err := New(w.store, o)
	if err != nil {
		w.t.Fatal(err)
	}
	m.Probe, m.Random, m.Log = w.probe, func() float64 { return 0.5 }, slog.New(slog.DiscardHandler)
	return m
}

// run lets a Monitor work for a while.
func (w *world) run(m *Monitor, d time.Duration) {
	ctx, cancel := context.WithTimeout(w.t.Context(), d)
	defer cancel()
	m.Run(ctx)
}

func (w *world) probe(ctx context.Context, domain string, depth smtpprobe.Depth) smtpprobe.Report {
	w.mu.Lock()
	w.probes = append(w.probes, probe{domain, depth, time.Since(w.began)})
	takes := w.takes
	w.mu.Unlock()
	select {
	case <-time.After(takes):
	case <-ctx.Done():
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	verdict := w.verdicts[domain]
	if verdict == "" {
		verdict = smtpprobe.OK
	}
	r := report(domain, verdict)
	if w.change != nil {
		w.change(&r)
	}
	return r
}

// set gives domains a verdict.
func (w *world) set(verdict smtpprobe.Verdict, domains ...string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, d := range domains {
		w.verdicts[d] = verdict
	}
}

// ladder is the depths of a domain's probes, G for the greeting and T for TLS.
func (w *world) ladder(domain string) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var b strings.Builder
	for _, p := range w.probes {
		switch {
		case p.domain != domain:
		case p.depth == smtpprobe.DepthGreeting:
			b.WriteByte('G')
		case p.depth == smtpprobe.DepthTLS:
			b.WriteByte('T')
		default:
			fmt.Fprintf(&b, "<%d>", p.depth)
		}
	}
	return b.String()
}

// events are the texts of all events, the oldest first, without those of the kinds left out.
func (w *world) events(m *Monitor) []string {
	w.t.Helper()
	events, err := m.Events(1000)
	if err != nil {
		w.t.Fatal(err)
	}
	var texts []string
	for _, e := range events {
		texts = append([]string{string(e.Kind) + ": " + e.Text}, texts...)
	}
	return texts
}

// network gives each name an address in a network of its own.
func network(name string) netip.Addr {
	h := uint32(2166136261)
	for _, c := range []byte(name) {
		h = (h ^ uint32(c)) * 16777619
	}
	return netip.AddrFrom4([4]byte{11, byte(h), byte(h >> 8), byte(h >> 16)})
}

// report is that of a domain with one exchanger at one address.
func report(domain string, verdict smtpprobe.Verdict) smtpprobe.Report {
	name := "mx." + domain
	a := smtpprobe.Attempt{Address: network(name), Port: 25, Verdict: verdict}
	r := smtpprobe.Report{Domain: domain, Verdict: smtpprobe.Critical, Status: smtpprobe.StatusCritical, Reason: name + ": " + string(verdict) + ".", Order: []string{name}}
	if verdict == smtpprobe.OK {
		r.Verdict, r.Status, r.Reason, a.Code = smtpprobe.OK, smtpprobe.StatusOK, "1 of 1 exchanger says 220.", 220
	}
	r.MX = []smtpprobe.Exchanger{{Name: name, Preference: 10, Verdict: verdict, Attempts: []smtpprobe.Attempt{a}}}
	return r
}

// many are n domains.
func many(n int) []string {
	var domains []string
	for i := range n {
		domains = append(domains, fmt.Sprintf("d%02d.example", i))
	}
	return domains
}
