//go:build e2e

package e2e

import (
	"fmt"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// The upstreams of these tests.
const (
	oldUpstream = "127.0.0.1:5371"
	newUpstream = "127.0.0.1:5372"
)

// A reloaded is a daemon whose configuration file the test rewrites.
type reloaded struct {
	*daemon
	file string
}

// serveFile starts "mxglue serve" with a configuration file and nothing else.
func serveFile(t *testing.T, config string) *reloaded {
	t.Helper()
	r := &reloaded{file: writeFile(t, scratch(t, "reload"), "config.yaml", config)}
	r.daemon = start(t, mxglue(t, nil, "serve", "--config", r.file))
	awaitStatus(t, r.daemon)
	t.Cleanup(func() { stop(t, r.daemon) })
	return r
}

// write replaces the file as an editor does: it is never half there.
func (r *reloaded) write(t *testing.T, config string) {
	t.Helper()
	if err := os.WriteFile(r.file+".new", []byte(config), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(r.file+".new", r.file); err != nil {
		t.Fatal(err)
	}
}

// reload rewrites the file and runs "mxglue reload", which has to end with this exit code.
func (r *reloaded) reload(t *testing.T, config string, code int) (printed string) {
	t.Helper()
	r.write(t, config)
	done := run(t, mxglue(t, nil, "reload", "--status", statusAddress))
	if done.code != code {
		t.Fatalf("mxglue reload: exit code %d, want %d:\n%s%s", done.code, code, done.stdout, done.stderr)
	}
	return done.stdout + done.stderr
}

// hangup rewrites the file, sends SIGHUP and waits until the log tells what came of it.
func (r *reloaded) hangup(t *testing.T, config, says string) {
	t.Helper()
	before := strings.Count(r.output.String(), says)
	r.write(t, config)
	r.signal(t, syscall.SIGHUP)
	eventually(t, 10*time.Second, func() error {
		r.running(t)
		if strings.Count(r.output.String(), says) == before {
			return fmt.Errorf("nothing was logged with %q", says)
		}
		return nil
	})
}

// answering answers every question of type A with one address.
func answering(address string) func(*dns.Msg, string) []byte {
	return func(q *dns.Msg, _ string) []byte {
		m := new(dns.Msg).SetReply(q)
		m.RecursionAvailable = true
		if q.Question[0].Qtype == dns.TypeA {
			m.Answer = []dns.RR{&dns.A{Hdr: dns.RR_Header{Name: q.Question[0].Name, Rrtype: dns.TypeA, Class: dns.ClassINET, Ttl: 300}, A: net.ParseIP(address)}}
		}
		packed, err := m.Pack()
		if err != nil {
			return nil
		}
		return packed
	}
}

// reloadConfig is a configuration with these upstreams and more lines.
func reloadConfig(upstreams string, lines ...string) string {
	return "server.listen: " + dnsAddress + "\nstatus.listen: " + statusAddress + "\nresolver.upstreams: " + upstreams + "\n" + strings.Join(lines, "\n") + "\n"
}

// addressOf asks for a name, over UDP, and returns the address or the RCODE.
func addressOf(t *testing.T, name string) string {
	t.Helper()
	r, err := exchange("udp", dnsAddress, name, dns.TypeA)
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Answer) != 1 {
		return dns.RcodeToString[r.Rcode]
	}
	return r.Answer[0].(*dns.A).A.String()
}

// Another upstream is asked from that moment on, by the command and by the signal; what is known, open and counted stays.
func TestReloadUpstream(t *testing.T) {
	old := startUpstream(t, oldUpstream, 0, answering("192.0.2.1"))
	startUpstream(t, newUpstream, 0, answering("192.0.2.2"))
	r := serveFile(t, reloadConfig(oldUpstream))
	connection, err := dns.Dial("tcp", dnsAddress)
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	for _, name := range []string{"a.example.", "a.example."} {
		if got := addressOf(t, name); got != "192.0.2.1" {
			t.Fatalf("%s: %s", name, got)
		}
	}
	before := readStats(t)

	mentions(t, "mxglue reload", r.reload(t, reloadConfig(newUpstream), 0), "reloaded: "+r.file, "changed: resolver.upstreams")
	asked := len(old.queries(dns.TypeA))
	if got := addressOf(t, "b.example."); got != "192.0.2.2" {
		t.Errorf("b.example: %s, want the new upstream's answer", got)
	}
	if got := addressOf(t, "a.example."); got != "192.0.2.1" {
		t.Errorf("a.example: %s, want what is in the cache", got)
	}
	if n := len(old.queries(dns.TypeA)); n != asked {
		t.Errorf("the old upstream was asked %d times more", n-asked)
	}
	client := dns.Client{Net: "tcp", Timeout: 5 * time.Second}
	if reply, _, err := client.ExchangeWithConn(new(dns.Msg).SetQuestion("c.example.", dns.TypeA), connection); err != nil || len(reply.Answer) != 1 {
		t.Errorf("the connection from before: %v, %v; want it to go on", reply, err)
	}
	after := readStats(t)
	if after.Server.UDPQueries != before.Server.UDPQueries+2 || after.Server.TCPQueries != 1 || len(after.Upstreams) != 1 {
		t.Errorf("counted %+v, then %+v", before, after)
	}

	r.hangup(t, reloadConfig(oldUpstream), "changed=resolver.upstreams")
	if got := addressOf(t, "d.example."); got != "192.0.2.1" {
		t.Errorf("d.example after SIGHUP: %s, want the old upstream's answer", got)
	}
}

// The way out at 3 a.m.: the upstream hangs, questions wait for it, and whoever asks again after the reload is answered.
func TestReloadAwayFromADeadUpstream(t *testing.T) {
	hangs := startUpstream(t, oldUpstream, 0, silent)
	startUpstream(t, newUpstream, 0, answering("192.0.2.2"))
	r := serveFile(t, reloadConfig(oldUpstream))
	waits := make(chan error, 1)
	go func() {
		_, err := exchange("udp", dnsAddress, "a.example.", dns.TypeA)
		waits <- err
	}()
	awaitQuery(t, hangs, dns.TypeA)
	r.reload(t, reloadConfig(newUpstream), 0)
	began := time.Now()
	if got := addressOf(t, "a.example."); got != "192.0.2.2" || time.Since(began) > time.Second {
		t.Errorf("%s after %v, want the new upstream's answer at once", got, time.Since(began))
	}
	if err := <-waits; err != nil {
		t.Errorf("who had asked before has no reply: %v", err)
	}
}

// A mistake is told by the command, with exit code 1, and by the log; everything goes on as it was.
func TestReloadBadConfig(t *testing.T) {
	startUpstream(t, oldUpstream, 0, answering("192.0.2.1"))
	good := reloadConfig(oldUpstream)
	r := serveFile(t, good)
	bad := reloadConfig(newUpstream, "server.allow: 192.0.2.0/24", "cache.glue: trusted")
	mentions(t, "mxglue reload", r.reload(t, bad, 1), r.file+":5: cache.glue", "trusted", "trust, verify, ignore", "goes on as before")
	r.hangup(t, bad, "not reloaded; everything stays as it was")
	mentions(t, "the log", r.output.String(), "cache.glue")
	if got := addressOf(t, "a.example."); got != "192.0.2.1" {
		t.Errorf("answered %s, want the answer of the upstream of before", got)
	}
	if done := run(t, mxglue(t, nil, "config", "--check", r.file)); done.code != 1 {
		t.Errorf("mxglue config --check: exit code %d, want 1:\n%s", done.code, done.stderr)
	}
	r.reload(t, good, 0)
	if done := run(t, mxglue(t, nil, "config", "--check", r.file)); done.code != 0 {
		t.Errorf("mxglue config --check: exit code %d, want 0:\n%s", done.code, done.stderr)
	}
}

// Who may ask changes under open sockets. What needs a restart is told.
func TestReloadAllow(t *testing.T) {
	startUpstream(t, oldUpstream, 0, answering("192.0.2.1"))
	r := serveFile(t, reloadConfig(oldUpstream))
	if got := addressOf(t, "a.example."); got != "192.0.2.1" {
		t.Fatal(got)
	}
	r.reload(t, reloadConfig(oldUpstream, "server.allow: 127.0.0.9"), 0)
	if got := addressOf(t, "a.example."); got != "REFUSED" {
		t.Errorf("answered %s, want REFUSED although the answer is known", got)
	}
	client := dns.Client{Timeout: 5 * time.Second, Dialer: &net.Dialer{LocalAddr: &net.UDPAddr{IP: net.IPv4(127, 0, 0, 9)}}}
	if reply, _, err := client.Exchange(new(dns.Msg).SetQuestion("a.example.", dns.TypeA), dnsAddress); err != nil || reply.Rcode != dns.RcodeSuccess {
		t.Errorf("who is let in now: %v, %v", reply, err)
	}
	moved := strings.Replace(reloadConfig(oldUpstream), dnsAddress, "127.0.0.1:5399", 1)
	mentions(t, "mxglue reload", r.reload(t, moved, 0), "changed: server.allow", "takes effect after a restart: server.listen")
	if got := addressOf(t, "a.example."); got != "192.0.2.1" {
		t.Errorf("answered %s, want it to listen where it did", got)
	}
}

// Reloads in the middle of the load of many clients: every query is answered, none by a timeout.
func TestReloadUnderLoad(t *testing.T) {
	startUpstream(t, oldUpstream, 5*time.Millisecond, answering("192.0.2.1"))
	startUpstream(t, newUpstream, 5*time.Millisecond, answering("192.0.2.2"))
	r := serveFile(t, reloadConfig(oldUpstream))
	began := time.Now()
	l := startLoad(t, time.Millisecond, func(n int) string { return fmt.Sprintf("n%d.example.", n-n%3) }) // two of three are known, or on their way
	for i := range 20 {
		config := reloadConfig([]string{oldUpstream, newUpstream, "[" + newUpstream + ", " + oldUpstream + "]"}[i%3],
			fmt.Sprintf("cache: {memory: %dMiB, entries: %d}", 1+i%2, 5000-i), fmt.Sprintf("server.max_waiting: %d", 500+i))
		if i%2 == 0 {
			r.hangup(t, config, "msg=reloaded")
		} else {
			r.reload(t, config, 0)
		}
	}
	l.stop()
	replies := l.since(began, time.Now())
	for _, reply := range replies {
		if reply.failed != "" {
			t.Errorf("%s: %s after %v", reply.name, reply.failed, reply.waited)
		}
	}
	l.waits(t, "20 reloads", began, time.Now(), 2*time.Second)
	if s := readStats(t); s.Server.UDPQueries != uint64(len(replies)) || s.Server.Dropped != 0 {
		t.Errorf("%d queries were asked, %d counted, %d dropped; want all of them counted since the start", len(replies), s.Server.UDPQueries, s.Server.Dropped)
	}
}
