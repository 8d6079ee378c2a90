package resolver

import (
	"context"
	"time"

	"github.com/miekg/dns"

	"github.com/mxglue/mxglue/resolver/upstream"
)

// maxRounds bounds how often one upstream is asked one question.
const maxRounds = 3

// asking is one question on its way through the upstreams.
type asking struct {
	resolver *Resolver
	question dns.Question
	cd       bool
	running  int          // tries that have not come back
	results  chan try     // holds every try there can be, so that none blocks when nobody listens any more
	failed   map[int]bool // upstreams that have said they cannot
}

// try is one exchange with one upstream.
type try struct {
	index    int // of the upstream
	response *upstream.Response
	err      error
}

// forward asks the upstreams in turn until one settles the question or ctx ends: the next one as soon as one fails or is
// overdue. Those already asked are listened to until the end, so that a late answer still counts. An upstream that has
// said it cannot is not asked again; a silent one is, because datagrams get lost. The response is nil if nobody settled
// the question.
func (r *Resolver) forward(ctx context.Context, q dns.Question, cd bool) (*upstream.Response, *upstream.Upstream) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	n := len(r.upstreams)
	a := &asking{resolver: r, question: q, cd: cd, results: make(chan try, maxRounds*n), failed: make(map[int]bool)}
	for turn := range maxRounds * n {
		i := turn % n
		if a.failed[i] {
			continue
		}
		a.running++
		go func() {
			resp, err := r.ask(ctx, r.upstreams[i], q, cd)
			a.results <- try{i, resp, err}
		}()
		patience := r.patience(turn)
		t, overdue := a.wait(ctx, patience)
		if t != nil {
			return t.response, r.upstreams[t.index]
		}
		if overdue {
			r.upstreams[i].Overdue(patience)
		}
		if end, ok := ctx.Deadline(); ok && !time.Now().Before(end) { // the context may hear of it a moment later
			return nil, nil
		}
	}
	for a.running > 0 && ctx.Err() == nil {
		if t, _ := a.wait(ctx, r.Budget); t != nil {
			return t.response, r.upstreams[t.index]
		}
	}
	return nil, nil
}

// wait returns the first try that settles the question. It returns none as soon as one fails, or as patience or ctx
// ends, which is overdue.
func (a *asking) wait(ctx context.Context, patience time.Duration) (settled *try, overdue bool) {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case t := <-a.results:
		a.running--
		if t.err == nil && upstream.Usable(t.response.Msg) {
			return &t, false
		}
		a.failed[t.index] = true
		return nil, false
	case <-timer.C:
	case <-ctx.Done():
	}
	return nil, true
}

// patience returns how long the given try is waited for before the next begins: the configured time for the first, then
// what lets every upstream have its turn inside the budget.
func (r *Resolver) patience(turn int) time.Duration {
	if turn == 0 {
		return r.FirstTry
	}
	return min(r.FirstTry, (r.Budget-r.FirstTry)/time.Duration(len(r.upstreams)))
}

func (r *Resolver) ask(ctx context.Context, u *upstream.Upstream, q dns.Question, cd bool) (*upstream.Response, error) {
	if r.Ask != nil {
		return r.Ask(ctx, u, q, cd)
	}
	return u.Exchange(ctx, q, cd)
}
