package monitor

import (
	"context"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mxglue/mxglue/smtpprobe"
)

// When nobody answers, that is one event, and not forty dead hosts; when it is over, a host that is dead
// indeed is found out.
func TestBlockedHere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		domains := many(40)
		m := w.monitor(Options{Domains: domains})
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go m.Run(ctx)
		time.Sleep(time.Hour)
		w.set(smtpprobe.TimeoutConnect, domains...)
		time.Sleep(4 * time.Hour)
		if since, yes := m.Blocked(); !yes || since.Before(w.began.Add(time.Hour)) || since.After(w.began.Add(62*time.Minute)) {
			t.Errorf("blocked: %v since %v", yes, since.Sub(w.began))
		}
		for _, s := range m.States() {
			if s.Status != smtpprobe.StatusOK || s.Flapping || !s.Last.Blocked || s.Last.Status != smtpprobe.StatusUnknown {
				t.Errorf("%s: %+v, last %+v", s.Domain, s.Standing, s.Last)
			}
		}
		// A restart in the middle knows it.
		if _, yes := w.monitor(Options{Domains: domains}).Blocked(); !yes {
			t.Error("not blocked after a restart")
		}
		w.set(smtpprobe.OK, domains[1:]...)
		time.Sleep(4 * time.Hour)
		want := []string{
			"port_blocked: Port 25 seems blocked here: nobody answers on it, whatever the domain. ",
			"port_open: Port 25 is open again: ",
			"status: d00.example is critical: mx.d00.example: timeout_connect.",
		}
		got := w.events(m)
		if !slices.EqualFunc(got, want, strings.HasPrefix) {
			t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		if _, yes := m.Blocked(); yes {
			t.Error("still blocked")
		}
	})
}

// A domain that does not exist is not the network's fault, blocked or not.
func TestBlockedHereSparesOtherFaults(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		domains := many(10)
		w.set(smtpprobe.TimeoutConnect, domains...)
		w.change = func(r *smtpprobe.Report) {
			if r.Domain == domains[0] {
				*r = smtpprobe.Report{Domain: r.Domain, Verdict: smtpprobe.NXDomain, Status: smtpprobe.StatusCritical, Reason: "It does not exist."}
			}
		}
		m := w.monitor(Options{Domains: domains})
		w.run(m, 2*time.Hour)
		var kinds []string
		for _, text := range w.events(m) {
			kinds = append(kinds, strings.SplitN(text, ":", 2)[0])
		}
		slices.Sort(kinds)
		if s, _ := m.State(domains[0]); s.Status != smtpprobe.StatusCritical || !slices.Equal(kinds, []string{"port_blocked", "status"}) {
			t.Errorf("%s is %q; %q", domains[0], s.Status, kinds)
		}
	})
}

// feed gives a Monitor one result after the other, a minute apart: "domain verdict".
func feed(m *Monitor, outcomes ...string) {
	for i, o := range outcomes {
		domain, verdict, _ := strings.Cut(o, " ")
		at := time.Date(2026, 1, 1, 0, i, 0, 0, time.UTC)
		m.record(outcome{domain, smtpprobe.DepthTLS, report(domain, smtpprobe.Verdict(verdict)), at, at})
	}
}

func TestBlockedHereNeedsSilence(t *testing.T) {
	const ok, silent, refused = " ok", " timeout_connect", " refused"
	for _, test := range []struct {
		name     string
		outcomes []string
		want     []string // kinds of events
	}{
		{"an answer in between", []string{"a" + silent, "b" + silent, "c" + ok, "d" + silent, "e" + silent}, nil},
		{"a refusal is an answer", []string{"a" + silent, "b" + silent, "c" + refused, "d" + silent, "e" + silent}, nil},
		{"nobody answers", []string{"a" + ok, "b" + silent, "c" + silent, "d" + silent}, []string{"port_blocked"}},
		{"dead hosts among them", []string{"a" + silent, "z" + ok, "b" + silent, "z" + ok, "a" + silent, "z" + ok, "b" + silent, "z" + ok,
			"a" + silent, "b" + silent, "c" + silent}, []string{"status", "status"}},
		{"a bad result of before counts no more", []string{"a" + ok, "b" + ok, "c" + ok, "a" + silent, "b" + silent, "c" + silent, "b" + ok, "a" + silent},
			[]string{"port_blocked", "port_open"}},
		{"a second one does", []string{"a" + ok, "b" + ok, "c" + ok, "a" + silent, "b" + silent, "c" + silent, "b" + ok, "a" + silent, "b" + ok, "a" + silent},
			[]string{"port_blocked", "port_open", "status"}},
	} {
		w := newWorld(t)
		m := w.monitor(Options{Domains: []string{"a", "b", "c", "d", "e", "z"}})
		feed(m, test.outcomes...)
		var kinds []string
		for _, text := range w.events(m) {
			kinds = append(kinds, strings.SplitN(text, ":", 2)[0])
		}
		if !slices.Equal(kinds, test.want) {
			t.Errorf("%s: %q, want %q", test.name, kinds, test.want)
		}
	}
}
