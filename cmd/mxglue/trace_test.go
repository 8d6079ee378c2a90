package main

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/miekg/dns"
)

func TestTraceNotesTheQuestionsOfItsProbe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		exchange := traced(func(_ context.Context, q *dns.Msg) (*dns.Msg, string, error) {
			time.Sleep(time.Second) // of the bubble: that is how far upstream is
			if q.Question[0].Qtype == dns.TypeA {
				return nil, "", errors.New("no answer")
			}
			return q, "upstream", nil
		})
		mine, other := &trace{}, &trace{}
		ask := func(ctx context.Context, name string, qtype uint16) (*dns.Msg, string, error) {
			return exchange(ctx, new(dns.Msg).SetQuestion(name, qtype))
		}
		if r, source, err := ask(withTrace(t.Context(), mine), "a.example.", dns.TypeMX); r == nil || source != "upstream" || err != nil {
			t.Errorf("the answer is %v from %q, %v; want it as it was", r, source, err)
		}
		if _, _, err := ask(withTrace(t.Context(), mine), "b.example.", dns.TypeA); err == nil {
			t.Error("the error is gone")
		}
		_, _, _ = ask(withTrace(t.Context(), other), "c.example.", dns.TypeMX)
		_, _, _ = ask(t.Context(), "d.example.", dns.TypeMX) // nobody wants to know
		all := mine.questions()
		if len(all) != 2 || all[0].Name != "a.example." || all[0].Type != "MX" || all[0].Source != "upstream" || all[1].Source != "" {
			t.Fatalf("noted %+v; want the MX and the A of this probe", all)
		}
		if took := all[1].Ended.Sub(all[1].Began); took != time.Second || all[1].Began.Before(all[0].Ended) {
			t.Errorf("the second took %v, want 1s after the first", took)
		}
	})
}

func TestTraceIsBounded(t *testing.T) {
	exchange := traced(func(context.Context, *dns.Msg) (*dns.Msg, string, error) { return nil, "", nil })
	noted := &trace{}
	for range maxTrace + 1 {
		_, _, _ = exchange(withTrace(t.Context(), noted), new(dns.Msg).SetQuestion("a.example.", dns.TypeTXT))
	}
	if n := len(noted.questions()); n != maxTrace {
		t.Errorf("%d questions are noted, want %d", n, maxTrace)
	}
}
