package smtpprobe

import (
	"context"
	"net/netip"
	"sync"
	"time"
)

// visits remembers connections: those under way, those whose result still stands, and those after which a
// peer is to be left alone.
type visits struct {
	mu    sync.Mutex
	at    map[netip.AddrPort]*visit
	swept time.Time
}

// visit is one connection, under way or past.
type visit struct {
	exchanger string // on whose behalf
	kind      visitKind
	done      chan struct{} // closed when the rest is final
	attempt   Attempt
	reached   bool // the peer took notice: it counts
	ended     time.Time
	pace      Pace          // the caller's
	hold      time.Duration // how long a bad result stands; 0: it is good
	strikes   int           // bad results in a row, this one included
	before    *visit        // the last one there, while this one is under way
}

// visitKind is what a connection was for.
type visitKind struct {
	depth           Depth
	recipient       string // domain of DepthRCPT
	implicit, force bool
	transcript      bool
}

// serves tells whether a connection of one kind answers what another would have found out.
func (k visitKind) serves(want visitKind) bool {
	return k.depth >= want.depth && (want.recipient == "" || k.recipient == want.recipient) &&
		k.implicit == want.implicit && k.force == want.force && (k.transcript || !want.transcript)
}

// kind is what this probe's connections are for.
func (r *run) kind() visitKind {
	k := visitKind{depth: max(r.opt.Depth, r.opt.Reach), implicit: r.opt.ImplicitTLS, force: r.opt.ForceStartTLS, transcript: r.opt.Transcript}
	if k.depth >= DepthRCPT {
		k.recipient = r.report.Domain
	}
	return k
}

// visit returns the outcome of connecting to address, or that of an earlier connection which still stands.
func (r *run) visit(ctx context.Context, e *Exchanger, address netip.Addr) Attempt {
	to := netip.AddrPortFrom(address.Unmap(), r.port())
	for {
		v, mine := r.prober.visits.join(to, e.Name, r.kind(), r.opt.Pace)
		if mine {
			before := v.before
			r.make(ctx, v, to, e)
			if kind := r.kind(); !v.reached && before != nil {
				if kind.transcript = false; before.stands(time.Now(), kind, r.opt.Reuse) { // better no dialogue than no result
					return before.tell(address)
				}
			}
			return v.attempt
		}
		select {
		case <-v.done:
		case <-ctx.Done():
			return Attempt{Address: address, Port: to.Port(), Verdict: LocalError, Detail: cutShort}
		}
		if v.reached && v.answers(r.kind()) {
			return v.tell(address)
		}
	}
}

// tell is the result for who did not make the connection.
func (v *visit) tell(address netip.Addr) Attempt {
	a := v.attempt
	a.Address, a.Shared = address, v.exchanger
	a.Age = time.Since(v.ended).Seconds()
	if v.hold > 0 {
		a.holdEnds = v.ended.Add(v.hold)
	}
	return a
}

// make makes the connection that a visit stands for, when its turn has come.
func (r *run) make(ctx context.Context, v *visit, to netip.AddrPort, e *Exchanger) {
	gates := r.prober.gates()
	leave, err := gates.enter(ctx, to.Addr(), groupOf(e.Name))
	if err != nil {
		v.attempt = Attempt{Address: to.Addr(), Port: to.Port(), Verdict: LocalError, Detail: cutShort + ", while it waited for its turn"}
	} else {
		v.attempt, v.reached = r.connect(ctx, to, e.serverName())
	}
	r.prober.visits.end(to, v)
	if v.reached {
		gates.rest(to.Addr(), max(0, r.opt.Between))
	}
	if err == nil {
		leave()
	}
}

// join returns the visit that stands for an address now, and whether it is the caller's to make.
func (vs *visits) join(to netip.AddrPort, exchanger string, want visitKind, pace Pace) (v *visit, mine bool) {
	vs.mu.Lock()
	defer vs.mu.Unlock()
	now := time.Now()
	vs.sweep(now)
	old := vs.at[to]
	if old != nil && (old.ended.IsZero() || old.stands(now, want, pace.Reuse)) {
		return old, false
	}
	v = &visit{exchanger: exchanger, kind: want, done: make(chan struct{}), pace: pace}
	if old != nil {
		v.strikes, v.before = old.strikes, old
	}
	vs.at[to] = v
	return v, true
}

// stands tells whether the result of a past visit serves instead of another connection.
func (v *visit) stands(now time.Time, want visitKind, reuse time.Duration) bool {
	lasts := reuse
	if v.hold > 0 {
		lasts = v.hold
	}
	return v.answers(want) && now.Sub(v.ended) < lasts
}

// answers tells whether the result says what another connection would have found out.
func (v *visit) answers(want visitKind) bool {
	return v.kind.serves(want) || v.hold > 0 && v.kind.implicit == want.implicit
}

// last returns the last visit to an address that answers, however long ago; nil: none is remembered.
func (vs *visits) last(to netip.AddrPort, want visitKind) *visit {
	vs.mu.Lock()
	defer vs.mu.Unlock()
	v := vs.at[to]
	if v != nil && v.ended.IsZero() {
		v = v.before
	}
	if v == nil || !v.answers(want) {
		return nil
	}
	return v
}

// end makes a visit final; one that never left this machine is forgotten, and the one before it stands again.
func (vs *visits) end(to netip.AddrPort, v *visit) {
	vs.mu.Lock()
	defer vs.mu.Unlock()
	v.ended = time.Now()
	before := v.before
	v.before = nil
	switch {
	case !v.reached && before != nil:
		vs.at[to] = before
	case !v.reached:
		delete(vs.at, to)
	default:
		v.strikes, v.hold = v.attempt.hold(v.strikes, v.pace.Hold)
		if v.attempt.Verdict == LocalError { // cut by the caller: nothing was found out, but the peer saw it
			v.hold = max(v.pace.Between, 1)
		}
	}
	close(v.done)
}
