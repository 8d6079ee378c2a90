package server

import (
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// lonely is an address where nobody else draws ports, so that one which is taken for UDP alone is free for TCP.
const lonely = "127.0.0.8:0"

// file gives a socket away, as systemd hands it over, and closes it here.
func file(t *testing.T, socket interface {
	File() (*os.File, error)
	Close() error
}) *os.File {
	t.Helper()
	f, err := socket.File()
	if err != nil {
		t.Fatal(err)
	}
	socket.Close()
	return f
}

// handed opens the sockets of an address as systemd does: one for TCP, one for UDP that shares its port with nobody.
func handed(t *testing.T, addr string) (at netip.AddrPort, tcp, udp *os.File) {
	t.Helper()
	for range 10 { // the port that TCP drew may be taken for UDP
		l, err := net.Listen("tcp", addr)
		if err != nil {
			t.Skipf("no %s here: %v", addr, err)
		}
		at = boundTo(l.Addr())
		pc, err := net.ListenPacket("udp", at.String())
		if err != nil {
			l.Close()
			continue
		}
		return at, file(t, l.(*net.TCPListener)), file(t, pc.(*net.UDPConn))
	}
	t.Fatal("no port is free for both")
	return at, nil, nil
}

// Sockets that were handed over answer, at once and from upstream alike, and those that were not are opened beside them.
func TestAdopt(t *testing.T) {
	for _, c := range []struct {
		name, addr string
		tcp, udp   bool
	}{
		{"both", lonely, true, true},
		{"UDP only", lonely, false, true},
		{"TCP only", lonely, true, false},
		{"IPv6", "[::1]:0", true, true},
		{"wildcard", "[::]:0", true, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			at, tcp, udp := handed(t, c.addr)
			var files []*os.File
			if c.tcp {
				files = append(files, tcp)
			} else {
				tcp.Close()
			}
			if c.udp {
				files = append(files, udp)
			} else {
				udp.Close()
			}
			sockets, err := Adopt(files)
			if err != nil {
				t.Fatal(err)
			}
			other := netip.MustParseAddrPort("127.0.0.9:0")
			s := wired(Options{Listen: []netip.AddrPort{other, at}, Sockets: sockets})
			start(t, s)
			if len(s.Options.Listen) != 2 || s.Options.Listen[1] != at {
				t.Fatalf("listens on %v, want %v and %v", s.Options.Listen, other, at)
			}
			for _, at := range s.Options.Listen {
				for _, name := range []string{hit, miss} {
					q := query(at.Port(), name)
					checkReply(t, ask(t, dialUDP(t, reach(at)), q), q, 0)
					conn := dialTCP(t, "", reach(at))
					send(t, conn, framed(q))
					checkReply(t, nextTCP(t, conn), q, 0)
				}
			}
		})
	}
}

// reach is where a listener of this host is reached.
func reach(at netip.AddrPort) netip.AddrPort {
	if at.Addr() == netip.IPv6Unspecified() {
		return netip.AddrPortFrom(netip.IPv6Loopback(), at.Port())
	}
	return at
}

// A socket at an address that nobody configured is served too: whoever wrote the socket unit wants it.
func TestAdoptUnnamed(t *testing.T) {
	at, tcp, udp := handed(t, lonely)
	sockets, err := Adopt([]*os.File{tcp, udp})
	if err != nil {
		t.Fatal(err)
	}
	s := wired(Options{Listen: []netip.AddrPort{netip.MustParseAddrPort("127.0.0.9:0")}, Sockets: sockets})
	start(t, s)
	q := query(1, hit)
	checkReply(t, ask(t, dialUDP(t, at), q), q, 0)
	if len(s.Options.Listen) != 2 || s.Options.Listen[1] != at {
		t.Errorf("says that it listens on %v, want %v among them", s.Options.Listen, at)
	}
}

// What waits in a socket that was handed over, from before there was a server, is answered.
func TestAdoptWaiting(t *testing.T) {
	at, tcp, udp := handed(t, lonely)
	conn, q := dialUDP(t, at), query(7, hit)
	send(t, conn, q)
	sockets, err := Adopt([]*os.File{tcp, udp})
	if err != nil {
		t.Fatal(err)
	}
	start(t, wired(Options{Listen: []netip.AddrPort{at}, Sockets: sockets}))
	checkReply(t, next(t, conn), q, 0)
}

// Several UDP sockets that share a port are all served: what is not read from one of them is lost.
func TestAdoptShared(t *testing.T) {
	first, err := listenUDP(netip.MustParseAddrPort(lonely))
	if err != nil {
		t.Fatal(err)
	}
	at := boundTo(first[0].LocalAddr())
	closeAll(first[1:]) // each drew a port of its own
	second, err := listenUDP(at)
	if err != nil {
		t.Fatal(err)
	}
	var files []*os.File
	for _, conn := range append(first[:1], second...) {
		files = append(files, file(t, conn))
	}
	sockets, err := Adopt(files)
	if err != nil {
		t.Fatal(err)
	}
	start(t, wired(Options{Listen: []netip.AddrPort{at}, Sockets: sockets}))
	for range 32 {
		q := query(3, hit)
		checkReply(t, ask(t, dialUDP(t, at), q), q, 0)
	}
}

// What is no socket for DNS is named, and what came with it is given back.
func TestAdoptErrors(t *testing.T) {
	unix, err := net.Listen("unix", filepath.Join(t.TempDir(), "socket"))
	if err != nil {
		t.Fatal(err)
	}
	unix.(*net.UnixListener).SetUnlinkOnClose(false)
	regular, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	for _, wrong := range []*os.File{file(t, unix.(*net.UnixListener)), regular} {
		at, tcp, udp := handed(t, lonely)
		_, err := Adopt([]*os.File{tcp, wrong, udp})
		if err == nil || !strings.Contains(err.Error(), wrong.Name()) || !strings.Contains(err.Error(), "UDP") {
			t.Errorf("%s is taken for a socket of DNS: %v", wrong.Name(), err)
		}
		again := wired(Options{Listen: []netip.AddrPort{at}})
		if err := again.Listen(); err != nil {
			t.Errorf("not closed: %v", err)
		}
		again.close()
	}
}
