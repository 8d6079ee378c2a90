//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// A notifySocket is where systemd listens to a service.
type notifySocket struct {
	path string
	conn *net.UnixConn
}

func listenNotify(t *testing.T) notifySocket {
	t.Helper()
	path := filepath.Join(scratch(t, "notify"), "socket")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return notifySocket{path, conn}
}

// hears fails the test unless the next that the service says is this.
func (n notifySocket) hears(t *testing.T, want string) {
	t.Helper()
	if err := n.conn.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	said := make([]byte, 256)
	length, err := n.conn.Read(said)
	if err != nil || string(said[:length]) != want {
		t.Fatalf("the service says %q, want %s: %v", said[:length], want, err)
	}
}

// The service says that it is ready when it answers, that it lives as often as it should, and that it stops.
func TestUnitNotify(t *testing.T) {
	startUnbound(t)
	startUpstream(t, upstreamAddress, 0, relay)
	bus := listenNotify(t)
	d := serve(t, "NOTIFY_SOCKET="+bus.path, "WATCHDOG_USEC=1000000")
	bus.hears(t, "READY=1")
	if _, err := exchange("udp", dnsAddress, "three.example.", dns.TypeMX); err != nil {
		t.Errorf("it is ready and does not answer: %v", err)
	}
	before, began := lookups(t), time.Now()
	for range 3 {
		bus.hears(t, "WATCHDOG=1")
	}
	if took := time.Since(began); took > 3*time.Second {
		t.Errorf("three signs of life in %v, want one a second at least", took)
	}
	if after := lookups(t); after != before {
		t.Errorf("its questions to itself are looked up in the cache: %d have become %d", before, after)
	}
	stop(t, d)
	for said := ""; said != "STOPPING=1"; {
		buf := make([]byte, 256)
		n, err := bus.conn.Read(buf)
		if err != nil {
			t.Fatalf("it does not say that it stops: %v", err)
		}
		said = string(buf[:n])
	}
}

// lookups are the questions that the cache was asked.
func lookups(t *testing.T) uint64 {
	t.Helper()
	body, err := fetch("/stats")
	if err != nil {
		t.Fatal(err)
	}
	var figures struct{ Cache struct{ Hits, Misses uint64 } }
	if err := json.Unmarshal(body, &figures); err != nil {
		t.Fatalf("/stats: %v:\n%s", err, body)
	}
	return figures.Cache.Hits + figures.Cache.Misses
}

// With the sockets held by systemd no query is lost while the service restarts: it waits, over UDP and TCP.
func TestUnitSockets(t *testing.T) {
	startUnbound(t)
	startUpstream(t, upstreamAddress, 0, relay)
	packets, listener := listenBoth(t, dnsAddress)
	defer packets.Close()
	defer listener.Close()
	udp, err := packets.(*net.UDPConn).File()
	if err != nil {
		t.Fatal(err)
	}
	defer udp.Close()
	tcp, err := listener.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	defer tcp.Close()
	for range 2 {
		replies := make(chan error, 2)
		for _, network := range []string{"udp", "tcp"} {
			go func() { // before there is anybody to answer
				r, err := exchange(network, dnsAddress, "three.example.", dns.TypeMX)
				if err == nil && len(r.Answer) != 3 {
					err = fmt.Errorf("want the three MX of three.example:\n%v", r)
				}
				replies <- err
			}()
		}
		eventually(t, 10*time.Second, func() error { return waits(tcp) })
		cmd := mxglue(t, []string{"LISTEN_FDS=2", "LISTEN_FDNAMES=mxglue.socket:mxglue.socket"},
			"serve", "--listen", dnsAddress, "--status", statusAddress, "--upstream", "udp://"+upstreamAddress)
		cmd.Args = append([]string{"sh", "-c", `LISTEN_PID=$$; export LISTEN_PID; exec "$0" "$@"`, cmd.Path}, cmd.Args[1:]...)
		cmd.Path = need(t, "sh")
		cmd.ExtraFiles = []*os.File{udp, tcp}
		d := start(t, cmd)
		for range 2 {
			if err := <-replies; err != nil {
				t.Error(err)
			}
		}
		stop(t, d)
	}
}

// waits says whether a client waits at a listener that nobody accepts from.
func waits(listener *os.File) error {
	inode, err := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", listener.Fd()))
	if err != nil {
		return err
	}
	inode = strings.Trim(strings.TrimPrefix(inode, "socket:"), "[]")
	table, err := os.ReadFile("/proc/self/net/tcp")
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(table)) {
		if f := strings.Fields(line); f[9] == inode && strings.HasSuffix(f[4], "00000001") { // rx_queue: those to be accepted
			return nil
		}
	}
	return fmt.Errorf("nobody waits at the listener:\n%s", table)
}

// systemd's own tool hands UDP sockets over as well.
func TestUnitSocketActivate(t *testing.T) {
	need(t, "systemd-socket-activate")
	startUnbound(t)
	startUpstream(t, upstreamAddress, 0, relay)
	cmd := mxglue(t, nil, "serve", "--listen", dnsAddress, "--status", statusAddress, "--upstream", "udp://"+upstreamAddress)
	cmd.Args = append([]string{"systemd-socket-activate", "--datagram", "--listen=" + dnsAddress, cmd.Path}, cmd.Args[1:]...)
	cmd.Path = need(t, "systemd-socket-activate")
	d := start(t, cmd)
	eventually(t, 10*time.Second, func() error { // until it listens; the first datagram starts mxglue
		d.running(t)
		_, err := exchange("udp", dnsAddress, "three.example.", dns.TypeMX)
		return err
	})
	if _, err := exchange("tcp", dnsAddress, "three.example.", dns.TypeMX); err != nil {
		t.Errorf("TCP, which was not handed over: %v", err)
	}
	stop(t, d)
}
