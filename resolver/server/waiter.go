package server

import (
	"context"
	"net/netip"
	"sync"

	"github.com/mxglue/mxglue/cache/wire"
)

// waiter is a goroutine that waits for the replies to misses over UDP, one after the other. Those that have nothing to do
// are kept for the next: their stacks have grown, and their memory is there.
type waiter struct {
	*Server
	socket *udpSocket
	client netip.AddrPort
	msg    []byte
	oob    []byte
	out    []byte
	query  wire.Query
	work   chan struct{} // has room for one: a miss has been put into the fields above
}

// maxIdle is how many waiters with nothing to do are kept at most.
const maxIdle = 64

// resolve hands a miss to a waiter. The place that it takes has been taken already: enter.
func (s *Server) resolve(ctx context.Context, u *udpSocket, waiting *sync.WaitGroup, d *slot) {
	var w *waiter
	select {
	case w = <-s.idle:
	default:
		w = &waiter{Server: s, work: make(chan struct{}, 1)}
		go w.run(ctx, waiting)
	}
	waiting.Add(1)
	w.socket, w.client = u, d.client
	w.msg, w.oob = append(w.msg[:0], d.query...), append(w.oob[:0], d.oob...)
	w.work <- struct{}{}
}

// run answers misses until there are enough idle waiters, or the server stops.
func (w *waiter) run(ctx context.Context, waiting *sync.WaitGroup) {
	for range w.work {
		w.query.Client = w.client.Addr().WithZone("")
		w.query.Parse(w.msg, false)
		if reply := w.Resolve(ctx, w.out[:0], &w.query); reply != nil {
			w.socket.conn.WriteMsgUDPAddrPort(reply, w.oob, w.client)
			w.out = reply
		}
		w.leave()
		kept := false
		select {
		case w.idle <- w: // from here on the fields are the next miss's
			kept = true
		default:
		}
		waiting.Done()
		if !kept {
			return
		}
	}
}

// dismiss ends the idle waiters. No miss is handed out any more.
func (s *Server) dismiss() {
	for {
		select {
		case w := <-s.idle:
			close(w.work)
		default:
			return
		}
	}
}
