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
	// serve waits for datagrams, fills slots with them, has them answered and sends the replies, again and again, until
	// the socket is closed or its read deadline has passed. A reply that cannot be sent is lost, as any datagram may be.
	serve(answer func(slots []slot))
	// put sends one reply later: that of a copy of a slot, made by answer, whose reply was not there yet. Any goroutine may call it.
	put(d *slot)
	// close closes what the mover has opened, after serve.
	close()
}

// slot is one datagram and its reply.
type slot struct {
	query  []byte // empty if it was too long to be a query; the reply is written over it, for which there is room
	client netip.AddrPort
	from   []byte // the client's address as the mover wants to have it
	oob    []byte // the control message: of the query, then of the reply
	reply  []byte // empty for none
}

const (
	batchSize   = 32   // more gains nothing
	maxDatagram = 4096 // what one datagram can have; longer queries are cut, and then malformed
)

// parsed is what has been read out of the slots of one socket: query and verdict i are those of slot i.
type parsed struct {
	queries  [batchSize]wire.Query
	verdicts [batchSize]wire.Verdict
}

// serveUDP answers what comes to a socket until its read deadline ends it.
func (s *Server) serveUDP(ctx context.Context, u *udpSocket, lane uint8, waiting *sync.WaitGroup) {
	p := new(parsed)
	for i := range p.queries {
		p.queries[i].Lane = lane
	}
	u.serve(func(slots []slot) { s.answer(ctx, u, waiting, p, slots) })
}

// answer sets the replies of a batch: parse all, tell Near of them, answer the hits, and hand the misses to waiters.
func (s *Server) answer(ctx context.Context, u *udpSocket, waiting *sync.WaitGroup, p *parsed, slots []slot) {
	now, by := time.Now(), s.settings.Load() // once for the whole batch: a clock reading for each would be a cost
	counted := uint64(0)
	for i := range slots {
		d, q := &slots[i], &p.queries[i]
		q.Client = d.client.Addr().WithZone("")
		d.reply, p.verdicts[i] = s.admit(by, d.query[:0], q, d.query, false)
		if counts(p.verdicts[i]) {
			counted++
		}
		if u.wildcard {
			d.oob = replyFrom(d.oob)
		}
	}
	s.stats.udp.Add(counted)
	s.Near(p.queries[:len(slots)])
	for i := range slots {
		if p.verdicts[i] != wire.Accept {
			continue
		}
		d := &slots[i]
		if d.reply = by.answer(d.query[:0], &p.queries[i], now); d.reply == nil && s.enter(by) {
			s.resolve(ctx, by, u, waiting, d)
		}
	}
}
