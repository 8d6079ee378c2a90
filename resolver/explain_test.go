package resolver_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mxglue/mxglue/cache"
	"github.com/mxglue/mxglue/resolver"
	"github.com/mxglue/mxglue/resolver/upstream"
)

// A domain with many exchangers is told of in eight, the best preference first, each once.
func TestExplainIsBounded(t *testing.T) {
	var lines, want []string
	for i := range 10 {
		name := fmt.Sprintf("mx%d.example.", i)
		lines = append(lines, fmt.Sprintf("a.example. 60 IN MX %d %s", 10-i, name), fmt.Sprintf("a.example. 60 IN MX 99 %s", strings.ToUpper(name)))
		want = append([]string{fmt.Sprintf("%d %s", 10-i, name)}, want...)
	}
	records, err := resolver.ParseRecords(lines)
	if err != nil {
		t.Fatal(err)
	}
	u, err := upstream.New("udp://127.0.0.1:53")
	if err != nil {
		t.Fatal(err)
	}
	r := resolver.New(resolver.Options{Records: records}, cache.New(cache.Options{}, time.Now()), []*upstream.Upstream{u})
	defer r.Close()
	e := r.Explain(t.Context(), "a.example", false)
	var got []string
	for _, host := range e.Exchangers {
		got = append(got, fmt.Sprintf("%d %s", host.Preference, host.Name))
	}
	if !slices.Equal(got, want[:8]) || e.More != 2 {
		t.Errorf("exchangers %q and %d more, want %q and 2", got, e.More, want[:8])
	}
}

// checkExplained compares what Explain tells with the lines of an EXPLAIN: of each question
//
//	name type state [ad] [source] [for=client] [by=bundle] [rcode]: data
//	name type claimed by=owner [rival=owner] [refused=guard]
//
// and then of each route
//
//	zone: upstream, upstream (down)
func (w *world) checkExplained(t *testing.T, s step) {
	t.Helper()
	w.mu.Lock()
	before := len(w.asked)
	w.mu.Unlock()
	e := w.resolver.Explain(t.Context(), s.args[0], s.has("ask"))
	synctest.Wait()
	w.mu.Lock()
	asked := w.asked[before:]
	w.mu.Unlock()
	if len(asked) > 0 && !s.has("ask") {
		t.Errorf("%s: upstream was asked %q", s.at, asked)
	}
	if got, want := explained(e), strings.Join(s.body, "\n"); got != want {
		t.Errorf("%s: explained\n%s\nwant\n%s", s.at, got, want)
	}
}

// explained writes an Explanation down.
func explained(e resolver.Explanation) string {
	if !e.Known {
		return "nothing"
	}
	lines := remembered(e.MX)
	for _, host := range e.Exchangers {
		head := fmt.Sprintf("%d", host.Preference)
		if host.Implicit {
			head = "implicit"
		}
		lines = append(lines, head+" "+host.Name)
		for _, m := range []resolver.Memory{host.A, host.AAAA, host.TLSA} {
			lines = append(lines, remembered(m)...)
		}
	}
	if e.More > 0 {
		lines = append(lines, fmt.Sprintf("and %d more", e.More))
	}
	for _, rt := range e.Routes {
		var all []string
		for _, u := range rt.Upstreams {
			if u.Down {
				u.Address += " (down)"
			}
			all = append(all, u.Address)
		}
		lines = append(lines, rt.Zone+": "+strings.Join(all, ", "))
	}
	return strings.Join(lines, "\n")
}

func remembered(m resolver.Memory) (lines []string) {
	k := m.Best()
	words := []string{m.Name, m.Type, string(m.State)}
	if k.AD {
		words = append(words, "ad")
	}
	words = append(words, m.Source)
	if k.Client.IsValid() {
		words = append(words, "for="+k.Client.String())
	}
	if k.By != "" && k.By != "client" {
		words = append(words, "by="+k.By)
	}
	if m.Rcode != "" && m.Rcode != "NOERROR" {
		words = append(words, m.Rcode)
	}
	line := strings.Join(strings.Fields(strings.Join(words, " ")), " ")
	if len(m.Data) > 0 {
		line += ": " + strings.Join(m.Data, ", ")
	}
	lines = append(lines, line)
	if c := m.Claim; c != nil {
		line := fmt.Sprintf("%s %s claimed by=%s", m.Name, m.Type, c.Owner)
		if c.Rival != "" {
			line += " rival=" + c.Rival
		}
		if c.Refused != "" {
			line += " refused=" + c.Refused
		}
		lines = append(lines, line)
	}
	return lines
}
