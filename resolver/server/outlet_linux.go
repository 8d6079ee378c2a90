package server

import (
	"net"
	"net/netip"

	"golang.org/x/sys/unix"
)

// outlet opens a second socket of the same address, for the replies. The runtime's poller does not know it: of what it
// watches the kernel tells it each time a datagram has left and there is room for the next, and that is a tenth of what
// a query costs. The socket is connected to its own address, so that the kernel puts nobody's queries into it. Without
// one, -1, replies leave as the queries came: from a wildcard address, or where the port cannot be shared.
func outlet(conn *net.UDPConn) int {
	at := conn.LocalAddr().(*net.UDPAddr).AddrPort()
	at = netip.AddrPortFrom(at.Addr().Unmap(), at.Port())
	if at.Addr().IsUnspecified() || at.Addr().Zone() != "" {
		return -1
	}
	family, own := unix.AF_INET, unix.Sockaddr(nil)
	if at.Addr().Is4() {
		own = &unix.SockaddrInet4{Port: int(at.Port()), Addr: at.Addr().As4()}
	} else {
		family, own = unix.AF_INET6, &unix.SockaddrInet6{Port: int(at.Port()), Addr: at.Addr().As16()}
	}
	fd, err := unix.Socket(family, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return -1
	}
	for _, step := range []func() error{
		func() error { return unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEPORT, 1) },
		func() error { return unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, 0) }, // nothing is read from it
		func() error { return unix.Bind(fd, own) },
		func() error { return unix.Connect(fd, own) },
	} {
		if step() != nil {
			unix.Close(fd)
			return -1
		}
	}
	return fd
}

// drain waits for room to send in, a moment at most, and says whether there is any.
func drain(fd int) bool {
	const most = 50 // milliseconds: what cannot leave then is lost, as any datagram may be
	n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}, most)
	return n > 0 || err == unix.EINTR
}
