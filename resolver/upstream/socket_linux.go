package upstream

// The system calls of the quick way. There is unsafe in it, and this is the proof: the kernel is given pointers to the
// socket's own buffers, to the query and to a sockaddr on the stack, each with its own length, and keeps none of them
// beyond the call. The calls do not wait (the descriptor is non-blocking), so RawSyscall keeps no other goroutine from
// running: what waits is the runtime's poller, in RawConn.Read.

import (
	"errors"
	"net"
	"net/netip"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// socket is a UDP socket for one question after the other. In between it has no port; connecting gives it another one,
// that the kernel draws at random (RFC 5452 §9.2), and disconnecting takes that away, so that what comes late comes to
// nobody. That is half of what opening and closing a socket costs. While it is connected the kernel lets only datagrams of
// the peer in, and reports a port that nobody listens on at once.
type socket struct {
	conn *net.UDPConn
	raw  syscall.RawConn
	peer unix.RawSockaddrInet6 // has room for both families
	size uintptr               // of what is in peer

	unsent []byte // the query, until it has been sent
	in     [maxDatagram]byte
	n      int
	errno  syscall.Errno
	stepFn func(fd uintptr) bool // made once, as is restFn: a method value allocates
	restFn func(fd uintptr)
}

// maxDatagram is more than is asked for, so that a larger datagram is seen whole.
const maxDatagram = 4096

// maxQueued is more than comes late to a socket: datagrams, and errors, each of which is told once.
const maxQueued = 1024

// openSocket opens a socket for questions to peer. It has no port yet.
func openSocket(peer netip.AddrPort) (*socket, error) {
	conn, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(peer))
	if err != nil {
		return nil, err
	}
	s := &socket{conn: conn}
	if s.raw, err = conn.SyscallConn(); err != nil {
		conn.Close()
		return nil, err
	}
	s.stepFn, s.restFn = s.step, s.disconnect
	port := (*[2]byte)(unsafe.Pointer(&s.peer.Port)) // in network order; the same place in both families
	port[0], port[1] = byte(peer.Port()>>8), byte(peer.Port())
	if addr := peer.Addr().Unmap(); addr.Is4() {
		s.peer.Family, s.size = unix.AF_INET, unix.SizeofSockaddrInet4
		(*unix.RawSockaddrInet4)(unsafe.Pointer(&s.peer)).Addr = addr.As4() // the shorter struct lies within
	} else {
		s.peer.Family, s.size = unix.AF_INET6, unix.SizeofSockaddrInet6
		s.peer.Addr = addr.As16()
	}
	if err := s.rest(); err != nil {
		conn.Close()
		return nil, err
	}
	return s, nil
}

// errUnsent is what send returns if the deadline had passed before: then Read does not begin.
var errUnsent = errors.New("too late to be sent")

// send puts a query on its way from a fresh port and waits for the first datagram, until a deadline.
func (s *socket) send(query []byte, deadline time.Time) ([]byte, error) {
	s.unsent = query
	got, err := s.receive(deadline)
	if s.unsent != nil {
		s.unsent, err = nil, errUnsent
	}
	return got, err
}

// receive waits for a datagram until a deadline. What it returns holds until the next call.
func (s *socket) receive(deadline time.Time) ([]byte, error) {
	if err := s.conn.SetReadDeadline(deadline); err != nil {
		return nil, err
	}
	if err := s.raw.Read(s.stepFn); err != nil {
		return nil, err
	}
	if s.errno != 0 {
		return nil, &net.OpError{Op: "exchange", Net: "udp", Addr: s.conn.RemoteAddr(), Err: s.errno}
	}
	return s.in[:s.n], nil
}

// step sends what is unsent, or else takes a datagram; false is that there is none yet. Sending is done in here because
// the poller forgets what it has seen when a Read begins: what answers the query must come after that.
func (s *socket) step(fd uintptr) bool {
	if query := s.unsent; query != nil {
		s.unsent = nil
		if _, _, s.errno = syscall.RawSyscall(unix.SYS_CONNECT, fd, uintptr(unsafe.Pointer(&s.peer)), s.size); s.errno == 0 {
			_, _, s.errno = syscall.RawSyscall6(unix.SYS_SENDTO, fd, uintptr(unsafe.Pointer(&query[0])), uintptr(len(query)), 0, 0, 0)
		}
		return s.errno != 0
	}
	var n uintptr
	n, _, s.errno = syscall.RawSyscall6(unix.SYS_RECVFROM, fd, uintptr(unsafe.Pointer(&s.in[0])), maxDatagram, 0, 0, 0)
	s.n = int(n)
	return s.errno != unix.EAGAIN && s.errno != unix.EINTR
}

// rest gives the port back and throws away what has come to it.
func (s *socket) rest() error {
	err := s.raw.Control(s.restFn)
	if err == nil && s.errno != 0 {
		err = s.errno
	}
	return err
}

// disconnect takes the port away, and what has come to it.
func (s *socket) disconnect(fd uintptr) {
	nobody := unix.RawSockaddr{Family: unix.AF_UNSPEC}
	_, _, s.errno = syscall.RawSyscall(unix.SYS_CONNECT, fd, uintptr(unsafe.Pointer(&nobody)), unix.SizeofSockaddrInet4)
	for range maxQueued {
		_, _, errno := syscall.RawSyscall6(unix.SYS_RECVFROM, fd, uintptr(unsafe.Pointer(&s.in[0])), 1, 0, 0, 0)
		if errno == unix.EAGAIN {
			return
		}
	}
	s.errno = unix.ENOBUFS // more than can be: the socket is not used again
}
