package main

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/mxglue/mxglue/smtpprobe"
)

// The monitor, /probe and what a reload makes of them spare a mail server together: who was there under one configuration
// waits for its pause under the next, though its results are gone.
func TestGatesOutliveAReload(t *testing.T) {
	b := newBench(t, "gates.example. 300 IN A 127.0.0.61", map[string]string{"127.0.0.61": ""})
	config := "resolver.upstreams: " + b.upstream + "\nsmtpprobe: {allow_private: true, port: " + b.port + ", helo: one.example}\n"
	r := newReloading(t, config)
	first, _ := r.effect.Load().probes.Modules["mx"].Probe(t.Context(), "gates.example", false)
	if len(first.MX) != 1 || first.MX[0].Verdict != smtpprobe.OK {
		t.Fatalf("%s: %+v", first.Reason, first.MX)
	}
	if _, err := r.change(t, strings.Replace(config, "one.example", "two.example", 1)); err != nil {
		t.Fatal(err)
	}
	hasty, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	for name, probe := range map[string]func() smtpprobe.Report{
		"/probe": func() smtpprobe.Report {
			report, _ := r.effect.Load().probes.Modules["mx"].Probe(hasty, "gates.example", false)
			return report
		},
		"the monitor": func() smtpprobe.Report {
			return monitorProbe(r.effect.Load().config, r.questions, &r.gates)(hasty, "gates.example", smtpprobe.DepthGreeting)
		},
	} {
		if report := probe(); len(report.MX) != 1 || report.MX[0].Verdict != smtpprobe.LocalError {
			t.Errorf("%s does not wait: %s %+v", name, report.Reason, report.MX)
		}
	}
}

// smtpprobe.allow reaches the prober, and excepts no more than it names.
func TestAllowedNetworks(t *testing.T) {
	b := newBench(t, "in.example. 300 IN A 127.0.0.64\nout.example. 300 IN A 127.0.1.64", map[string]string{"127.0.0.64": ""})
	r := newReloading(t, "resolver.upstreams: "+b.upstream+"\nsmtpprobe: {allow: 127.0.0.64/31, port: "+b.port+"}\n")
	for domain, want := range map[string]smtpprobe.Verdict{"in.example": smtpprobe.OK, "out.example": smtpprobe.BlockedAddress} {
		report, _ := r.effect.Load().probes.Modules["mx"].Probe(t.Context(), domain, false)
		if len(report.MX) != 1 || report.MX[0].Verdict != want {
			t.Errorf("%s: %s, want %s", domain, report.Reason, want)
		}
	}
}

// Who probes again and again leaves backups alone with their primaries, and comes back when the monitor does.
func TestDaemonProberKeepsOrder(t *testing.T) {
	b := newBench(t, "d.example. 300 IN A 127.0.0.39", nil)
	r := newReloading(t, "resolver.upstreams: "+b.upstream+"\n")
	p := newDaemonProber(r.effect.Load().config, r.questions, &r.gates)
	if !p.InOrder || p.Hold != 30*time.Minute || p.Gates != &r.gates {
		t.Errorf("in order %v, hold %v, gates shared %v", p.InOrder, p.Hold, p.Gates == &r.gates)
	}
	if p := newProber(r.effect.Load().config, r.questions); p.InOrder || p.Hold != 0 || p.Gates != nil {
		t.Errorf("mxglue check: %v, %v, %v", p.InOrder, p.Hold, p.Gates)
	}
}
