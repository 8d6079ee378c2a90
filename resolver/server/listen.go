package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"syscall"
)

// Listen opens the sockets: of each address one for TCP and, for UDP, one for each processor that Go runs on, where the
// kernel spreads clients over them. Errors name the address and say what would help.
func (s *Server) Listen() error {
	s.defaults()
	s.Options.Listen = slices.Clone(s.Options.Listen) // the ports that are drawn are written into it
	for i, addr := range s.Options.Listen {
		bound, err := s.open(addr)
		if err != nil {
			s.close()
			return err
		}
		s.Options.Listen[i] = bound
	}
	return nil
}

// close closes what Listen has opened.
func (s *Server) close() {
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
	t, err := net.ListenTCP(network("tcp", addr), net.TCPAddrFromAddrPort(addr))
	if err != nil {
		return addr, listenError("tcp", addr, err)
	}
	s.tcp = append(s.tcp, t)
	addr = netip.AddrPortFrom(addr.Addr(), uint16(t.Addr().(*net.TCPAddr).Port))
	for range socketsPerAddress() {
		u, err := listenUDP(addr)
		if err != nil {
			return addr, listenError("udp", addr, err)
		}
		s.udp = append(s.udp, u)
	}
	return addr, nil
}

func listenUDP(addr netip.AddrPort) (*udpSocket, error) {
	lc := net.ListenConfig{Control: reusePort}
	pc, err := lc.ListenPacket(context.Background(), network("udp", addr), addr.String())
	if err != nil {
		return nil, err
	}
	conn := pc.(*net.UDPConn)
	u := &udpSocket{conn: conn, wildcard: addr.Addr().IsUnspecified()}
	if u.mover, err = newMover(conn, u.wildcard); err == nil && u.wildcard {
		err = wantDestinations(conn)
	}
	if err != nil {
		conn.Close()
		return nil, err
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
