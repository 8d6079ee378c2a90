package main

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/mxglue/mxglue/cmd/mxglue/doctor"
)

// daemonSaying is a daemon whose paths answer these texts.
func daemonSaying(t *testing.T, paths map[string]string) daemonClient {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, paths[r.URL.Path])
	}))
	t.Cleanup(s.Close)
	return daemonClient{listen: netip.MustParseAddrPort(strings.TrimPrefix(s.URL, "http://"))}
}

// Questions of others, and those that mxglue put itself, do not show that this machine asks.
func TestDoctorSeesWhoAsks(t *testing.T) {
	d := daemonSaying(t, map[string]string{"/dump": `[
		{"name": "a.example.", "type": "MX", "by": "client", "client": "127.0.0.1", "age": 90},
		{"name": "b.example.", "type": "MX", "by": "client", "client": "192.0.2.1", "age": 1},
		{"name": "mx.a.example.", "type": "A", "by": "bundle", "client": "127.0.0.1", "age": 1},
		{"name": "c.example.", "type": "MX", "by": "prober", "age": 1}]`})
	asked, err := askedHere(t.Context(), d, ".")
	if err != nil || len(asked) != 1 || asked[0] != (doctor.Question{Name: "a.example.", Type: "MX", Ago: 90 * time.Second}) {
		t.Errorf("%+v, %v", asked, err)
	}
	if _, err := askedHere(t.Context(), daemonSaying(t, nil), "."); err == nil || !strings.Contains(err.Error(), "is not mxglue") {
		t.Errorf("no JSON: %v", err)
	}
}

func TestDoctorAsksTheDaemon(t *testing.T) {
	d := daemonSaying(t, map[string]string{"/stats": `{"version": "v1.2.3", "uptime_seconds": 90, "server": {"udp_queries": 3, "tcp_queries": 4},
		"upstreams": [{"address": "udp://192.0.2.53:53", "last_error": "no route"}, {"address": "nonsense"}]}`})
	r, err := whoRuns(t.Context(), d)
	if err != nil || r.Version != "v1.2.3" || r.Up != 90*time.Second || r.Queries != 7 || !strings.Contains(r.Trouble, "no route") {
		t.Errorf("%+v, %v", r, err)
	}
	if u := upstreamsOf(t.Context(), d); len(u) != 1 || u[0] != "udp://192.0.2.53:53" {
		t.Errorf("upstreams %q", u)
	}
	if u := upstreamsOf(t.Context(), daemonSaying(t, nil)); u != nil {
		t.Errorf("upstreams %q of who is not mxglue", u)
	}
}

// A name that is none is not asked for, and the error names the flag; nothing is asked before.
func TestDoctorFlags(t *testing.T) {
	for _, args := range [][]string{{"--dnsbl", "http://bl.example/"}, {"--signed", ""}, {"--domain", "a@b.example"}, {"--zone", "."}, {"extra"}} {
		if code := run(t.Context(), append([]string{"doctor"}, args...)); code != exitConfig {
			t.Errorf("mxglue doctor %q: exit code %d, want %d", args, code, exitConfig)
		}
	}
	trials := doctor.Trials{Signed: "Signed.example.", Bogus: "b.example", Large: "l.example", Domains: []string{"bücher.example"}}
	if err := knownNames(&trials); err != nil || trials.Signed != "signed.example" || trials.Domains[0] != "xn--bcher-kva.example" {
		t.Errorf("%+v, %v", trials, err)
	}
	trials.DNSBLs = []string{"x y"}
	if err := knownNames(&trials); err == nil || !strings.Contains(err.Error(), `--dnsbl: "x y" is not a domain name`) {
		t.Errorf("%v", err)
	}
}

// Where neither the configuration nor the daemon names an upstream, that is a finding among others, not the end.
func TestDoctorWithoutUpstream(t *testing.T) {
	config, err := load(t, `server: {listen: ["127.0.0.1:53"]}`)
	if err != nil {
		t.Fatal(err)
	}
	config.Status.Listen = netip.AddrPort{}
	config.Server.Listen = systemNameservers(t)
	d, err := newDoctor(context.Background(), config, doctor.Trials{})
	if err != nil || d.NoUpstream == nil || d.Upstreams != nil {
		t.Errorf("%+v, %v", d, err)
	}
}

// systemNameservers are those of this machine, as listeners of ours: none is left to ask.
func systemNameservers(t *testing.T) (listen []netip.AddrPort) {
	t.Helper()
	upstreams, err := systemUpstreams(resolvConfFile, nil)
	if err != nil {
		return nil // there are none in any case
	}
	for _, u := range upstreams {
		listen = append(listen, upstreamAddrPort(u))
	}
	return listen
}

func TestDoctorColours(t *testing.T) {
	file, err := os.Create(t.TempDir() + "/output")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if colours(file) {
		t.Error("colours in a file")
	}
	terminal, err := os.Open("/dev/tty")
	if err != nil {
		terminal, err = os.Open(os.DevNull) // a character device too
	}
	if err != nil {
		t.Fatal(err)
	}
	defer terminal.Close()
	t.Setenv("TERM", "xterm")
	t.Setenv("NO_COLOR", "")
	if !colours(terminal) {
		t.Error("no colours on a terminal")
	}
	t.Setenv("NO_COLOR", "1")
	if colours(terminal) {
		t.Error("colours in spite of NO_COLOR")
	}
}
