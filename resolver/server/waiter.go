package server

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/mxglue/mxglue/cache/wire"
)

// waiter is a goroutine that has a miss over UDP resolved, sends the reply, and then waits for its next miss. Idle ones are kept,
// because their stacks have grown already, and their buffers are there.
type waiter struct {
	*Server
	by     *settings
	socket *udpSocket
	miss   slot // in memory of the waiter's own
	query  wire.Query
	work   chan struct{} // told when a miss has been put into the fields above, which are the waiter's until it is idle again; closed to end it
}

// resolve hands a miss to a waiter. The place that it takes has been taken already: enter.
func (s *Server) resolve(ctx context.Context, by *settings, u *udpSocket, waiting *sync.WaitGroup, d *slot) {
	w := s.idle.take()
	if w == nil {
		w = &waiter{Server: s, work: make(chan struct{}, 1)}
		go w.run(ctx, waiting)
	}
	waiting.Add(1)
	w.by, w.socket, w.miss.client = by, u, d.client
	w.miss.query = append(w.miss.query[:0], d.query...)
	w.miss.from, w.miss.oob = append(w.miss.from[:0], d.from...), append(w.miss.oob[:0], d.oob...)
	w.work <- struct{}{}
}

// run answers misses until none comes any more.
func (w *waiter) run(ctx context.Context, waiting *sync.WaitGroup) {
	for range w.work {
		w.answer(ctx)
		w.idle.put(w) // from here on the fields are the next miss's
		waiting.Done()
	}
}

// answer answers a miss.
func (w *waiter) answer(ctx context.Context) {
	w.query.Client = w.miss.client.Addr().WithZone("")
	w.query.Parse(w.miss.query, false)
	reply := w.by.resolve(ctx, w.miss.reply[:0], &w.query)
	w.leave() // before the client can ask again
	if len(reply) > 0 {
		w.miss.reply = reply
		w.socket.put(&w.miss)
	}
}

// idlers are the idle waiters, a stack: the last that came is the first to get a miss, since most of its memory is in the processor's
// cache still, and those that are too many stay at the bottom, where trim ends them.
type idlers struct {
	mu    sync.Mutex
	all   []*waiter
	least int // the fewest that there were since trim looked last
}

const (
	maxIdle  = 64               // idle waiters that are kept
	idleLife = 10 * time.Second // trim ends those that were not needed for so long, up to twice as long
)

// take returns a waiter that has nothing to do, or nil.
func (i *idlers) take() *waiter {
	i.mu.Lock()
	defer i.mu.Unlock()
	n := len(i.all)
	if n == 0 {
		return nil
	}
	w := i.all[n-1]
	i.all = i.all[:n-1]
	i.least = min(i.least, n-1)
	return w
}

// put keeps a waiter, or ends it if there are enough.
func (i *idlers) put(w *waiter) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if len(i.all) == maxIdle {
		close(w.work)
		return
	}
	i.all = append(i.all, w)
}

// trim ends the waiters that nobody needs, again and again until ctx ends.
func (i *idlers) trim(ctx context.Context) {
	tick := time.NewTicker(idleLife)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			i.mu.Lock()
			i.end(i.least)
			i.least = len(i.all)
			i.mu.Unlock()
		}
	}
}

// close ends all, when no miss comes any more and none is waited for.
func (i *idlers) close() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.end(len(i.all))
}

// end ends so many of those that have been idle longest. Called with mu held.
func (i *idlers) end(n int) {
	for _, w := range i.all[:n] {
		close(w.work)
	}
	i.all = slices.Delete(i.all, 0, n)
}
