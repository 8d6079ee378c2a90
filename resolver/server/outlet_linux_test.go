package server

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

// inode names what a file descriptor of this process is open for; "" if it is not.
func inode(fd int) string {
	name, _ := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", fd))
	return name
}

// Where a socket has one address, replies leave through another that has the same, so that a client that hears from there
// alone hears them. Where it has all, they leave from the socket that the query came to, and so from the address asked.
// None is left open.
func TestOutlet(t *testing.T) {
	for listen, want := range map[string]bool{"127.0.0.1:0": true, "127.3.2.1:0": true, "[::1]:0": true, "0.0.0.0:0": false, "[::]:0": false} {
		t.Run(listen, func(t *testing.T) {
			s := wired(Options{Listen: []netip.AddrPort{netip.MustParseAddrPort(listen)}})
			outlets := map[int]string{}
			t.Cleanup(func() { // when Serve has returned
				for fd, name := range outlets {
					if inode(fd) == name {
						t.Errorf("the outlet %d is open still", fd)
					}
				}
			})
			at, _ := start(t, s)
			for _, u := range s.udp {
				fd := u.mover.(*batch).outlet
				if (fd >= 0) != want {
					t.Fatalf("outlet %d", fd)
				}
				if want {
					outlets[fd] = inode(fd)
					if own, err := unix.Getsockname(fd); err != nil || portOf(own) != at.Port() {
						t.Errorf("the outlet is at %v, error %v", own, err)
					}
				}
			}
			if at.Addr().IsUnspecified() {
				at = netip.AddrPortFrom(netip.MustParseAddr("127.0.0.4"), at.Port())
			}
			for id := range uint16(300) { // the kernel spreads clients by their ports: none may meet the outlet, which nobody reads
				q := query(id, hit)
				conn := dialUDP(t, at)
				checkReply(t, ask(t, conn, q), q, 0)
				conn.Close()
			}
			if st := s.Stats(); st.UDPQueries != 300 {
				t.Errorf("%+v", st)
			}
		})
	}
}

func portOf(sa unix.Sockaddr) uint16 {
	switch sa := sa.(type) {
	case *unix.SockaddrInet4:
		return uint16(sa.Port)
	case *unix.SockaddrInet6:
		return uint16(sa.Port)
	}
	return 0
}

// Where the port cannot be shared there is no outlet, and replies leave as queries come (TestMovers).
func TestNoOutlet(t *testing.T) {
	for _, address := range []string{"127.0.0.1:0", "[::1]:0"} { // opened without SO_REUSEPORT
		conn, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.MustParseAddrPort(address)))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if fd := outlet(conn); fd >= 0 {
			unix.Close(fd)
			t.Errorf("%s: an outlet beside a socket that shares nothing", address)
		}
	}
}
