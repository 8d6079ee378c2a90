//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// monitored is what the tests look at of /monitor.
type monitored struct {
	Domains []struct {
		Domain, Status string
		Last           struct {
			Up, Of int
			At     time.Time
		}
	}
	Events []monitorEvent
}

type monitorEvent struct {
	At                          time.Time
	Domain, Kind, Was, Is, Text string
}

// status is that of a domain; "" before two probes agree.
func (m monitored) status(domain string) string {
	for _, d := range m.Domains {
		if d.Domain == domain {
			return d.Status
		}
	}
	return "not monitored"
}

// history is what the tests look at of /monitor?domain=.
type history struct {
	State   struct{ Status string }
	Results []struct {
		At     time.Time
		Status string
	}
	Events []monitorEvent
}

// Two domains: an exchanger of the one goes and comes back, and each time that is an event, after two results. The other is
// well. Everything is still known after a kill -9.
func TestMonitor(t *testing.T) {
	startUnbound(t)
	startFakeMXAt(t, fakeIP, "implicit.example", "")
	first := startFakeMXAt(t, "10.77.0.12", "in1.hoster.example", "")
	env := []string{
		"MXGLUE_MONITOR_DOMAINS=implicit.example,hosted.example", "MXGLUE_MONITOR_INTERVAL=1s", "MXGLUE_MONITOR_OWN_MX=true",
		"MXGLUE_MONITOR_STORE=" + filepath.Join(scratch(t, "state"), "mxglue", "monitor.db"), "MXGLUE_SMTPPROBE_ALLOW_PRIVATE=true",
	}
	upstream := []string{"udp://" + unboundAddress}
	d := serveBefore(t, upstream, env...)
	awaitStatuses(t, d, "ok", "ok")

	stopFakeMX(t, first)
	awaitStatuses(t, d, "ok", "warning")
	now := readMonitor(t)
	if len(now.Events) == 0 || now.Events[0].Domain != "hosted.example" || now.Events[0].Was != "ok" || now.Events[0].Is != "warning" {
		t.Errorf("events %+v; want the one that hosted.example is warning", now.Events)
	}
	families := families(t, string(fetched(t, "/metrics")))
	for what, want := range map[string]float64{
		"mxglue_domain_status implicit.example": 0, "mxglue_domain_status hosted.example": 1, "mxglue_monitor_domains": 2,
		"mxglue_mx_up hosted.example in1.hoster.example": 0, "mxglue_mx_up hosted.example in2.hoster.example": 1, "mxglue_monitor_port_blocked": 0,
	} {
		if got, ok := value(families, what); !ok || got != want {
			t.Errorf("/metrics: %s is %v (there: %v), want %v", what, got, ok, want)
		}
	}
	mentions(t, "the page", string(fetched(t, "/")), "hosted.example is warning since", "in1.hoster.example refuses the connection")
	b := browse(t)
	b.open(t, pageURL)
	b.shows(t, "#domains", "implicit.example", "hosted.example", "warning")
	b.shows(t, "#domains .matrix", "in1.hoster.example", "refused", "in2.hoster.example", "220")
	b.shows(t, "#events", "hosted.example is warning")
	b.quiet(t)
	mentions(t, "mxglue stats", run(t, mxglue(t, nil, "stats", "--status", statusAddress)).stdout, "Mail domains", "hosted.example is warning since")
	mentions(t, "the log", d.output.String(), "level=WARN", "hosted.example is warning")

	startFakeMXAt(t, "10.77.0.12", "in1.hoster.example", "")
	awaitStatuses(t, d, "ok", "ok")
	before := readHistory(t, "hosted.example")
	var kinds []string
	for _, e := range before.Events {
		kinds = append(kinds, e.Kind)
	}
	if !slices.Equal(kinds, []string{"status", "key", "status"}) || before.Events[0].Is != "ok" { // fakemx made itself a new key
		t.Fatalf("events %+v; want that it is ok again, that its key changed, and that it was not ok", before.Events)
	}

	d.signal(t, syscall.SIGKILL)
	d.exitCode(t, 10*time.Second)
	serveBefore(t, upstream, env...)
	after := readHistory(t, "hosted.example")
	if after.State.Status != "ok" || !slices.Equal(after.Events, before.Events) {
		t.Errorf("after kill -9: %s, %+v; want ok, %+v", after.State.Status, after.Events, before.Events)
	}
	newer := len(after.Results) - len(before.Results)
	if newer < 0 || len(before.Results) < 5 {
		t.Fatalf("%d results before kill -9, %d after", len(before.Results), len(after.Results))
	}
	for i, r := range before.Results {
		if after.Results[i+newer] != r {
			t.Errorf("result %d was %+v before kill -9, and is %+v", i, r, after.Results[i+newer])
		}
	}
}

// A history that cannot be used costs the monitor, not the nameserver.
func TestMonitorWithoutItsFile(t *testing.T) {
	startUnbound(t)
	damaged := writeFile(t, scratch(t, "state"), "monitor.db", strings.Repeat("no history ", 1000))
	d := serveBefore(t, []string{"udp://" + unboundAddress}, "MXGLUE_MONITOR_DOMAINS=implicit.example", "MXGLUE_MONITOR_STORE="+damaged)
	if r, err := exchange("udp", dnsAddress, "three.example.", 15); err != nil || len(r.Answer) != 3 {
		t.Errorf("%v, %v; want three MX records", r, err)
	}
	for what, text := range map[string]string{"the log": d.output.String(), "the page": string(fetched(t, "/"))} {
		mentions(t, what, text, damaged, "is damaged", "move it aside")
	}
}

// awaitStatuses waits until implicit.example and hosted.example stand where they should.
func awaitStatuses(t *testing.T, d *daemon, implicit, hosted string) {
	t.Helper()
	eventually(t, 20*time.Second, func() error {
		d.running(t)
		m := readMonitor(t)
		if m.status("implicit.example") != implicit || m.status("hosted.example") != hosted {
			return fmt.Errorf("implicit.example is %q and hosted.example %q, want %s and %s: %+v",
				m.status("implicit.example"), m.status("hosted.example"), implicit, hosted, m)
		}
		return nil
	})
}

func readMonitor(t *testing.T) (m monitored) {
	t.Helper()
	text := fetched(t, "/monitor")
	if err := json.Unmarshal(text, &m); err != nil {
		t.Fatalf("/monitor: %v:\n%s", err, text)
	}
	return m
}

func readHistory(t *testing.T, domain string) (h history) {
	t.Helper()
	text := fetched(t, "/monitor?n=5000&domain="+domain)
	if err := json.Unmarshal(text, &h); err != nil {
		t.Fatalf("/monitor?domain=%s: %v:\n%s", domain, err, text)
	}
	return h
}

// fetched is a page that is there.
func fetched(t *testing.T, path string) []byte {
	t.Helper()
	text, err := fetch(path)
	if err != nil {
		t.Fatal(err)
	}
	return text
}
