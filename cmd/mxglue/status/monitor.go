package status

import (
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/mxglue/mxglue/smtpprobe"
	"github.com/mxglue/mxglue/smtpprobe/monitor"
)

// How much of the history is shown.
const (
	shownEvents = 10   // on the page, and in /stats
	askedFor    = 100  // by GET /monitor without n
	mostAsked   = 5000 // and with it
)

// Monitored is what the monitor knows, in short.
type Monitored struct {
	Off     string    `json:"off,omitempty"` // why it does not run
	Blocked time.Time `json:"blocked_since,omitzero"`
	monitor.Stats
	Domains []MonitoredDomain `json:"domains"`
	Events  []monitor.Event   `json:"events"` // the newest first
	Trouble string            `json:"trouble,omitempty"`
}

// MonitoredDomain is one of its domains.
type MonitoredDomain struct {
	Domain           string         `json:"domain"`
	monitor.Standing                // zero Status: not settled yet
	Last             monitor.Result `json:"last"` // zero At: not probed yet
	Next             time.Time      `json:"next"`
}

// Watch tells what a Monitor knows, and its last events. It makes no connection.
func Watch(m *monitor.Monitor) *Monitored { return watch(m, shownEvents) }

func watch(m *monitor.Monitor, events int) *Monitored {
	shown := &Monitored{Stats: m.Stats(), Domains: []MonitoredDomain{}, Events: []monitor.Event{}}
	shown.Blocked, _ = m.Blocked()
	for _, s := range m.States() {
		shown.Domains = append(shown.Domains, MonitoredDomain{s.Domain, s.Standing, s.Last, s.Next})
	}
	if last, err := m.Events(events); err != nil {
		shown.Trouble = err.Error()
	} else if last != nil {
		shown.Events = last
	}
	return shown
}

// monitored answers GET /monitor: all domains in short, or with ?domain=DOMAIN one of them in full; ?n= results and events.
func (d Daemon) monitored(w http.ResponseWriter, r *http.Request) {
	if d.Monitor == nil {
		http.Error(w, "nothing is monitored: name domains in monitor.domains; if some are there, / says why they are not monitored", http.StatusNotFound)
		return
	}
	query, n := r.URL.Query(), askedFor
	if query.Has("n") {
		var err error
		if n, err = strconv.Atoi(query.Get("n")); err != nil || n < 0 || n > mostAsked {
			http.Error(w, fmt.Sprintf("n: %.40q is not a number from 0 to %d", query.Get("n"), mostAsked), http.StatusBadRequest)
			return
		}
	}
	if !query.Has("domain") {
		writeJSON(w, watch(d.Monitor, n))
		return
	}
	domain, err := smtpprobe.ParseDomain(query.Get("domain"))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	state, known := d.Monitor.State(domain)
	if !known {
		http.Error(w, fmt.Sprintf("domain %q is not monitored: /monitor lists those that are", domain), http.StatusNotFound)
		return
	}
	d.history(w, state, n)
}

// history answers with all there is about one domain.
func (d Daemon) history(w http.ResponseWriter, state monitor.State, n int) {
	all := struct {
		State   monitor.State    `json:"state"`
		Results []monitor.Result `json:"results"` // the newest first
		Events  []monitor.Event  `json:"events"`  // those of all domains too
	}{state, []monitor.Result{}, []monitor.Event{}}
	results, err := d.Monitor.History(state.Domain, n)
	events, errEvents := d.Monitor.Events(mostAsked)
	for _, e := range []error{err, errEvents} {
		if e != nil {
			http.Error(w, e.Error(), http.StatusInternalServerError)
			return
		}
	}
	all.Results = append(all.Results, results...)
	for _, e := range events {
		if len(all.Events) < n && (e.Domain == "" || e.Domain == state.Domain) {
			all.Events = append(all.Events, e)
		}
	}
	writeJSON(w, all)
}

// A watcher renders what a Monitor knows on each scrape.
type watcher struct{ *monitor.Monitor }

// Describe announces nothing: what is collected depends on what is known.
func (watcher) Describe(chan<- *prometheus.Desc) {}

// Collect reads states, and asks nobody.
func (c watcher) Collect(metrics chan<- prometheus.Metric) {
	m, stats, states := sink(metrics), c.Stats(), c.States()
	_, blocked := c.Blocked()
	const probes = "Probes made, by how far they went."
	m.counter("monitor_probes_total", probes, stats.Greetings, "depth", "greeting")
	m.counter("monitor_probes_total", probes, stats.Deep, "depth", "tls")
	m.gauge("monitor_running", "Probes under way.", float64(stats.Running))
	m.counter("monitor_store_errors_total", "Results that could not be kept.", stats.StoreErrors)
	m.gauge("monitor_domains", "Domains that are monitored.", float64(len(states)))
	m.gauge("monitor_port_blocked", "1 if nobody answers at all, which is the fault of the network here.", oneIf(blocked))
	for _, s := range states {
		if !s.Last.At.IsZero() {
			m.state(s)
		}
	}
}

// state sends one domain. Its status is the settled one, which alarms go by; there is none before two results agree.
func (m sink) state(s monitor.State) {
	if s.Status != "" {
		m.gauge("domain_status", "0 ok, 1 warning, 2 critical, 3 unknown: as the last two probes agree.", statusNumber(s.Status), "domain", s.Domain)
	}
	m.gauge("domain_last_status", "The same for the last probe alone.", statusNumber(s.Last.Status), "domain", s.Domain)
	m.gauge("domain_flapping", "1 if the results keep changing.", oneIf(s.Flapping), "domain", s.Domain)
	m.gauge("domain_last_probe_timestamp_seconds", "When the last probe ended.", unix(s.Last.At), "domain", s.Domain)
	m.gauge("domain_last_probe_seconds", "How long it took.", s.Last.Seconds, "domain", s.Domain)
	if !s.Last.Blocked { // or each MX host would be down that our own network keeps us from
		m.exchangers(s.Report, false)
	}
	m.security(s.TLS())
}
