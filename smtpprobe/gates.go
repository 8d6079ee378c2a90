package smtpprobe

import (
	"context"
	"maps"
	"net/netip"
	"slices"
	"sync"
	"time"
)

// How many connections at once. Operators block testers that open more: from the mail server's own address
// that would cost mail.
const (
	perAddress = 1
	perGroup   = 2 // exchangers of one operator: those under one registered domain
	inAll      = 16
)

// Gates bound how many connections there are at once, to an address, to an operator and in all, and keep the pause
// between two to one address. The zero value is ready. Safe for concurrent use.
type Gates struct {
	mu    sync.Mutex
	open  map[string]*gate         // each there as long as somebody stands in it or before it
	next  map[netip.Addr]time.Time // when an address may be connected to again, whatever the port
	swept time.Time
}

// gates are the prober's own, or those that it shares.
func (p *Prober) gates() *Gates {
	if p.Gates != nil {
		return p.Gates
	}
	return &p.own
}

// enter waits for the turn of a connection: its address, then the pause after the last connection there, then
// its group, then a place among all. Who holds a later one never waits for an earlier one, so none waits for
// ever. It returns what gives them back, or ctx's error; a pause that outlasts ctx is not waited for.
func (g *Gates) enter(ctx context.Context, addr netip.Addr, group string) (leave func(), err error) {
	var held []string
	leave = func() {
		for _, key := range slices.Backward(held) {
			g.release(key)
		}
	}
	for _, gate := range []struct {
		key    string
		places int
	}{{"address " + addr.String(), perAddress}, {"group " + group, perGroup}, {"all", inAll}} {
		if err = g.acquire(ctx, gate.key, gate.places); err == nil {
			held = append(held, gate.key)
			if len(held) == 1 {
				err = g.pause(ctx, addr)
			}
		}
		if err != nil {
			leave()
			return nil, err
		}
	}
	return leave, nil
}

// pause waits until an address may be connected to again.
func (g *Gates) pause(ctx context.Context, addr netip.Addr) error {
	g.mu.Lock()
	at := g.next[addr]
	g.mu.Unlock()
	if deadline, ok := ctx.Deadline(); ok && deadline.Before(at) {
		return context.DeadlineExceeded
	}
	timer := time.NewTimer(time.Until(at))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// rest begins the pause of an address; who has been there calls it before leaving.
func (g *Gates) rest(addr netip.Addr, pause time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := time.Now()
	if g.next == nil {
		g.next = make(map[netip.Addr]time.Time)
	}
	if now.Sub(g.swept) >= time.Minute {
		g.swept = now
		maps.DeleteFunc(g.next, func(_ netip.Addr, at time.Time) bool { return !now.Before(at) })
	}
	g.next[addr] = now.Add(pause)
}

// gate is one counted door.
type gate struct {
	places chan struct{}
	users  int
}

// acquire takes a place, or waits for one until ctx ends.
func (g *Gates) acquire(ctx context.Context, key string, places int) error {
	g.mu.Lock()
	if g.open == nil {
		g.open = make(map[string]*gate)
	}
	one := g.open[key]
	if one == nil {
		one = &gate{places: make(chan struct{}, places)}
		g.open[key] = one
	}
	one.users++
	g.mu.Unlock()
	select {
	case one.places <- struct{}{}:
		return nil
	case <-ctx.Done():
		g.leave(key, one)
		return ctx.Err()
	}
}

// release gives a place back.
func (g *Gates) release(key string) {
	g.mu.Lock()
	one := g.open[key]
	g.mu.Unlock()
	<-one.places
	g.leave(key, one)
}

// leave forgets a gate that nobody uses.
func (g *Gates) leave(key string, one *gate) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if one.users--; one.users == 0 {
		delete(g.open, key)
	}
}
