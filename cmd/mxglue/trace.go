package main

import (
	"context"
	"sync"
	"time"

	"github.com/miekg/dns"

	"github.com/mxglue/mxglue/cmd/mxglue/status"
)

// maxTrace bounds what is noted of one probe.
const maxTrace = 1000 // questions

// A trace notes the DNS questions of one probe, which may be under way at the same time. It travels in the probe's context.
type trace struct {
	mu    sync.Mutex
	asked []status.Question
}

type traceKey struct{}

func withTrace(ctx context.Context, t *trace) context.Context {
	return context.WithValue(ctx, traceKey{}, t)
}

// traced is exchange, and notes each question in the trace of its context, if there is one.
func traced(exchange exchangeFunc) exchangeFunc {
	return func(ctx context.Context, q *dns.Msg) (*dns.Msg, string, error) {
		t, ok := ctx.Value(traceKey{}).(*trace)
		if !ok {
			return exchange(ctx, q)
		}
		one := status.Question{Name: q.Question[0].Name, Type: dns.Type(q.Question[0].Qtype).String(), Began: time.Now()}
		r, source, err := exchange(ctx, q)
		one.Source, one.Ended = source, time.Now()
		t.note(one)
		return r, source, err
	}
}

func (t *trace) note(q status.Question) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.asked) < maxTrace {
		t.asked = append(t.asked, q)
	}
}

// questions are those noted. Some may be under way still: they are left out.
func (t *trace) questions() []status.Question {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.asked[:len(t.asked):len(t.asked)]
}
