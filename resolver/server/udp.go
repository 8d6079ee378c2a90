package server

// HOT: a hit over UDP is taken, answered and put back here, in batches. No allocation, no goroutine; but a wildcard
// socket pays for its control messages.

import (
	"context"
	"net"
	"net/netip"
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
	mover
}

// mover takes datagrams off a socket and puts replies on it.
type mover interface {
	// receive waits for datagrams, fills slots from the first on, and returns how many. What it fills them with holds
	// until the next call. Errors: those of a closed socket or an ended deadline.
	receive(slots []slot) (int, error)
	// send puts the replies of slots back. One that cannot be sent is lost, as any datagram may be.
	send(slots []slot)
}

// slot is one datagram and its reply.
type slot struct {
	query  []byte // empty if it was too long to be a query
	client netip.AddrPort
	oob    []byte // the control message: of the query, then of the reply
	reply  []byte // empty for none
}

const (
	batchSize   = 32   // more gains nothing
	maxDatagram = 4096 // what one datagram can have; longer queries are cut, and then malformed
	replyRoom   = 1536 // more than any reply over UDP has
)

// serveUDP reads until the socket's read deadline ends it.
func (s *Server) serveUDP(ctx context.Context, u *udpSocket, waiting *sync.WaitGroup) {
	slots, out := make([]slot, batchSize), make([][replyRoom]byte, batchSize)
	var q wire.Query
	for {
		n, err := u.receive(slots)
		if err != nil {
			return
		}
		now := time.Now() // one for all: they have been waiting for the same wake-up
		for i := range slots[:n] {
			s.serveDatagram(ctx, u, waiting, &slots[i], out[i][:0], &q, now)
		}
		u.send(slots[:n])
	}
}

// serveDatagram answers a hit into the slot, and hands a miss to a goroutine.
func (s *Server) serveDatagram(ctx context.Context, u *udpSocket, waiting *sync.WaitGroup, d *slot, out []byte, q *wire.Query, now time.Time) {
	q.Client = d.client.Addr().WithZone("")
	reply, resolve := s.reply(out, q, d.query, false, now)
	d.reply = reply
	if u.wildcard {
		d.oob = replyFrom(d.oob)
	}
	if resolve && s.enter() {
		s.resolveUDP(ctx, u, waiting, slices.Clone(d.query), slices.Clone(d.oob), d.client)
	}
}

// resolveUDP answers a miss in a goroutine of its own.
func (s *Server) resolveUDP(ctx context.Context, u *udpSocket, waiting *sync.WaitGroup, msg, oob []byte, from netip.AddrPort) {
	waiting.Go(func() {
		defer s.leave()
		q := wire.Query{Client: from.Addr().WithZone("")}
		q.Parse(msg, false)
		if reply := s.Resolve(ctx, &q); reply != nil {
			u.conn.WriteMsgUDPAddrPort(reply, oob, from)
		}
	})
}
