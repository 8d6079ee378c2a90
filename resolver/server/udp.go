package server

// HOT: a hit over UDP is read, answered and written here. No allocation, no goroutine; but a wildcard
// socket pays for its control messages.

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/mxglue/mxglue/cache/wire"
)

// udpSocket is one listening socket. On a wildcard address control messages carry the address that a query was sent to,
// so that the reply leaves from it: a stub resolver takes no other.
type udpSocket struct {
	conn     *net.UDPConn
	wildcard bool
}

// maxDatagram is what one read can take; longer queries are cut, and then malformed.
const maxDatagram = 4096

// serveUDP reads until the socket's read deadline ends it.
func (s *Server) serveUDP(ctx context.Context, u *udpSocket, waiting *sync.WaitGroup) {
	buf, out := make([]byte, maxDatagram), make([]byte, 0, wire.MaxMessage)
	oob := make([]byte, oobSize(u.wildcard))
	var q wire.Query
	for {
		n, oobn, _, from, err := u.conn.ReadMsgUDPAddrPort(buf, oob)
		if err != nil {
			if errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, net.ErrClosed) {
				return
			}
			continue // an ICMP error about an earlier reply
		}
		q.Client = from.Addr().Unmap().WithZone("")
		reply, resolve := s.reply(out[:0], &q, buf[:n], false, time.Now())
		switch {
		case reply != nil:
			u.conn.WriteMsgUDPAddrPort(reply, u.replyFrom(oob[:oobn]), from)
		case resolve && s.enter():
			s.resolveUDP(ctx, u, waiting, slices.Clone(buf[:n]), slices.Clone(oob[:oobn]), from)
		}
	}
}

// resolveUDP answers a miss in a goroutine of its own.
func (s *Server) resolveUDP(ctx context.Context, u *udpSocket, waiting *sync.WaitGroup, msg, oob []byte, from netip.AddrPort) {
	waiting.Go(func() {
		defer s.leave()
		q := wire.Query{Client: from.Addr().Unmap().WithZone("")}
		q.Parse(msg, false)
		if reply := s.Resolve(ctx, &q); reply != nil {
			u.conn.WriteMsgUDPAddrPort(reply, u.replyFrom(oob), from)
		}
	})
}
