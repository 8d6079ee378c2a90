package server

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/net/ipv6"

	"github.com/mxglue/mxglue/cache/wire"
)

// TestWildcard asks a server that listens everywhere at one of its addresses, from a socket that hears from that address
// alone, as a stub resolver does. The answer comes from there, at once and from upstream alike.
func TestWildcard(t *testing.T) {
	for _, c := range []struct{ listen, asked string }{
		{"0.0.0.0:0", "127.0.0.1"}, {"0.0.0.0:0", "127.0.0.2"}, {"0.0.0.0:0", "127.3.2.1"},
		{"[::]:0", "::1"}, {"[::]:0", "127.0.0.1"}, {"[::]:0", "127.0.0.2"}, // IPv4 as well, mapped
	} {
		t.Run(c.listen+" at "+c.asked, func(t *testing.T) {
			s := wired(Options{Listen: []netip.AddrPort{netip.MustParseAddrPort(c.listen)}})
			at, _ := start(t, s)
			if want := netip.MustParseAddrPort(c.listen).Addr(); at.Addr() != want || at.Port() == 0 {
				t.Errorf("listens on %v, as it says, want a port of %v", at, want)
			}
			at = netip.AddrPortFrom(netip.MustParseAddr(c.asked), at.Port())
			udp, tcp := dialUDP(t, at), dialTCP(t, "", at)
			for _, name := range []string{hit, miss, hit} {
				q := query(77, name)
				checkReply(t, ask(t, udp, q), q, 0)
				send(t, tcp, framed(q))
				checkReply(t, nextTCP(t, tcp), q, 0)
			}
		})
	}
}

// TestReplyFrom has what loopback, whose IPv6 has but one address, cannot show: the address that was asked becomes the
// one that answers.
func TestReplyFrom(t *testing.T) {
	asked := net.ParseIP("2001:db8::53")
	var cm ipv6.ControlMessage // the address is a query's Dst and a reply's Src in the same place
	if err := cm.Parse(replyFrom((&ipv6.ControlMessage{Src: asked}).Marshal())); err != nil || !cm.Dst.Equal(asked) {
		t.Errorf("the reply leaves from %v, error %v; want %v", cm.Dst, err, asked)
	}
	if oob := replyFrom(nil); oob != nil {
		t.Errorf("without a control message the reply gets %x", oob)
	}
}

// 0.0.0.0 is every IPv4 address, and none of IPv6.
func TestWildcardIPv4Only(t *testing.T) {
	at, _ := start(t, wired(Options{Listen: []netip.AddrPort{netip.MustParseAddrPort("0.0.0.0:0")}}))
	at = netip.AddrPortFrom(netip.IPv6Loopback(), at.Port())
	if conn, err := net.Dial("tcp", at.String()); err == nil {
		conn.Close()
		t.Error("TCP on [::1] is open")
	}
	udp := dialUDP(t, at)
	send(t, udp, query(1, hit))
	if _, err := udp.Read(make([]byte, 512)); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("UDP on [::1] is open: %v", err)
	}
}

// Several addresses are served, each by its own sockets, and the ports that were drawn are told.
func TestSeveralAddresses(t *testing.T) {
	s := wired(Options{Listen: []netip.AddrPort{
		netip.MustParseAddrPort("127.0.0.1:0"), netip.MustParseAddrPort("127.0.0.2:0"), netip.MustParseAddrPort("[::1]:0"),
	}})
	start(t, s)
	for _, at := range s.Options.Listen {
		q := query(at.Port(), miss)
		checkReply(t, ask(t, dialUDP(t, at), q), q, 0)
		tcp := dialTCP(t, "", at)
		send(t, tcp, framed(q))
		checkReply(t, nextTCP(t, tcp), q, 0)
	}
}

func TestListenErrors(t *testing.T) {
	busyUDP, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.MustParseAddrPort(lonely)))
	if err != nil {
		t.Fatal(err)
	}
	defer busyUDP.Close()
	busyTCP, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer busyTCP.Close()
	for _, c := range []struct {
		name, addr string
		is         error
		says       []string
	}{
		{"busy UDP port", busyUDP.LocalAddr().String(), syscall.EADDRINUSE, []string{"listen on udp", "server.listen", "ss -lnp"}},
		{"busy TCP port", busyTCP.Addr().String(), syscall.EADDRINUSE, []string{"listen on tcp", "server.listen", "ss -lnp"}},
		{"foreign address", "198.51.100.77:5300", syscall.EADDRNOTAVAIL, []string{"no address 198.51.100.77", "server.listen"}},
		{"foreign IPv6 address", "[2001:db8::77]:5300", syscall.EADDRNOTAVAIL, []string{"no address 2001:db8::77", "server.listen"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			free := netip.MustParseAddrPort("127.0.0.7:0")
			s := wired(Options{Listen: []netip.AddrPort{free, netip.MustParseAddrPort(c.addr)}})
			err := s.Listen()
			if !errors.Is(err, c.is) {
				t.Fatalf("got %v, want %v", err, c.is)
			}
			for _, word := range append(c.says, c.addr) {
				if !strings.Contains(err.Error(), word) {
					t.Errorf("%q does not say %q", err, word)
				}
			}
			opened := s.Options.Listen[0] // before the fault: it is closed again
			again := wired(Options{Listen: []netip.AddrPort{opened}})
			if err := again.Listen(); err != nil {
				t.Errorf("not closed: %v", err)
			}
			again.close()
		})
	}
	if tcp, err := net.Listen("tcp", busyUDP.LocalAddr().String()); err != nil { // it was opened before the UDP port was found busy
		t.Errorf("not closed: %v", err)
	} else {
		tcp.Close()
	}
	if err := listenError("udp", netip.MustParseAddrPort("127.0.0.1:53"), syscall.EACCES); !strings.Contains(err.Error(), "CAP_NET_BIND_SERVICE") {
		t.Errorf("a privileged port: %v", err)
	}
}

// TestDrainSockets is TestDrain on real sockets: what was asked before the end is answered after it.
func TestDrainSockets(t *testing.T) {
	s := wired(Options{})
	arrived, goOn := make(chan struct{}), make(chan struct{})
	s.Resolve = func(_ context.Context, dst []byte, q *wire.Query) []byte {
		arrived <- struct{}{}
		<-goOn
		return wire.AppendError(dst, q, 0)
	}
	at, stop := start(t, s)
	udp, tcp, q := dialUDP(t, at), dialTCP(t, "", at), query(1, miss)
	send(t, udp, q)
	send(t, tcp, framed(q))
	<-arrived
	<-arrived
	stop()
	eventually(t, "the listener to close", func() bool {
		conn, err := net.Dial("tcp", at.String())
		if err == nil {
			conn.Close()
		}
		return err != nil
	})
	close(goOn)
	checkReply(t, next(t, udp), q, 0)
	checkReply(t, nextTCP(t, tcp), q, 0)
	checkClosed(t, tcp)
}

// A second server cannot slip in beside a first, although UDP sockets may share a port: it would take half the queries.
func TestSecondServer(t *testing.T) {
	at, _ := start(t, wired(Options{Listen: []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:0")}}))
	second := wired(Options{Listen: []netip.AddrPort{at}})
	if err := second.Listen(); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("a second server on %v: %v", at, err)
	}
}

// Every socket of an address answers: clients are spread over them by their ports.
func TestEverySocketAnswers(t *testing.T) {
	at, _ := start(t, wired(Options{Listen: []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:0")}}))
	for range 8 * socketsPerAddress() {
		conn := dialUDP(t, at)
		q := query(5, hit)
		checkReply(t, ask(t, conn, q), q, 0)
	}
}
