package main

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/mxglue/mxglue/cache"
	"github.com/mxglue/mxglue/cmd/mxglue/status"
	"github.com/mxglue/mxglue/resolver"
	"github.com/mxglue/mxglue/resolver/upstream"
)

// explaining is the address of a daemon whose upstream knows one domain, and how often that was asked.
func explaining(t *testing.T) (address string, asked *atomic.Int32) {
	t.Helper()
	asked = new(atomic.Int32)
	u, err := upstream.New("udp://127.0.0.1:53")
	if err != nil {
		t.Fatal(err)
	}
	questions := resolver.New(resolver.Options{}, cache.New(cache.Options{}, time.Now()), []*upstream.Upstream{u})
	questions.Ask = func(_ context.Context, _ *upstream.Upstream, q dns.Question, _ bool) (*upstream.Response, error) {
		asked.Add(1)
		m := &dns.Msg{Question: []dns.Question{q}}
		m.Response, m.RecursionAvailable = true, true
		line := map[uint16]string{dns.TypeMX: "bücher.example. 300 IN MX 10 mx.example.", dns.TypeA: "mx.example. 300 IN A 192.0.2.1"}[q.Qtype]
		if line == "" {
			line = "mx.example. 300 IN AAAA 2001:db8::1"
		}
		rr, err := dns.NewRR(strings.Replace(line, "bücher", "xn--bcher-kva", 1))
		m.Answer = []dns.RR{rr}
		return &upstream.Response{Msg: m, UDP: true, Size: 100}, err
	}
	t.Cleanup(questions.Close)
	d := status.Daemon{Snapshot: func() status.Snapshot { return status.Snapshot{} }, Explain: explains(questions)}
	return daemon(t, d.Handler()), asked
}

// What nobody has asked is not known, and is not asked for either, until somebody wants it.
func TestExplainAsksOnlyIfTold(t *testing.T) {
	address, asked := explaining(t)
	_, err := runCommand(t, explainCommand(), "--status", address, "user@BÜCHER.example")
	if err == nil || err.Error() != "nothing is known of xn--bcher-kva.example; nobody has asked (--ask asks upstream now)" || asked.Load() != 0 {
		t.Errorf("error %v, %d questions upstream; want to hear that nothing is known, and none", err, asked.Load())
	}
	text, err := runCommand(t, explainCommand(), "--status", address, "--json", "bücher.example")
	var exit exitError
	if !errors.As(err, &exit) || exit.code != exitFailed || !strings.Contains(text, `"known": false`) {
		t.Errorf("--json: printed %q, error %v; want JSON and exit code 1", text, err)
	}
	text, err = runCommand(t, explainCommand(), "--status", address, "--ask", "bücher.example")
	const want = "Postfix would try mx.example (192.0.2.1, 2001:db8::1); DANE is not usable (addresses not authentic)."
	if err != nil || !strings.Contains(text, want) || asked.Load() != 3 {
		t.Errorf("--ask: error %v, %d questions upstream, printed\n%s\nwant 3 and %q", err, asked.Load(), text, want)
	}
	for range 2 {
		text, err = runCommand(t, explainCommand(), "--status", address, "--json", "bücher.example")
		var e status.Explanation
		if err != nil || json.Unmarshal([]byte(text), &e) != nil || e.Postfix != want || asked.Load() != 3 {
			t.Errorf("afterwards: error %v, %d questions upstream, printed\n%s", err, asked.Load(), text)
		}
	}
}

func TestExplainSaysWhatIsWrong(t *testing.T) {
	address, _ := explaining(t)
	notOurs := daemon(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte(`{"a":1}`)) }))
	for _, c := range []struct {
		args []string
		want string
		code int
	}{
		{[]string{"--status", address, "192.0.2.1"}, `domain "192.0.2.1": is an address, which has no MX`, exitConfig},
		{[]string{"--status", address, "a..example"}, `domain "a..example"`, exitConfig},
		{[]string{"--status", address}, "an argument is missing: want mxglue explain DOMAIN (see ", exitConfig},
		{[]string{"--status", "127.0.0.1:1", "a.example"}, `nothing listens on 127.0.0.1:1: start "mxglue serve"`, 0},
		{[]string{"--status", "", "a.example"}, "the status side is off", 0},
		{[]string{"--status", notOurs, "a.example"}, "is not mxglue", 0},
	} {
		text, err := runCommand(t, explainCommand(), c.args...)
		var exit exitError
		if errors.As(err, &exit); text != "" || err == nil || !strings.Contains(err.Error(), c.want) || exit.code != c.code {
			t.Errorf("explain %q: printed %q, error %v; want %q and exit code %d (0: any)", c.args, text, err, c.want, c.code)
		}
	}
	response, err := http.Get("http://" + address + "/explain?name=a%20b")
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != http.StatusBadRequest {
		t.Errorf("a bad name over HTTP: %s, want 400", response.Status)
	}
}
