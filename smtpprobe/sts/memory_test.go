package sts

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/mxglue/mxglue/smtpprobe/lookup/lookuptest"
)

// After a failure the same record is not followed again for five minutes, another one at once, and what came
// out is told again.
func TestFailureIsRemembered(t *testing.T) {
	h := newHost(t, goodZone, "mta-sts.d.example", time.Now().Add(time.Hour), true, http.NotFound)
	now := time.Now()
	h.fetcher.Now = func() time.Time { return now }
	for _, step := range []struct {
		after    time.Duration
		id       string
		requests int32
	}{
		{0, "1", 1},
		{299 * time.Second, "1", 1},
		{0, "2", 2},
		{299 * time.Second, "2", 2},
		{time.Second, "2", 3},
	} {
		now = now.Add(step.after)
		h.fetcher.Exchange = lookuptest.New(t, strings.Replace(goodZone, "id=1", "id="+step.id, 1)).Exchange
		before := h.requests.Load()
		r := h.fetcher.Look(t.Context(), "d.example")
		if r.Status != FetchError || r.Code != codeFetch || r.Remembered != (before == step.requests) || h.requests.Load() != step.requests {
			t.Errorf("%+v: %d requests, got %+v", step, h.requests.Load(), r)
		}
	}
}

// Success is not remembered: a tester tells what stands there now. Nor is a caller that goes away.
func TestOnlyFailuresAreRemembered(t *testing.T) {
	h := newHost(t, goodZone, "mta-sts.d.example", time.Now().Add(time.Hour), true, serve(goodPolicy))
	for want := range int32(2) {
		if r := h.fetcher.Look(t.Context(), "d.example"); r.Status != OK || h.requests.Load() != want+1 {
			t.Errorf("%d requests, got %+v", h.requests.Load(), r)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	h.fetcher.Dial = func(context.Context, string, string) (net.Conn, error) {
		cancel()
		return nil, ctx.Err()
	}
	if r := h.fetcher.Look(ctx, "d.example"); r.Status != Unknown || r.Code != "" {
		t.Errorf("cut by its caller: %+v, want unknown: nothing is wrong with the policy", r)
	}
	h.fetcher.Dial = nil
	if r := h.fetcher.Look(t.Context(), "d.example"); r.Status != OK {
		t.Errorf("after a caller that went away: %+v", r)
	}
}

// Many domains that fail do not fill the memory.
func TestMemoryIsBounded(t *testing.T) {
	var m memory
	now := time.Now()
	for i := range 3 * maxFailures {
		m.note(fmt.Sprint(i), Result{ID: "1"}, now)
	}
	if _, found := m.recall(fmt.Sprint(3*maxFailures-1), "1", now); !found || len(m.failures) > maxFailures {
		t.Errorf("%d failures kept, the newest among them: %t", len(m.failures), found)
	}
	m.note("late", Result{ID: "1"}, now.Add(failureMemory))
	if len(m.failures) != 1 {
		t.Errorf("%d failures kept, and all but one are old", len(m.failures))
	}
}
