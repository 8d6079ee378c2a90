package smtpprobe

import (
	"context"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mxglue/mxglue/smtpprobe/sts"
)

// Several names on one address: one connection, and each name has the result.
func TestNamesOnOneAddressShareAConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &network{}
		records := "d.example. MX 1 a.example.\nd.example. MX 2 b.example.\na.example. A 11.0.0.1\nb.example. A 11.0.0.1\nb.example. AAAA ::ffff:11.0.0.1"
		r := (&Prober{Exchange: zone(t, records), Dial: n.dial}).Probe(t.Context(), "d.example")
		if len(n.dialed) != 1 || r.Status != StatusOK {
			t.Errorf("%d connections, %s", len(n.dialed), summary(r))
		}
		for _, a := range r.MX[1].Attempts {
			if a.Shared != "a.example" || a.Code != 220 || a.Source != "upstream" {
				t.Errorf("attempt %+v", a)
			}
		}
	})
}

// An address has a minute's peace after a connection, whatever the domain and the port.
func TestOneConnectionAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &network{}
		p := &Prober{Exchange: zone(t, "d.example. A 11.0.0.1\ne.example. A 11.0.0.1"), Dial: n.dial}
		for _, step := range []struct {
			pass        time.Duration
			domain      string
			connections int
			shared      string
		}{
			{0, "d.example", 1, ""},
			{59 * time.Second, "e.example", 1, "d.example"},
			{time.Second, "e.example", 2, ""},
			{59 * time.Second, "d.example", 2, "e.example"},
		} {
			time.Sleep(step.pass) // the bubble's clock
			a := p.Probe(t.Context(), step.domain).MX[0].Attempts[0]
			if len(n.dialed) != step.connections || a.Shared != step.shared || a.Code != 220 {
				t.Errorf("%s: %d connections, shared %q, code %d; want %+v", step.domain, len(n.dialed), a.Shared, a.Code, step)
			}
		}
		time.Sleep(time.Minute)
		p.Probe(t.Context(), "d.example")
		if len(p.visits.at) != 1 {
			t.Errorf("%d visits remembered", len(p.visits.at))
		}
		p.Port = 587
		start := time.Now()
		p.Probe(t.Context(), "d.example")
		if len(n.dialed) != 4 || time.Since(start) != time.Minute {
			t.Errorf("%d connections, want another for another port, a minute later and not after %v", len(n.dialed), time.Since(start))
		}
	})
}

// Probes at the same time share the connection that is under way.
func TestProbesAtOnceShareAConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &network{peers: map[string]string{"11.0.0.1": "mute"}}
		var records strings.Builder
		domains := []string{"a.example", "b.example", "c.example", "e.example"}
		for _, d := range domains {
			records.WriteString(d + ". A 11.0.0.1\n")
		}
		p := &Prober{Exchange: zone(t, records.String()), Dial: n.dial}
		var probes sync.WaitGroup
		for _, d := range domains {
			probes.Go(func() {
				if a := p.Probe(t.Context(), d).MX[0].Attempts[0]; a.Verdict != GreetingTimeout {
					t.Errorf("%s: %s", d, a.Verdict)
				}
			})
		}
		// One that has less patience does not wait for the others' connection.
		hasty, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		synctest.Wait()
		start := time.Now()
		if r := p.Probe(hasty, "a.example"); r.Status != StatusUnknown || time.Since(start) != time.Second {
			t.Errorf("%s after %v", summary(r), time.Since(start))
		}
		probes.Wait()
		if len(n.dialed) != 1 {
			t.Errorf("%d connections", len(n.dialed))
		}
	})
}

// What never left this machine was no visit; a connection cut by its caller was one.
func TestWhatCountsAsAVisit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &network{peers: map[string]string{"11.0.0.1": "noroute", "11.0.0.2": "mute"}}
		p := &Prober{Exchange: zone(t, "d.example. A 11.0.0.1\ne.example. A 11.0.0.2"), Dial: n.dial}
		p.Probe(t.Context(), "d.example")
		p.Probe(t.Context(), "d.example")
		if len(n.dialed) != 2 {
			t.Errorf("%d tries without a route, want 2", len(n.dialed))
		}
		hasty, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		p.Probe(hasty, "e.example")
		if r := p.Probe(t.Context(), "e.example"); len(n.dialed) != 3 || r.Status != StatusUnknown {
			t.Errorf("%d connections, %s", len(n.dialed), summary(r))
		}
	})
}

// A certificate that was shown to a connection for another name says nothing against a name: the server may have one
// for it. What is right with it is.
func TestCertificateOfAnotherName(t *testing.T) {
	for _, test := range []struct{ name, listed, want string }{
		{"mx.example", "mx.example", "ok encrypted authenticated authenticated "},
		{"other.example", "other.example", "ok encrypted unknown unknown server_name"},
		{"other.example", "mx.example", "critical encrypted unknown defer server_name"}, // whatever its certificate: it is not listed
	} {
		synctest.Test(t, func(t *testing.T) {
			k := newKit(t)
			records := oneHost + "e.example. MX 1 " + test.name + ".\nother.example. A 11.0.0.1\n" + tlsa(3, 1, k.leaf) + "\n" + strings.Replace(tlsa(3, 1, k.root), "mx.", "other.", 1)
			p := &Prober{Exchange: signed(zone(t, records)), STS: enforced(sts.ModeEnforce, test.listed), Options: Options{Security: Security{Roots: k.roots(), Validates: true}}}
			probeTLS(t, &secureMX{chain: []*identity{k.leaf, k.inter}}, p)
			p.STS = enforced(sts.ModeEnforce, test.listed)
			r := p.Probe(t.Context(), "e.example")
			if r.MX[0].Attempts[0].Shared != "mx.example" {
				t.Fatalf("not shared: %s", summary(r))
			}
			got := strings.Join([]string{string(r.Status), string(r.Senders.Plain), string(r.Senders.DANE), string(r.Senders.STS), codes(r, SeverityUnknown)}, " ")
			if got != test.want {
				t.Errorf("%s, %s: got %q, want %q (%s)", test.name, test.listed, got, test.want, r.Reason)
			}
		})
	}
}

// Who asks for more than is known, and has no time to wait for another connection, spoils nothing for those who come
// after, and is told what is known, without the dialogue.
func TestNoTimeForMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &network{}
		p := &Prober{Exchange: zone(t, "d.example. A 11.0.0.1"), Dial: n.dial, Options: Options{Depth: DepthGreeting}}
		p.Probe(t.Context(), "d.example")
		for _, step := range []struct {
			depth      Depth
			transcript bool
			want       Status
		}{
			{DepthGreeting, true, StatusOK},
			{DepthTLS, false, StatusUnknown},
			{DepthGreeting, false, StatusOK},
		} {
			opt := p.Options
			opt.Depth, opt.Transcript = step.depth, step.transcript
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			r := p.ProbeWith(ctx, "d.example", opt)
			cancel()
			if r.Status != step.want || len(n.dialed) != 1 {
				t.Errorf("%+v: %s, %d connections", step, summary(r), len(n.dialed))
			}
		}
	})
}
