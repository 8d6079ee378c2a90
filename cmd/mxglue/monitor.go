package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/miekg/dns"

	"github.com/mxglue/mxglue/cache"
	"github.com/mxglue/mxglue/cmd/mxglue/status"
	"github.com/mxglue/mxglue/resolver"
	"github.com/mxglue/mxglue/smtpprobe"
	"github.com/mxglue/mxglue/smtpprobe/monitor"
)

// A watch is the monitor and the file that it remembers in, or the reason why it does not run.
type watch struct {
	monitor *monitor.Monitor // nil: it does not run
	store   *monitor.Store
	off     string // why; "": nothing is to be monitored

	end   context.CancelFunc // of run
	ended chan struct{}      // closed when run has ended
}

// openWatch opens the monitor that the configuration asks for. One that cannot be opened is logged and stands on the status
// page: mail needs the nameserver, and goes on without the monitor.
func openWatch(config Config, answers *cache.Cache, questions *resolver.Resolver, gates *smtpprobe.Gates, log *slog.Logger) *watch {
	if !config.Monitor.on() {
		return &watch{}
	}
	w, err := readyWatch(config, answers, questions, gates, log)
	if err != nil {
		log.Error("going on without the monitor", "error", err)
		return &watch{off: err.Error()}
	}
	return w
}

// readyWatch opens the monitor that the configuration asks for. Errors name the key.
func readyWatch(config Config, answers *cache.Cache, questions *resolver.Resolver, gates *smtpprobe.Gates, log *slog.Logger) (*watch, error) {
	w, err := newWatch(config)
	if err != nil {
		return nil, err
	}
	c := watchChange(config, answers, questions, gates)
	w.monitor.Probe, w.monitor.Busiest, w.monitor.Log = c.Probe, c.Busiest, log
	if name := ehloName(config.SMTPProbe.HELO); isLocalName(name) { // every mail server that looks at it refuses it
		log.Warn("the monitor says EHLO with a name that is nobody's: set smtpprobe.helo to one that leads to this host", "helo", name)
	}
	log.Info("the monitor begins", "domains", len(config.Monitor.Domains), "busiest", config.Monitor.Busiest, "interval", config.Monitor.Interval, "store", config.Monitor.Store)
	return w, nil
}

// watchChange is what the configuration makes the monitor go by.
func watchChange(config Config, answers *cache.Cache, questions *resolver.Resolver, gates *smtpprobe.Gates) monitor.Change {
	m := config.Monitor
	c := monitor.Change{
		Options: monitor.Options{Domains: m.Domains, Interval: m.Interval, Own: m.OwnMX, Deep: m.Deep},
		Probe:   monitorProbe(config, questions, gates),
	}
	if m.Busiest > 0 {
		c.Busiest = func() []string { return busiest(answers.Hottest(math.MaxInt), m) }
	}
	return c
}

// newWatch opens the file and makes the monitor. Errors name the key.
func newWatch(config Config) (*watch, error) {
	m := config.Monitor
	// Only the last directory: more that are missing are a misspelt path, which OpenStore names.
	if err := os.Mkdir(filepath.Dir(m.Store), 0o700); err != nil && !errors.Is(err, fs.ErrExist) && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("monitor.store: %w; make that directory, writable for mxglue, or name another file", err)
	}
	store, err := monitor.OpenStore(m.Store, monitor.Limits{})
	if err != nil {
		return nil, fmt.Errorf("monitor.store: %w", err)
	}
	made, err := monitor.New(store, monitor.Options{Domains: m.Domains, Interval: m.Interval, Own: m.OwnMX, Deep: m.Deep})
	if err != nil {
		store.Close() // its own error would only hide the first
		return nil, fmt.Errorf("monitor: %w", err)
	}
	return &watch{monitor: made, store: store}, nil
}

// run probes until ctx ends, and closes the file.
func (w *watch) run(ctx context.Context, log *slog.Logger) {
	if w.monitor == nil {
		return
	}
	w.monitor.Run(ctx)
	if err := w.store.Close(); err != nil {
		log.Warn("monitor: the history was not closed well", "error", err)
	}
}

// shown is what the status side shows; nil where nothing is to be monitored.
func (w *watch) shown() *status.Monitored {
	switch {
	case w.monitor != nil:
		return status.Watch(w.monitor)
	case w.off != "":
		return &status.Monitored{Off: w.off, Domains: []status.MonitoredDomain{}, Events: []monitor.Event{}}
	}
	return nil
}

// blocked tells whether nobody answers on port 25, whatever the domain.
func (w *watch) blocked() bool {
	if w.monitor == nil {
		return false
	}
	_, blocked := w.monitor.Blocked()
	return blocked
}

// monitorProbe is how the monitor probes. It has a Prober of its own: what others asked for a moment ago is not taken for a
// second bad result. The limits it keeps together with them. Our own mail servers are met anew each time, and without a
// pause behind it, as a Prober would spare one that failed for half an hour.
func monitorProbe(config Config, questions *resolver.Resolver, gates *smtpprobe.Gates) func(context.Context, string, smtpprobe.Depth) smtpprobe.Report {
	shared := newDaemonProber(config, questions, gates)
	return func(ctx context.Context, domain string, depth smtpprobe.Depth) smtpprobe.Report {
		p := shared
		if config.Monitor.OwnMX {
			p = newDaemonProber(config, questions, gates)
			p.Between = -1
		}
		opt := p.Options
		opt.Depth = depth
		return p.probe(ctx, domain, opt)
	}
}

// busiest picks the domains that clients ask most for, beside those that are monitored anyway. One that was asked for once
// of late is not among them: that may have been the monitor itself.
func busiest(hottest []cache.Asked, m Monitor) (domains []string) {
	for _, asked := range hottest {
		if asked.Type != dns.TypeMX || asked.Hits < 2 || len(domains) == m.Busiest {
			continue
		}
		domain, err := smtpprobe.ParseDomain(asked.Name)
		if err == nil && !slices.Contains(m.Domains, domain) {
			domains = append(domains, domain)
		}
	}
	return domains
}

// ehloName is the name that the prober says: the configured one, or that of this host if it has a dot; "": its address.
func ehloName(configured string) string {
	if configured != "" {
		return configured
	}
	if host, err := os.Hostname(); err == nil && strings.Contains(host, ".") {
		return host
	}
	return ""
}

// isLocalName tells whether a name means this host on every host (RFC 6761 §6.3), or is a distribution's for the same.
func isLocalName(name string) bool {
	name = strings.ToLower(name)
	return name == "localhost" || strings.HasSuffix(name, ".localhost") || strings.HasPrefix(name, "localhost.") || strings.HasSuffix(name, ".localdomain")
}

// lastWord is what the monitor last found of a domain, and when.
func lastWord(m *monitor.Monitor, domain string) (text string, at time.Time, ok bool) {
	state, ok := m.State(strings.TrimSuffix(domain, "."))
	if !ok || state.Last.At.IsZero() {
		return "", time.Time{}, false
	}
	return string(state.Last.Status) + ": " + state.Last.Reason, state.Last.At, true
}
