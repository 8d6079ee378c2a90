package smtpprobe

import (
	"context"
	"net/netip"
	"sync"
	"time"
)

// betweenVisits is how long an address is left in peace after a connection, whatever the number of names
// and domains that lead there. Mail operators block testers that knock more often.
const betweenVisits = 60 * time.Second

// visits remembers the connections of the last minute. Its size is bounded by how many the probes can make
// in that time: each probe makes one at a time.
type visits struct {
	mu sync.Mutex
	at map[netip.AddrPort]*visit
}

// visit is one connection, under way or past.
type visit struct {
	exchanger string        // on whose behalf
	done      chan struct{} // closed when the rest is final
	attempt   Attempt
	reached   bool // the peer took notice: it counts
	ended     time.Time
}

// visit returns the outcome of connecting to address, the one of the last minute if there is one.
func (r *run) visit(ctx context.Context, exchanger string, address netip.Addr) Attempt {
	to := netip.AddrPortFrom(address.Unmap(), r.opt.Port)
	for {
		v, mine := r.prober.visits.join(to, exchanger)
		if mine {
			v.attempt, v.reached = r.connect(ctx, to)
			r.prober.visits.end(to, v)
			return v.attempt
		}
		select {
		case <-v.done:
		case <-ctx.Done():
			return Attempt{Address: address, Port: r.opt.Port, Verdict: LocalError, Detail: cutShort}
		}
		if v.reached {
			a := v.attempt
			a.Address, a.Shared = address, v.exchanger
			return a
		}
	}
}

// join returns the visit that stands for an address now, and whether it is the caller's to make.
func (vs *visits) join(to netip.AddrPort, exchanger string) (v *visit, mine bool) {
	vs.mu.Lock()
	defer vs.mu.Unlock()
	now := time.Now()
	for key, old := range vs.at {
		if !old.ended.IsZero() && now.Sub(old.ended) >= betweenVisits {
			delete(vs.at, key)
		}
	}
	if v, ok := vs.at[to]; ok {
		return v, false
	}
	if vs.at == nil {
		vs.at = make(map[netip.AddrPort]*visit)
	}
	v = &visit{exchanger: exchanger, done: make(chan struct{})}
	vs.at[to] = v
	return v, true
}

// end makes a visit final; one that never left this machine is forgotten.
func (vs *visits) end(to netip.AddrPort, v *visit) {
	vs.mu.Lock()
	defer vs.mu.Unlock()
	v.ended = time.Now()
	if !v.reached {
		delete(vs.at, to)
	}
	close(v.done)
}
