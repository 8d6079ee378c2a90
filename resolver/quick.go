package resolver

import (
	"context"
	"encoding/binary"
	"time"

	"github.com/miekg/dns"

	"github.com/mxglue/mxglue/cache"
	"github.com/mxglue/mxglue/cache/wire"
	"github.com/mxglue/mxglue/resolver/upstream"
)

// quickWait is how long the quick way waits for an answer: long enough for what an upstream knows or finds out soon, and less than
// what anything is done after about a slow one (FirstTry, StaleAfter, TCP).
const quickWait = 200 * time.Millisecond

// begun is a question that the quick way has put to a member and that the long way (forward) goes on with.
type begun struct {
	*upstream.Asked
	member *member
	at     time.Time
}

// quick takes a flight the short way that most can go: to one upstream over UDP, for one response that is stored as it is, all on
// this goroutine. It returns the entry with which the flight has landed. If it returns none the flight has to fly, and begun, if
// it is not nil, is the question that is out by then.
func (r *Resolver) quick(f *flight, began time.Time) (*begun, *cache.Entry) {
	rt, m := r.quickRoute(f)
	if m == nil {
		return nil, nil
	}
	var room [wire.MaxKey]byte
	question := append(room[:0], f.key[:len(f.key)-1]...)
	asked := m.Ask(question, f.from.CD, began, min(quickWait, rt.settings.FirstTry, rt.settings.StaleAfter))
	if asked == nil {
		return nil, nil
	}
	msg := asked.Plain()
	if msg == nil {
		return &begun{asked, m, began}, nil
	}
	now := time.Now()
	from := f.from
	from.Upstream, from.UDP, from.Size, from.RTT = m.String(), true, len(msg), m.RTT()
	ad := byte(wire.Flags(msg) & wire.FlagAD)
	if ad != 0 && !r.believes(rt, m) {
		msg[3] &^= ad
	}
	e := r.cache.StorePlain(msg, from, now)
	msg[3] |= ad // Done notes that the upstream has set AD, believed or not
	if e == nil {
		if resp, err := asked.Unpack(); err == nil {
			e = r.keep(rt, m, resp, f.from)
		}
	}
	if e == nil {
		return &begun{asked, m, began}, nil
	}
	asked.Done(now)
	m.asked(began, now)
	r.land(f, e, binary.BigEndian.Uint16(question[len(question)-4:]))
	return nil, e
}

// quickRoute returns the upstream that a flight asks first, and its route; nil if the flight has to go the long way.
func (r *Resolver) quickRoute(f *flight) (*route, *member) {
	s := f.settings
	if f.key[len(f.key)-5:len(f.key)-3] == "\x00\xff" { // QTYPE ANY, which is answered as if it were configured (RFC 8482)
		return nil, nil
	}
	rt := s.routes[0]
	if len(s.routes) > 1 || len(s.Records) > 0 {
		name, _, err := dns.UnpackDomainName([]byte(f.key), 0)
		if err != nil || s.Records.Has(name) {
			return nil, nil
		}
		rt = s.routeOf(name)
	}
	if r.Ask != nil || rt.NoPrivate || rt.Policy == Fastest || rt.Policy == Race && len(rt.members) > 1 {
		return nil, nil
	}
	for _, m := range rt.members {
		if !m.down() {
			return rt, m
		}
	}
	return nil, nil
}

// resume returns what waits for the answer on the long way.
func (b *begun) resume(ctx context.Context) func() (*upstream.Response, error) {
	return func() (*upstream.Response, error) {
		resp, err := b.Resume(ctx)
		if err == nil {
			b.member.asked(b.at, time.Now())
		}
		return resp, err
	}
}

// end closes the socket of a question with which nobody has gone on.
func (b *begun) end() {
	if b != nil {
		b.Close()
	}
}
