package main

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/mxglue/mxglue/resolver"
	"github.com/mxglue/mxglue/resolver/upstream"
)

// asker is a resolver wired as serve does, whose upstreams say what the test wants.
type asker struct {
	*resolver.Resolver
	mu    sync.Mutex
	asked []string // upstream and name
}

// newAsker wires what config.yaml says; its upstreams answer every question with the given record, AD set.
func newAsker(t *testing.T, config, says string) *asker {
	t.Helper()
	c, err := load(t, config)
	if err != nil {
		t.Fatal(err)
	}
	_, r, err := newResolver(c, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	a := &asker{Resolver: r}
	r.Ask = func(_ context.Context, u *upstream.Upstream, q dns.Question, _ bool) (*upstream.Response, error) {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.asked = append(a.asked, u.String()+" "+q.Name)
		rr, err := dns.NewRR(q.Name + " " + says)
		if err != nil {
			t.Error(err)
		}
		m := new(dns.Msg)
		m.SetQuestion(q.Name, q.Qtype)
		m.Response, m.RecursionAvailable, m.AuthenticatedData, m.Answer = true, true, true, []dns.RR{rr}
		return &upstream.Response{Msg: m, Size: m.Len()}, nil
	}
	return a
}

// ask asks for A and returns the reply and which upstream was asked.
func (a *asker) ask(t *testing.T, name string) (*dns.Msg, []string) {
	t.Helper()
	a.asked = nil
	m := new(dns.Msg)
	m.SetQuestion(name, dns.TypeA)
	m.AuthenticatedData = true
	reply, _, err := a.Exchange(t.Context(), m)
	if err != nil {
		t.Fatal(err)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return reply, a.asked
}

func TestRoutesReachTheResolver(t *testing.T) {
	a := newAsker(t, `
resolver:
  upstreams: [192.0.2.1, 192.0.2.2]
  rebind_protection: true
  routes:
    - {zone: corp.example, upstreams: [10.0.0.53, 192.0.2.2]}
    - {zone: safe.corp.example, upstreams: 10.0.1.53, rebind_protection: true}
`, "60 IN A 10.1.2.3")
	for name, want := range map[string]struct {
		upstream string
		answers  int
	}{
		"www.example.":         {"udp://192.0.2.1:53", 0}, // a private address behind a public name
		"mail.corp.example.":   {"udp://10.0.0.53:53", 1},
		"a.safe.corp.example.": {"udp://10.0.1.53:53", 0},
	} {
		reply, asked := a.ask(t, name)
		if !slices.Equal(asked, []string{want.upstream + " " + name}) || len(reply.Answer) != want.answers {
			t.Errorf("%s: asked %q and answered %v; want %s asked, and %d addresses", name, asked, reply.Answer, want.upstream, want.answers)
		}
	}
	if n := len(a.Stats().Upstreams); n != 4 {
		t.Errorf("%d upstreams in the figures, want 4: one in two places is one", n)
	}
}

func TestPolicyAndADReachTheResolver(t *testing.T) {
	for config, want := range map[string]bool{
		"upstreams: 192.0.2.1":                           false,
		"upstreams: 192.0.2.1\n  dnssec: trust":          true,
		"upstreams: 127.0.0.1:5335":                      true,
		"upstreams: 'tls://192.0.2.1#a.example'":         true,
		"upstreams: 192.0.2.1\n  policy: race":           false,
		"upstreams: 192.0.2.1\n  case_0x20: true":        false,
		"upstreams: 'https://a.example/q?ip=192.0.2.1'":  true,
		"upstreams: [tcp://192.0.2.1]\n  dnssec: trust ": true,
	} {
		a := newAsker(t, "resolver:\n  "+config, "60 IN A 192.0.2.7")
		if reply, _ := a.ask(t, "mail.example."); reply.AuthenticatedData != want {
			t.Errorf("%s: AD is %v, want %v", config, reply.AuthenticatedData, want)
		}
	}
}

func TestOptionsReachCacheAndUpstreams(t *testing.T) {
	c, err := load(t, `
cache: {memory: 3MiB, min_ttl: 30s, max_ttl: 1h}
resolver: {upstreams: 192.0.2.1, case_0x20: true, stale_after: 900ms, policy: race, records: ["mx.example. A 192.0.2.25"]}
`)
	if err != nil {
		t.Fatal(err)
	}
	w, err := newWiring(c, nil)
	if err != nil {
		t.Fatal(err)
	}
	o := w.cache
	if o.Memory != 3<<20 || o.MinTTL != 30*time.Second || o.MaxTTL != time.Hour || !o.Configured("mx.example.") || o.Configured("a.example.") {
		t.Errorf("the cache has %+v", o)
	}
	if w.resolver.StaleAfter != 900*time.Millisecond || w.resolver.Policy != resolver.Race {
		t.Errorf("stale after %v, policy %s; want 900ms and race", w.resolver.StaleAfter, w.resolver.Policy)
	}
	if upstreams := w.upstreams.everything; len(upstreams) != 1 || !upstreams[0].Case0x20 {
		t.Errorf("upstreams %v; want one with 0x20", upstreams)
	}
}

// What is configured is answered without upstream, hosts included, and the configuration stays as it is.
func TestRecordsAndHosts(t *testing.T) {
	c, err := load(t, "resolver: {records: ['mx.example. A 192.0.2.25'], hosts: true}")
	if err != nil {
		t.Fatal(err)
	}
	hosts := filepath.Join(t.TempDir(), "hosts")
	if err := os.WriteFile(hosts, []byte("192.0.2.26 mx.example other.example\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	records, err := newRecords(c, hosts)
	if err != nil {
		t.Fatal(err)
	}
	if len(records["mx.example."]) != 2 || !records.Has("other.example.") {
		t.Errorf("records are %v, want two of mx.example, and other.example", records)
	}
	if len(c.Resolver.Records["mx.example."]) != 1 || c.Resolver.Records.Has("other.example.") {
		t.Errorf("the configuration has become %v", c.Resolver.Records)
	}
	if _, err := newRecords(c, hosts+".none"); err == nil || !strings.Contains(err.Error(), "resolver.hosts") {
		t.Errorf("no hosts file: error %v, want one that names resolver.hosts", err)
	}
	a := newAsker(t, "resolver: {upstreams: 192.0.2.1, records: ['mx.example. A 192.0.2.25']}", "60 IN A 192.0.2.7")
	if reply, asked := a.ask(t, "MX.example."); asked != nil || len(reply.Answer) != 1 || !strings.HasSuffix(reply.Answer[0].String(), "192.0.2.25") {
		t.Errorf("asked %q, answered %v; want the configured record", asked, reply.Answer)
	}
}
