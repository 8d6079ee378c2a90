package server

// HOT: a hit over UDP is taken, answered and put back here, in batches. No allocation, no goroutine; but a wildcard
// socket pays for its control messages.

import (
	"context"
	"net"
	"net/netip"
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
	// receive waits for datagrams, fills slots from the first on, and returns how many. What it fills them with holds,
	// and may be written over, until the next call. Errors: those of a closed socket or an ended deadline.
	receive(slots []slot) (int, error)
	// send puts the replies of slots back. One that cannot be sent is lost, as any datagram may be.
	send(slots []slot)
	// close closes what the mover has opened. It is not called while another method is.
	close()
}

// slot is one datagram and its reply.
type slot struct {
	query  []byte // empty if it was too long to be a query; the reply is written over it, for which there is room
	client netip.AddrPort
	oob    []byte // the control message: of the query, then of the reply
	reply  []byte // empty for none
}

const (
	batchSize   = 32   // more gains nothing
	maxDatagram = 4096 // what one datagram can have; longer queries are cut, and then malformed
)

// batchOf is what goes along with the slots of one socket.
type batchOf struct {
	slots   [batchSize]slot
	queries [batchSize]wire.Query
	verdict [batchSize]wire.Verdict
}

// serveUDP reads until the socket's read deadline ends it.
func (s *Server) serveUDP(ctx context.Context, u *udpSocket, waiting *sync.WaitGroup) {
	b := new(batchOf)
	for {
		n, err := u.receive(b.slots[:])
		if err != nil {
			return
		}
		now := time.Now() // one for all: they have been waiting for the same wake-up
		counted := uint64(0)
		for i := range n {
			d, q := &b.slots[i], &b.queries[i]
			q.Client = d.client.Addr().WithZone("")
			d.reply, b.verdict[i] = s.admit(d.query[:0], q, d.query, false)
			if counts(b.verdict[i]) {
				counted++
			}
			if u.wildcard {
				d.oob = replyFrom(d.oob)
			}
		}
		s.stats.udp.Add(counted)
		s.Near(b.queries[:n])
		for i := range n {
			if b.verdict[i] != wire.Accept {
				continue
			}
			d := &b.slots[i]
			if d.reply = s.Answer(d.query[:0], &b.queries[i], now); d.reply == nil && s.enter() {
				s.resolve(ctx, u, waiting, d)
			}
		}
		u.send(b.slots[:n])
	}
}
