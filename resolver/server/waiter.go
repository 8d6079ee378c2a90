package server

import (
	"context"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mxglue/mxglue/cache/wire"
)

// waiter is a goroutine that waits for the replies to misses over UDP, one after the other. Those that have nothing to do
// are kept for the next: their stacks have grown, and their memory is there.
type waiter struct {
	*Server
	by     *settings
	socket *udpSocket
	client netip.AddrPort
	msg    []byte
	oob    []byte
	out    []byte
	query  wire.Query
	work   chan struct{} // has room for one: a miss has been put into the fields above
	idle   atomic.Bool   // whoever makes it false has the waiter: a miss, or its end
}

// How many waiters with nothing to do are kept, and how long.
const (
	maxIdle  = 64
	idleLife = 10 * time.Second
)

// resolve hands a miss to a waiter. The place that it takes has been taken already: enter.
func (s *Server) resolve(ctx context.Context, by *settings, u *udpSocket, waiting *sync.WaitGroup, d *slot) {
	w := s.rested()
	if w == nil {
		w = &waiter{Server: s, work: make(chan struct{}, 1)}
		go w.run(ctx, waiting)
	}
	waiting.Add(1)
	w.by, w.socket, w.client = by, u, d.client
	w.msg, w.oob = append(w.msg[:0], d.query...), append(w.oob[:0], d.oob...)
	w.work <- struct{}{}
}

// rested returns a waiter with nothing to do, or nil.
func (s *Server) rested() *waiter {
	for {
		select {
		case w := <-s.idle:
			if w.idle.CompareAndSwap(true, false) { // else it has just ended
				return w
			}
		default:
			return nil
		}
	}
}

// run answers misses until there are enough idle waiters, or there has been nothing to do for a while, or the server stops.
func (w *waiter) run(ctx context.Context, waiting *sync.WaitGroup) {
	bored := time.NewTimer(idleLife)
	defer bored.Stop()
	for {
		select {
		case _, more := <-w.work:
			if !more {
				return
			}
		case <-bored.C:
			if w.idle.CompareAndSwap(true, false) {
				return
			}
			continue // a miss is on its way
		}
		w.answer(ctx)
		w.idle.Store(true)
		kept := false
		select {
		case w.Server.idle <- w: // from here on the fields are the next miss's
			kept = true
		default:
		}
		waiting.Done()
		if !kept {
			return
		}
		bored.Reset(idleLife)
	}
}

// answer answers a miss.
func (w *waiter) answer(ctx context.Context) {
	w.query.Client = w.client.Addr().WithZone("")
	w.query.Parse(w.msg, false)
	reply := w.by.resolve(ctx, w.out[:0], &w.query)
	w.leave() // before the client can ask again
	if reply != nil {
		w.socket.conn.WriteMsgUDPAddrPort(reply, w.oob, w.client)
		w.out = reply
	}
}

// dismiss ends the idle waiters. No miss is handed out any more.
func (s *Server) dismiss() {
	for w := s.rested(); w != nil; w = s.rested() {
		close(w.work)
	}
}
