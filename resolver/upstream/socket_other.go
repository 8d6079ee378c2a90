//go:build !linux

package upstream

import (
	"errors"
	"net"
	"net/netip"
	"time"
)

// socket would be a UDP socket for one question after the other; here every question opens one of its own (udp.go).
type socket struct{ conn *net.UDPConn }

func openSocket(netip.AddrPort) (*socket, error) { return nil, errors.ErrUnsupported }

func (s *socket) send([]byte, time.Time) ([]byte, error) { return nil, errors.ErrUnsupported }

func (s *socket) receive(time.Time) ([]byte, error) { return nil, errors.ErrUnsupported }

func (s *socket) rest() error { return errors.ErrUnsupported }
