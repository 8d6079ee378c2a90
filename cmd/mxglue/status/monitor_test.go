package status

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"github.com/mxglue/mxglue/smtpprobe"
	"github.com/mxglue/mxglue/smtpprobe/monitor"
)

// monitoredFor runs a Monitor of two domains for so long, and then hands over the daemon that shows it, in the same bubble of
// time. example.com has one MX host of two down all the time; example.org is well, as far as it has been probed.
func monitoredFor(t *testing.T, d time.Duration, look func(t *testing.T, d Daemon, probes *atomic.Int32)) {
	synctest.Test(t, func(t *testing.T) {
		store, err := monitor.OpenStore(filepath.Join(t.TempDir(), "monitor.db"), monitor.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		defer store.Close()
		m, err := monitor.New(store, monitor.Options{Domains: []string{"example.com", "example.org"}})
		if err != nil {
			t.Fatal(err)
		}
		var probes atomic.Int32
		m.Random, m.Log = func() float64 { return 0.5 }, slog.New(slog.DiscardHandler)
		m.Probe = func(_ context.Context, domain string, depth smtpprobe.Depth) smtpprobe.Report {
			probes.Add(1)
			r := halfUp()
			if depth < smtpprobe.DepthTLS {
				r.STS, r.Senders, r.MX[1].Attempts[2].TLS = nil, smtpprobe.Senders{}, nil
			}
			if r.Domain = domain; domain == "example.org" {
				r.MX, r.Status, r.Verdict, r.Reason = r.MX[1:2], smtpprobe.StatusOK, smtpprobe.OK, "1 of 1 exchanger says 220."
			}
			return r
		}
		ctx, cancel := context.WithTimeout(t.Context(), d)
		defer cancel()
		m.Run(ctx)
		daemon := Daemon{Monitor: m}
		daemon.Snapshot = func() Snapshot {
			s := idle()
			s.Monitor = Watch(m)
			return s
		}
		look(t, daemon, &probes)
	})
}

const (
	longEnough = 40 * time.Minute // for two bad results
	tooShort   = time.Minute      // for the second domain
)

func show(t *testing.T, d Daemon, path string, want int) string {
	t.Helper()
	response := tell(d, "GET", path, "127.0.0.1:1")
	text := body(t, response)
	if response.StatusCode != want {
		t.Fatalf("GET %s: %s, want %d: %s", path, response.Status, want, text)
	}
	return text
}

func TestMetricsShowWhatTheMonitorKnows(t *testing.T) {
	monitoredFor(t, longEnough, func(t *testing.T, d Daemon, _ *atomic.Int32) {
		text, stats := show(t, d, "/metrics", 200), d.Monitor.Stats()
		if stats.Deep == 0 || stats.Greetings == 0 || stats.Deep == stats.Greetings {
			t.Fatalf("%+v: the two counts are to be told apart", stats)
		}
		has(t, samples(t, text),
			"mxglue_domain_status{domain=example.com} 1", "mxglue_domain_status{domain=example.org} 0",
			"mxglue_domain_last_status{domain=example.com} 1", "mxglue_domain_flapping{domain=example.com} 0",
			"mxglue_mx_up{domain=example.com,mx=mx1.example.com,pref=10} 0", "mxglue_mx_up{domain=example.org,mx=mx2.example.com,pref=20} 1",
			fmt.Sprintf("mxglue_tls_cert_not_after_timestamp_seconds{domain=example.org,mx=mx2.example.com} %d", certificateEnd.Unix()),
			"mxglue_dane_status{domain=example.org,mx=mx2.example.com,status=secure} 1", "mxglue_mta_sts_mode{domain=example.org,mode=enforce} 1",
			"mxglue_monitor_domains{} 2", "mxglue_monitor_running{} 0", "mxglue_monitor_store_errors_total{} 0", "mxglue_monitor_port_blocked{} 0",
			fmt.Sprintf("mxglue_monitor_probes_total{depth=tls} %d", stats.Deep), fmt.Sprintf("mxglue_monitor_probes_total{depth=greeting} %d", stats.Greetings),
		)
		problems, err := promlint.New(strings.NewReader(text)).Lint()
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range problems {
			if strings.HasPrefix(p.Metric, "mxglue_") {
				t.Errorf("%s: %s", p.Metric, p.Text)
			}
		}
	})
}

// One bad result is no alarm, and no result is nothing at all.
func TestMetricsHaveNoStatusThatIsNotSettled(t *testing.T) {
	monitoredFor(t, tooShort, func(t *testing.T, d Daemon, _ *atomic.Int32) {
		text := show(t, d, "/metrics", 200)
		has(t, samples(t, text), "mxglue_domain_last_status{domain=example.com} 1")
		for _, line := range []string{"mxglue_domain_status{", `domain="example.org"`} {
			if strings.Contains(text, line) {
				t.Errorf("%s too soon in\n%s", line, text)
			}
		}
	})
}

// When port 25 is blocked here, no MX host is said to be down.
func TestMetricsOfABlockedPortBlameNoHost(t *testing.T) {
	blocked := monitor.State{Domain: "example.com", Report: halfUp(), Last: monitor.Result{At: time.Now(), Blocked: true, Status: smtpprobe.StatusUnknown}}
	for _, isBlocked := range []bool{true, false} {
		metrics := make(chan prometheus.Metric, 1000)
		blocked.Last.Blocked = isBlocked
		sink(metrics).state(blocked)
		close(metrics)
		said := false
		for m := range metrics {
			said = said || strings.Contains(m.Desc().String(), "mx_up")
		}
		if said == isBlocked {
			t.Errorf("blocked %t: mx_up is there: %t", isBlocked, said)
		}
	}
}

// Reading never makes a connection.
func TestShowingWhatTheMonitorKnowsProbesNobody(t *testing.T) {
	monitoredFor(t, longEnough, func(t *testing.T, d Daemon, probes *atomic.Int32) {
		before := probes.Load()
		for _, path := range []string{"/metrics", "/stats", "/", "/monitor", "/monitor?domain=example.com"} {
			show(t, d, path, 200)
		}
		time.Sleep(24 * time.Hour) // of the bubble
		if now := probes.Load(); now != before || before == 0 {
			t.Errorf("%d probes before, %d after", before, now)
		}
	})
}

func TestMonitorPathTellsAllDomainsInShortAndOneInFull(t *testing.T) {
	monitoredFor(t, longEnough, func(t *testing.T, d Daemon, _ *atomic.Int32) {
		var all Monitored
		if err := json.Unmarshal([]byte(show(t, d, "/monitor", 200)), &all); err != nil {
			t.Fatal(err)
		}
		if len(all.Domains) != 2 || all.Domains[0].Domain != "example.com" || all.Domains[0].Status != smtpprobe.StatusWarning || all.Domains[0].Last.Up != 1 {
			t.Errorf("domains %+v; want example.com with a warning first", all.Domains)
		}
		if len(all.Events) != 1 || all.Events[0].Kind != monitor.StatusChanged || all.Events[0].Domain != "example.com" {
			t.Errorf("events %+v; want the one of example.com", all.Events)
		}
		var one struct {
			State   monitor.State
			Results []monitor.Result
			Events  []monitor.Event
		}
		if err := json.Unmarshal([]byte(show(t, d, "/monitor?domain=Example.ORG&n=1", 200)), &one); err != nil {
			t.Fatal(err)
		}
		if one.State.Domain != "example.org" || one.State.Report.Reason == "" || len(one.Results) != 1 || one.Results[0].Status != smtpprobe.StatusOK || len(one.Events) != 0 {
			t.Errorf("example.org is %+v; want its report, one result, and no event of the other domain", one)
		}
		for path, want := range map[string]int{"/monitor?domain=example.net": 404, "/monitor?domain=a..b": 400, "/monitor?n=x": 400, "/monitor?n=-1": 400, "/monitor?n=5001": 400} {
			show(t, d, path, want)
		}
	})
	if text := show(t, Daemon{Snapshot: idle}, "/monitor", 404); !strings.Contains(text, "monitor.domains") {
		t.Errorf("without a monitor it says %q, want the key that makes one", text)
	}
}

func TestPageAndTextShowTheMailDomains(t *testing.T) {
	monitoredFor(t, longEnough, func(t *testing.T, d Daemon, _ *atomic.Int32) {
		var text strings.Builder
		var read Snapshot // as "mxglue stats" has it
		if err := json.Unmarshal([]byte(show(t, d, "/stats", 200)), &read); err != nil {
			t.Fatal(err)
		}
		if err := WriteText(&text, read); err != nil {
			t.Fatal(err)
		}
		since, _ := d.Monitor.State("example.com")
		at := instant(since.Since)
		for where, text := range map[string]string{"page": show(t, d, "/", 200), "stats": text.String()} {
			for _, want := range []string{
				"Mail domains", "example.com", "warning", "1 of 2", "example.org", "1 of 1",
				"example.com is warning since " + at + "; the last probe: 1 of 2 exchangers says 220: mx1.example.com refuses the connection.",
				"What changed there", at + "  example.com is warning: 1 of 2 exchangers",
			} {
				if !strings.Contains(text, want) {
					t.Errorf("%s does not say %q:\n%s", where, want, text)
				}
			}
		}
	})
	if text := get(t, idle, "/"); strings.Contains(text, "Mail domains") {
		t.Error("without a monitor the page has its table")
	}
}

// What keeps the monitor from its work is to look at, not in the log alone.
func TestNotesOfTheMonitor(t *testing.T) {
	at := time.Date(2026, 11, 23, 15, 4, 5, 0, time.UTC)
	many := Monitored{}
	for range 12 {
		many.Domains = append(many.Domains, MonitoredDomain{Domain: "example.com", Standing: monitor.Standing{Status: smtpprobe.StatusCritical, Since: at}, Last: monitor.Result{At: at}})
	}
	for want, m := range map[string]Monitored{
		"The monitor does not run: history /x is damaged.":                                         {Off: "history /x is damaged"},
		"Port 25 seems blocked here since 2026-11-23 15:04Z: nobody answers, whatever the domain.": {Blocked: at},
		"3 results of the monitor could not be kept: the log says why (monitor.store).":            {Stats: monitor.Stats{StoreErrors: 3}},
		"1 result of the monitor could not be kept: the log says why (monitor.store).":             {Stats: monitor.Stats{StoreErrors: 1}},
		"The events of the monitor cannot be read: history /x is damaged.":                         {Trouble: "history /x is damaged"},
		"2 more mail domains are in trouble.":                                                      many,
	} {
		s := idle()
		s.Monitor = &m
		notes := s.Notes()
		if len(notes) == 0 || notes[len(notes)-1] != want {
			t.Errorf("notes %q, want %q at the end", notes, want)
		}
		if s.Trouble() != "" {
			t.Errorf("the nameserver is said to be in trouble: %s", s.Trouble())
		}
	}
}
