package monitor

import (
	"cmp"
	"context"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/mxglue/mxglue/smtpprobe"
)

// Monitor probes domains on a schedule. Make one with New, set its fields, then call Run once; reading is
// safe at any time, from any goroutine. Reconfigure changes what it goes by while it runs.
type Monitor struct {
	// Probe tests one domain, as deep as it is told. Required.
	Probe func(ctx context.Context, domain string, depth smtpprobe.Depth) smtpprobe.Report

	// Busiest names domains to monitor beside those of Options, the most important first; it is asked once an
	// interval. nil: none.
	Busiest func() []string

	// Log takes the events, and what goes wrong with the store. nil: slog.Default.
	Log *slog.Logger

	// Random is a number from 0 up to 1, for the jitter. nil: math/rand/v2.
	Random func() float64

	changes chan Change // has room for one

	opt    Options // Run's alone, once it runs
	store  *Store
	due    map[string]time.Time // when each domain is probed next; zero: its probe is under way; Run's alone
	answer time.Time            // when somebody answered last; Run's alone

	mu      sync.RWMutex // guards what follows against readers; Run alone writes
	states  map[string]State
	listed  map[string]bool // what is monitored now; states has what was, too
	blocked time.Time       // since when nobody has answered; zero: somebody does
	stats   Stats
}

// Stats counts since the start.
type Stats struct {
	Greetings   uint64 `json:"greetings"`    // probes that went to the greeting
	Deep        uint64 `json:"deep"`         // probes that went to the certificate
	Running     int    `json:"running"`      // probes under way
	StoreErrors uint64 `json:"store_errors"` // results that could not be kept
}

// New returns a Monitor that goes on where the store ends. The error names the option, or what is wrong with
// the store.
func New(store *Store, o Options) (*Monitor, error) {
	opt, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	states, err := store.states()
	if err != nil {
		return nil, store.wrap(err)
	}
	m := &Monitor{changes: make(chan Change, 1), opt: opt, store: store, states: states, due: make(map[string]time.Time), listed: make(map[string]bool)}
	m.list(opt.Domains)
	return m, m.recall()
}

// recall finds out whether somebody answered when the store was written last.
func (m *Monitor) recall() error {
	for _, s := range m.states {
		if answered(s.Report) && s.Last.At.After(m.answer) {
			m.answer = s.Last.At
		}
	}
	events, err := m.Events(m.store.limits.Events)
	for _, e := range events { // the newest first
		switch e.Kind {
		case PortBlocked:
			m.blocked = e.At
			return err
		case PortOpen:
			return err
		}
	}
	return err
}

// State tells what is known of a domain (A-labels, lower case), monitored now or until lately.
func (m *Monitor) State(domain string) (State, bool) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	s, ok := m.states[domain]
	return s, ok
}

// States tells what is known of each domain that is monitored, by name. One not probed yet has a zero Last.
func (m *Monitor) States() []State {
	m.mu.RLock()
	defer m.mu.RUnlock()
	states := make([]State, 0, len(m.listed))
	for domain := range m.listed {
		states = append(states, m.states[domain])
	}
	slices.SortFunc(states, func(a, b State) int { return cmp.Compare(a.Domain, b.Domain) })
	return states
}

// History returns the last n results of a domain, the newest first. The error is the store's.
func (m *Monitor) History(domain string, n int) ([]Result, error) {
	results, err := m.store.history(domain, n)
	return results, m.store.wrap(err)
}

// Events returns the last n events, the newest first. The error is the store's.
func (m *Monitor) Events(n int) ([]Event, error) {
	events, err := m.store.events(n)
	return events, m.store.wrap(err)
}

// Blocked tells since when nobody has answered at all, which is the fault of the network here.
func (m *Monitor) Blocked() (since time.Time, yes bool) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.blocked, !m.blocked.IsZero()
}

// Stats returns the counters.
func (m *Monitor) Stats() Stats {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.stats
}

// list makes domains the list, and gives new ones a state.
func (m *Monitor) list(domains []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	clear(m.listed)
	for _, d := range domains {
		m.listed[d] = true
		if _, known := m.states[d]; !known {
			m.states[d] = State{Domain: d, Depth: smtpprobe.DepthTLS}
		}
	}
}

// forget drops the domains that left the list longer than Limits.Age ago, and of the others that left it
// all but the thousand seen last.
func (m *Monitor) forget(now time.Time) {
	gone := slices.DeleteFunc(slices.Collect(maps.Values(m.states)), func(s State) bool { return m.listed[s.Domain] })
	slices.SortFunc(gone, func(a, b State) int { return b.Last.At.Compare(a.Last.At) })
	for i, s := range gone {
		if i < maxDomains && now.Sub(s.Last.At) < m.store.limits.Age {
			continue
		}
		if err := m.store.forget(s.Domain); err != nil {
			m.storeFailed(err)
		}
		m.mu.Lock()
		delete(m.states, s.Domain)
		m.mu.Unlock()
	}
}

// storeFailed counts and logs an error of the store; the monitor goes on with what it has in memory.
func (m *Monitor) storeFailed(err error) {
	m.count(func(s *Stats) { s.StoreErrors++ })
	m.log().Error("monitor: the history cannot be written: is there room, and may we write?", "error", m.store.wrap(err))
}

func (m *Monitor) count(add func(*Stats)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	add(&m.stats)
}

func (m *Monitor) update(domain string, change func(*State)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.states[domain]
	change(&s)
	m.states[domain] = s
}

func (m *Monitor) log() *slog.Logger {
	if m.Log == nil {
		return slog.Default()
	}
	return m.Log
}
