package monitor

import (
	"slices"
	"strings"
	"testing"

	"github.com/mxglue/mxglue/smtpprobe"
	"github.com/mxglue/mxglue/smtpprobe/dane"
	"github.com/mxglue/mxglue/smtpprobe/sts"
)

// full is a report of everything that is remembered.
func full(key string) smtpprobe.Report {
	r := report("a.example", smtpprobe.OK)
	r.STS = &sts.Result{Status: sts.OK, Mode: sts.ModeTesting, ID: "1", MaxAge: 86400, MX: []string{"mx.a.example"}}
	r.MX[0].DANE = &dane.Result{Status: dane.Secure, Records: []dane.Record{{Usage: 3, Selector: 1, MatchingType: 1, Data: "aa"}, {Usage: 2, MatchingType: 1, Data: "bb"}}}
	r.MX[0].Attempts[0].TLS = &smtpprobe.TLS{SPKI: key}
	return r
}

func TestLearnTellsChanges(t *testing.T) {
	const one, two = "3 1 1 11", "3 1 1 22"
	for _, test := range []struct {
		name   string
		change func(*smtpprobe.Report)
		want   string // kind, exchanger, was, is
	}{
		{"nothing", func(*smtpprobe.Report) {}, ""},
		{"the MX set", func(r *smtpprobe.Report) {
			r.MX = append(r.MX, smtpprobe.Exchanger{Name: "b.example", Preference: 5})
		}, "mx|a.example|10 mx.a.example|10 mx.a.example, 5 b.example"},
		{"its order in the report", func(r *smtpprobe.Report) { slices.Reverse(r.MX[0].DANE.Records) }, ""},
		{"null MX", func(r *smtpprobe.Report) { r.MX, r.Verdict = nil, smtpprobe.NullMX }, "mx|a.example|10 mx.a.example|."},
		{"the MX question failed", func(r *smtpprobe.Report) { r.MX, r.Verdict = nil, smtpprobe.DNSFail }, ""},
		{"TLSA", func(r *smtpprobe.Report) { r.MX[0].DANE.Records = r.MX[0].DANE.Records[:1] }, "tlsa|mx.a.example|2 0 1 bb, 3 1 1 aa|3 1 1 aa"},
		{"no TLSA", func(r *smtpprobe.Report) { r.MX[0].DANE = &dane.Result{Status: dane.None} }, "tlsa|mx.a.example|2 0 1 bb, 3 1 1 aa|none"},
		{"the TLSA question failed", func(r *smtpprobe.Report) { r.MX[0].DANE = &dane.Result{Status: dane.Error} }, ""},
		{"TLSA not asked for", func(r *smtpprobe.Report) { r.MX[0].DANE = nil }, ""},
		{"the key", func(r *smtpprobe.Report) { r.MX[0].Attempts[0].TLS.SPKI = two }, "key|mx.a.example|" + one + "|" + two},
		{"no handshake", func(r *smtpprobe.Report) { r.MX[0].Attempts[0].TLS = nil }, ""},
		{"the policy", func(r *smtpprobe.Report) { r.STS.Mode = sts.ModeEnforce }, "policy|a.example|testing, max_age 86400, mx mx.a.example, id 1|enforce, max_age 86400, mx mx.a.example, id 1"},
		{"no policy", func(r *smtpprobe.Report) { r.STS = &sts.Result{Status: sts.None} }, "policy|a.example|testing, max_age 86400, mx mx.a.example, id 1|none"},
		{"the policy cannot be fetched", func(r *smtpprobe.Report) { r.STS = &sts.Result{Status: sts.FetchError} }, ""},
	} {
		known, events := Known{}.learn(full(one))
		if len(events) != 0 {
			t.Fatalf("the first report is no change: %+v", events)
		}
		r := full(one)
		test.change(&r)
		after, events := known.learn(r)
		var got []string
		for _, e := range events {
			got = append(got, strings.Join([]string{string(e.Kind), e.About, e.Was, e.Is}, "|"))
			if !strings.Contains(e.Text, e.Was) || !strings.Contains(e.Text, e.Is) {
				t.Errorf("%s: %q says neither", test.name, e.Text)
			}
		}
		if strings.Join(got, "\n") != test.want {
			t.Errorf("%s: got %q, want %q", test.name, got, test.want)
		}
		// What the second report did not find out is known still: the first one again brings the way back, or nothing.
		if _, back := after.learn(full(one)); test.want == "" && len(back) != 0 {
			t.Errorf("%s: forgot something: %+v", test.name, back)
		}
	}
}

// Servers behind one address take turns with their keys: each is news once.
func TestKeysThatTakeTurns(t *testing.T) {
	known, _ := Known{}.learn(full("3 1 1 00"))
	news := 0
	for _, key := range []string{"3 1 1 11", "3 1 1 00", "3 1 1 11", "3 1 1 00", "3 1 1 22", "3 1 1 11"} {
		var events []Event
		known, events = known.learn(full(key))
		news += len(events)
	}
	if news != 2 {
		t.Errorf("%d events, want 2", news)
	}
	for i := range 100 {
		known, _ = known.learn(full("3 1 1 " + string(rune('a'+i))))
	}
	if n := len(known.Keys["mx.a.example"]); n != maxKeys {
		t.Errorf("remembers %d keys, want %d", n, maxKeys)
	}
}

// Of more exchangers than the prober tries it takes some by chance.
func TestManyExchangersAreNoChange(t *testing.T) {
	r := report("a.example", smtpprobe.OK)
	for _, name := range many(9) {
		r.MX = append(r.MX, smtpprobe.Exchanger{Name: name, Preference: 10})
	}
	known, _ := Known{}.learn(r)
	r.MX[3].Name = "another.example"
	if _, events := known.learn(r); len(events) != 0 {
		t.Errorf("%+v", events)
	}
}

// Between two answers the MX question fails: what changed meanwhile is told all the same.
func TestFailedQuestionForgetsNothing(t *testing.T) {
	known, _ := Known{}.learn(full("3 1 1 11"))
	known, _ = known.learn(smtpprobe.Report{Domain: "a.example", Verdict: smtpprobe.DNSFail})
	r := full("3 1 1 22")
	r.MX[0].DANE.Records = r.MX[0].DANE.Records[:1]
	if _, events := known.learn(r); len(events) != 2 {
		t.Errorf("%+v", events)
	}
}
