package resolver

import (
	"context"
	"fmt"
	"time"

	"github.com/miekg/dns"

	"github.com/mxglue/mxglue/cache/wire"
	"github.com/mxglue/mxglue/resolver/upstream"
)

// maxRounds bounds how often one upstream is asked one question.
const maxRounds = 3

// lastHope is how long an upstream that is down is waited for when those that are up have said they cannot.
const lastHope = 100 * time.Millisecond

// asking is one question on its way through the upstreams of its route.
type asking struct {
	hopeful int              // tries of members that were up and have not come back
	results chan try         // holds every try there can be, so that none blocks when nobody listens any more
	failed  map[*member]bool // members that have said they cannot
	why     []byte           // EDNS options of the first that said why
}

// try is one exchange with one member.
type try struct {
	member   *member
	began    time.Time
	hopeful  bool // the member was up
	response *upstream.Response
	err      error
}

// forward asks the upstreams of a route in turn until one settles the question or ctx ends: the next one as soon as one
// fails or is overdue. Those already asked are listened to until the end, so that a late answer still counts. An upstream
// that has said it cannot is not asked again; a silent one is, because datagrams get lost. If nobody settled the question
// the response is nil, and why holds the EDNS options that say why not.
// begun, if it is not nil, is the first try of its member, and under way.
func (r *Resolver) forward(ctx context.Context, rt *route, q dns.Question, cd bool, begun *begun) (response *upstream.Response, by *member, why []byte) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer func() { begun.end() }() // if nobody has taken it up
	r.remeasure(rt)
	order := rt.order()
	n := len(order)
	a := &asking{results: make(chan try, maxRounds*n), failed: make(map[*member]bool)}
	for turn := range maxRounds * n {
		m := order[turn%n]
		patience, down := rt.patience(turn), m.down()
		if down && len(a.failed) > 0 { // one that is up has said it cannot: this one is a last hope, and a short one
			patience = min(patience, lastHope)
		}
		if a.failed[m] || down && len(a.failed) > 0 && turn >= n {
			continue
		}
		t := try{member: m, began: time.Now(), hopeful: !down}
		if t.hopeful {
			a.hopeful++
		}
		asks := func() (*upstream.Response, error) { return r.ask(ctx, m, q, cd) }
		if begun != nil && begun.member == m {
			t.began = begun.at
			asks, begun = begun.resume(ctx), nil
		}
		go func() {
			t.response, t.err = asks()
			a.results <- t
		}()
		settled, overdue := r.wait(ctx, a, m, patience-time.Since(t.began))
		if settled != nil {
			return settled.response, settled.member, nil
		}
		if overdue && patience > 0 && !down {
			m.Overdue(patience)
			r.fell(m, t.began, fmt.Errorf("no response within %v", patience))
		}
		if end, ok := ctx.Deadline(); ok && !time.Now().Before(end) { // the context may hear of it a moment later
			return nil, nil, a.because(order)
		}
	}
	for a.hopeful > 0 && ctx.Err() == nil {
		if settled, _ := r.wait(ctx, a, nil, rt.settings.Budget); settled != nil {
			return settled.response, settled.member, nil
		}
	}
	return nil, nil, a.because(order)
}

// wait returns the first try that settles the question. It returns none as soon as one fails, or as the member last asked
// is found to be down by somebody else, or as patience or ctx ends, which is overdue.
func (r *Resolver) wait(ctx context.Context, a *asking, last *member, patience time.Duration) (settled *try, overdue bool) {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case t := <-a.results:
		if t.hopeful {
			a.hopeful--
		}
		switch {
		case t.err != nil:
			if ctx.Err() == nil && unreachable(t.err) {
				r.fell(t.member, t.began, t.err)
			}
		case upstream.Usable(t.response.Msg):
			return &t, false
		case a.why == nil:
			a.why = reasons(t.response.Msg)
		}
		a.failed[t.member] = true
		return nil, false
	case <-last.falls():
		return nil, false
	case <-timer.C:
	case <-ctx.Done():
	}
	return nil, true
}

// because says why nobody settled the question: in the words of the first upstream that gave any, or that none answered.
func (a *asking) because(order []*member) []byte {
	if a.why != nil {
		return a.why
	}
	for _, m := range order {
		if !a.failed[m] {
			return wire.EDE(wire.EDENetworkError, "no response from "+m.String())
		}
	}
	return wire.EDE(wire.EDENetworkError, "no upstream could answer; "+order[0].String()+": "+order[0].Stats().LastError)
}

// maxReasons bounds the extended errors that are passed on.
const maxReasons = 3

// reasons packs the extended DNS errors of a response (RFC 8914): its own words reach the client.
func reasons(m *dns.Msg) (options []byte) {
	opt := m.IsEdns0()
	if opt == nil {
		return nil
	}
	n := 0
	for _, o := range opt.Option {
		if e, ok := o.(*dns.EDNS0_EDE); ok && n < maxReasons {
			options = append(options, wire.EDE(e.InfoCode, e.ExtraText)...)
			n++
		}
	}
	return options
}
