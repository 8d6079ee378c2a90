package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"
)

// Listen opens the sockets: of each address one for TCP and, for UDP, one for each processor that Go runs on, where the
// kernel spreads clients over them. What Sockets has for an address is taken instead, and its further addresses are
// added to Options.Listen. Errors name the address and say what would help.
func (s *Server) Listen() error {
	s.begin()
	s.Options.Listen = s.Sockets.Join(s.Options.Listen) // a copy: the ports that are drawn are written into it
	for i, addr := range s.Options.Listen {
		bound, err := s.open(addr)
		for draws := 1; addr.Port() == 0 && errors.Is(err, syscall.EADDRINUSE) && draws < 10; draws++ {
			bound, err = s.open(addr) // the port that was drawn for TCP was somebody's for UDP
		}
		if err != nil {
			s.close()
			return err
		}
		s.Options.Listen[i] = bound
	}
	return nil
}

// close closes what Listen has opened or taken over.
func (s *Server) close() {
	s.Sockets.close()
	for _, u := range s.udp {
		u.close()
	}
	for _, t := range s.tcp {
		t.Close()
	}
}

// open opens the sockets of one address. TCP comes first: UDP sockets that share a port do so with another mxglue's, too,
// and take half of its queries; a TCP port is one's own.
func (s *Server) open(addr netip.AddrPort) (bound netip.AddrPort, err error) {
	t := s.Sockets.tcpAt(addr)
	if t == nil {
		if t, err = net.ListenTCP(network("tcp", addr), net.TCPAddrFromAddrPort(addr)); err != nil {
			return addr, listenError("tcp", addr, err)
		}
	}
	addr = netip.AddrPortFrom(addr.Addr(), uint16(t.Addr().(*net.TCPAddr).Port))
	conns := s.Sockets.udpAt(addr)
	if conns == nil {
		if conns, err = listenUDP(addr); err != nil {
			t.Close()
			return addr, listenError("udp", addr, err)
		}
	}
	s.tcp = append(s.tcp, t)
	for i, conn := range conns {
		u, err := newUDPSocket(conn, addr.Addr().IsUnspecified())
		if err != nil {
			closeAll(conns[i:])
			return addr, listenError("udp", addr, err)
		}
		s.udp = append(s.udp, u)
	}
	return addr, nil
}

// listenUDP opens the UDP sockets of an address.
func listenUDP(addr netip.AddrPort) (conns []*net.UDPConn, err error) {
	lc := net.ListenConfig{Control: reusePort}
	for range socketsPerAddress() {
		pc, err := lc.ListenPacket(context.Background(), network("udp", addr), addr.String())
		if err != nil {
			closeAll(conns)
			return nil, err
		}
		conns = append(conns, pc.(*net.UDPConn))
	}
	return conns, nil
}

func closeAll(conns []*net.UDPConn) {
	for _, c := range conns {
		c.Close()
	}
}

func newUDPSocket(conn *net.UDPConn, wildcard bool) (*udpSocket, error) {
	m, err := newMover(conn, wildcard)
	if err != nil {
		return nil, err
	}
	u := &udpSocket{conn: conn, wildcard: wildcard, mover: m}
	if wildcard {
		if err := wantDestinations(conn); err != nil {
			m.close()
			return nil, err
		}
	}
	return u, nil
}

func (u *udpSocket) close() {
	u.conn.Close()
	u.mover.close()
}

// network keeps 0.0.0.0 to IPv4, where package net would open all of IPv6 too. [::] is both.
func network(transport string, addr netip.AddrPort) string {
	if addr.Addr().Is4() {
		return transport + "4"
	}
	return transport
}

// listenError says what an operator can do about a socket that does not open.
func listenError(network string, addr netip.AddrPort, err error) error {
	hint := ""
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		hint = fmt.Sprintf(": something else listens there (ss -lnp 'sport = :%d' shows what); stop it or set server.listen", addr.Port())
	case errors.Is(err, syscall.EACCES):
		hint = fmt.Sprintf(": port %d needs a privilege; grant CAP_NET_BIND_SERVICE or set server.listen to a port above 1023", addr.Port())
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		hint = fmt.Sprintf(": this host has no address %s; set server.listen to one it has", addr.Addr())
	}
	return fmt.Errorf("listen on %s %s%s: %w", network, addr, hint, err)
}
