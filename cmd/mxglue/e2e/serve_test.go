//go:build e2e

package e2e

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// No file, no flag, no root: it listens where the README says and asks the nameserver of /etc/resolv.conf.
func TestServeAsItComes(t *testing.T) {
	startUnbound(t)
	u := startUpstream(t, "127.0.0.1:53", 0, relay)
	cmd := mxglue(t, nil, "serve")
	asNobody(cmd)
	d := start(t, cmd)
	awaitStatus(t, d)
	for _, network := range []string{"udp", "tcp"} {
		r, err := exchange(network, "127.0.0.1:5300", "three.example.", dns.TypeMX)
		if err != nil {
			t.Fatal(err)
		}
		if len(r.Answer) != 3 {
			t.Errorf("%s: want the three MX of three.example:\n%v", network, r)
		}
	}
	if len(u.queries(dns.TypeMX)) != 1 {
		t.Errorf("want one MX query to the nameserver of resolv.conf:\n%s", transcript(u.queries()))
	}
	mentions(t, "what serve prints", d.output.String(), "127.0.0.1:5300", "127.0.0.1:53", "127.0.0.1:8053", "dig ")
	stop(t, d)
}

// SIGTERM: the query that is on its way still gets its reply, then the exit code is 0 and the ports are free.
func TestServeDrains(t *testing.T) {
	startUnbound(t)
	u := startUpstream(t, upstreamAddress, time.Second, relay)
	d := serve(t)
	replies := make(chan error, 1)
	go func() {
		r, err := exchange("udp", dnsAddress, "mx1.three.example.", dns.TypeA)
		if err == nil && len(r.Answer) != 1 {
			t.Errorf("the query on its way was answered with\n%v", r)
		}
		replies <- err
	}()
	awaitQuery(t, u, dns.TypeA)
	stop(t, d)
	if err := <-replies; err != nil {
		t.Errorf("the query on its way was not answered: %v", err)
	}
	for _, network := range []string{"udp", "tcp"} {
		occupy(t, network, dnsAddress)
	}
}

// A second SIGTERM does not wait for anything.
func TestServeStopsAtOnce(t *testing.T) {
	u := startUpstream(t, upstreamAddress, 0, silent)
	d := serve(t)
	go func() { _, _ = exchange("udp", dnsAddress, "three.example.", dns.TypeMX) }() // something to drain
	awaitQuery(t, u, dns.TypeMX)
	d.signal(t, syscall.SIGTERM)
	eventually(t, time.Second, func() error { // two signals in one moment would arrive as one
		select {
		case <-d.done:
			return nil
		default:
			_ = d.cmd.Process.Signal(syscall.SIGTERM) // an error means it has ended
			return errors.New("it is still running")
		}
	})
}

// No upstream answers: the client hears SERVFAIL before its own patience of 5 s is over.
func TestServeUpstreamDead(t *testing.T) {
	startUpstream(t, upstreamAddress, 0, silent)
	serve(t)
	began := time.Now()
	r, err := exchange("udp", dnsAddress, "three.example.", dns.TypeMX)
	if err != nil {
		t.Fatal(err)
	}
	if r.Rcode != dns.RcodeServerFailure {
		t.Errorf("%s, want SERVFAIL", dns.RcodeToString[r.Rcode])
	}
	if took := time.Since(began); took >= 5*time.Second {
		t.Errorf("SERVFAIL after %v, want before 5 s", took)
	}
}

// What cannot be used is said by its name, and nothing is left running.
func TestServeErrors(t *testing.T) {
	upstream := []string{"--upstream", "udp://" + upstreamAddress}
	occupied := "127.0.0.1:5399"
	occupy(t, "udp", occupied)
	occupy(t, "tcp", "127.0.0.1:5398")
	conf := func(yaml string) []string {
		return append([]string{"--config", writeFile(t, scratch(t, "config"), "config.yaml", yaml)}, upstream...)
	}
	for _, test := range []struct {
		name    string
		args    []string
		nobody  bool
		code    int // 0: any but 0
		mention []string
	}{
		{"busy UDP port", append(upstream, "--listen", occupied), false, 0, []string{occupied}},
		{"busy TCP port", append(upstream, "--listen", "127.0.0.1:5398"), false, 0, []string{"127.0.0.1:5398"}},
		{"busy status port", append(upstream, "--status", "127.0.0.1:5398"), false, 0, []string{"127.0.0.1:5398"}},
		{"privileged port", append(upstream, "--listen", dnsAddress), true, 0, []string{dnsAddress}},
		{"only itself in resolv.conf", []string{"--listen", dnsAddress}, false, 0, []string{"resolver.upstreams", "--upstream"}},
		{"missing file", []string{"--config", "/nonexistent/mxglue.yaml"}, false, 2, []string{"/nonexistent/mxglue.yaml"}},
		{"unknown key", conf("cache:\n  glu: trust\n"), false, 2, []string{"cache.glu"}},
		{"unknown section", conf("cash:\n  entries: 5\n"), false, 2, []string{"cash"}},
		{"bad value", conf("cache:\n  glue: trusted\n"), false, 2, []string{"cache.glue", "trusted", "trust", "verify", "ignore"}},
		{"wrong type", conf("cache:\n  entries: many\n"), false, 2, []string{"cache.entries", "many"}},
		{"bad address in file", conf("server:\n  listen: [\"localhost:53x\"]\n"), false, 2, []string{"server.listen", "localhost:53x"}},
		{"bad address in flag", []string{"--upstream", "udp://somewhere"}, false, 2, []string{"--upstream", "udp://somewhere"}},
		{"unknown flag", []string{"--upstraem", "127.0.0.1"}, false, 2, []string{"--upstraem"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			cmd := mxglue(t, nil, append([]string{"serve"}, test.args...)...)
			if test.nobody {
				asNobody(cmd)
			}
			r := run(t, cmd)
			if r.code <= 0 || test.code > 0 && r.code != test.code {
				t.Errorf("exit code %d, want %d (0: any but 0):\n%s%s", r.code, test.code, r.stdout, r.stderr)
			}
			mentions(t, "the error", r.stderr, test.mention...)
			if strings.Contains(r.stderr, "goroutine ") {
				t.Errorf("a panic:\n%s", r.stderr)
			}
		})
	}
}

// awaitQuery waits until the upstream has been asked a question of that type (mxglue asks some of its own accord).
func awaitQuery(t *testing.T, u *upstream, qtype uint16) {
	t.Helper()
	eventually(t, 5*time.Second, func() error {
		if len(u.queries(qtype)) == 0 {
			return fmt.Errorf("the upstream has not been asked any %s question", dns.TypeToString[qtype])
		}
		return nil
	})
}

// occupy takes a port until the test ends; that it can is the proof that nobody else has it.
func occupy(t *testing.T, network, address string) {
	t.Helper()
	if network == "udp" {
		conn, err := net.ListenPacket(network, address)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		return
	}
	listener, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
}
