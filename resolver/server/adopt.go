package server

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
)

// Sockets are open sockets that somebody else has made for this server, such as systemd (sd_listen_fds(3)). They are
// served as they are: how many there are for UDP, and whether a port is shared, is their maker's to say. The zero value
// is none.
type Sockets struct {
	udp []*net.UDPConn
	tcp []*net.TCPListener
}

// Adopt takes sockets over and closes the files that they came in. The error names a file that is no socket for DNS.
func Adopt(files []*os.File) (Sockets, error) {
	var s Sockets
	for i, f := range files {
		err := s.adopt(f)
		f.Close()
		if err != nil {
			for _, rest := range files[i+1:] {
				rest.Close()
			}
			s.close()
			return Sockets{}, err
		}
	}
	return s, nil
}

func (s *Sockets) adopt(f *os.File) error {
	if l, err := net.FileListener(f); err == nil {
		if t, ok := l.(*net.TCPListener); ok {
			s.tcp = append(s.tcp, t)
			return nil
		}
		l.Close()
	}
	if pc, err := net.FilePacketConn(f); err == nil {
		if u, ok := pc.(*net.UDPConn); ok {
			s.udp = append(s.udp, u)
			return nil
		}
		pc.Close()
	}
	return fmt.Errorf("the socket %s that was handed over is neither a UDP socket nor a TCP listener: take it out of the socket unit", f.Name())
}

// Join returns listen with the addresses of the sockets that it does not name.
func (s Sockets) Join(listen []netip.AddrPort) []netip.AddrPort {
	all := slices.Clone(listen)
	add := func(addr netip.AddrPort) {
		if !slices.Contains(all, addr) {
			all = append(all, addr)
		}
	}
	for _, t := range s.tcp {
		add(boundTo(t.Addr()))
	}
	for _, u := range s.udp {
		add(boundTo(u.LocalAddr()))
	}
	return all
}

// tcpAt returns the listener of an address, or nil.
func (s Sockets) tcpAt(addr netip.AddrPort) *net.TCPListener {
	for _, t := range s.tcp {
		if boundTo(t.Addr()) == addr {
			return t
		}
	}
	return nil
}

// udpAt returns the UDP sockets of an address.
func (s Sockets) udpAt(addr netip.AddrPort) (found []*net.UDPConn) {
	for _, u := range s.udp {
		if boundTo(u.LocalAddr()) == addr {
			found = append(found, u)
		}
	}
	return found
}

// close closes them all.
func (s Sockets) close() {
	for _, t := range s.tcp {
		t.Close()
	}
	for _, u := range s.udp {
		u.Close()
	}
}

// boundTo is the address of a socket as server.listen would name it.
func boundTo(addr net.Addr) (at netip.AddrPort) {
	switch addr := addr.(type) {
	case *net.TCPAddr:
		at = addr.AddrPort()
	case *net.UDPAddr:
		at = addr.AddrPort()
	}
	return netip.AddrPortFrom(at.Addr().Unmap(), at.Port())
}
