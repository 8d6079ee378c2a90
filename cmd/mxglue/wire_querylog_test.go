package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/miekg/dns"

	"github.com/mxglue/mxglue/cache"
	"github.com/mxglue/mxglue/cache/wire"
	"github.com/mxglue/mxglue/cmd/mxglue/querylog"
	"github.com/mxglue/mxglue/resolver"
	"github.com/mxglue/mxglue/resolver/server"
	"github.com/mxglue/mxglue/resolver/upstream"
)

// logged is a server with a query log, without its sockets, whose upstream says what zone has, and fails below broken.
type logged struct {
	server.Server
	log    *querylog.Log
	broken string
}

const loggedZone = `
a.example. 3600 MX 10 mx.a.example.
b.example. 3600 MX 10 mx.b.example.
mx.a.example. 300 A 192.0.2.1
mx.b.example. 300 A 192.0.2.2
short.example. 1 A 192.0.2.3
`

func newLogged(t *testing.T, o querylog.Options) *logged {
	t.Helper()
	quiet := slog.New(slog.DiscardHandler)
	u, err := upstream.New("udp://127.0.0.1:5399")
	if err != nil {
		t.Fatal(err)
	}
	l := &logged{broken: "broken.example."}
	answers := cache.New(cache.Options{Log: quiet}, time.Now())
	questions := resolver.New(resolver.Options{Bundle: true, Log: quiet}, answers, []*upstream.Upstream{u})
	questions.Ask = func(_ context.Context, _ *upstream.Upstream, q dns.Question, _ bool) (*upstream.Response, error) {
		if q.Name == l.broken {
			return nil, errors.New("no answer")
		}
		m := new(dns.Msg).SetQuestion(q.Name, q.Qtype)
		m.Response, m.RecursionAvailable = true, true
		zone := dns.NewZoneParser(strings.NewReader(loggedZone), "", "")
		for rr, ok := zone.Next(); ok; rr, ok = zone.Next() {
			switch h := rr.Header(); {
			case h.Name == q.Name && h.Rrtype == q.Qtype:
				m.Answer = append(m.Answer, rr)
			case h.Name == "mx.a.example." && q.Name == "a.example.":
				m.Extra = append(m.Extra, rr)
			}
		}
		return &upstream.Response{Msg: m, Size: m.Len()}, nil
	}
	o.Log = quiet
	if l.log, err = querylog.Open(o); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.log.Close(); questions.Close() })
	withQueryLog(&l.Server, answers, questions, l.log)
	return l
}

// parsed is a query as it comes off a socket.
func parsed(t *testing.T, name string, qtype uint16, rd, tcp bool) *wire.Query {
	t.Helper()
	m := new(dns.Msg).SetQuestion(name, qtype)
	m.RecursionDesired = rd
	packed, err := m.Pack()
	if err != nil {
		t.Fatal(err)
	}
	q := &wire.Query{Client: netip.MustParseAddr("127.0.0.1")}
	if v := q.Parse(packed, tcp); v != wire.Accept {
		t.Fatalf("%s: verdict %v", name, v)
	}
	return q
}

// ask does what the sockets do with a query, two octets of something else before the reply.
func (l *logged) ask(t *testing.T, name string, qtype uint16, rd bool) *dns.Msg {
	t.Helper()
	q := parsed(t, name, qtype, rd, true)
	out := l.Answer(make([]byte, 2, 512), q, time.Now())
	if out == nil {
		out = l.Resolve(t.Context(), make([]byte, 2, 512), q)
	}
	m := new(dns.Msg)
	if err := m.Unpack(out[2:]); err != nil {
		t.Fatal(err)
	}
	return m
}

func TestQueryLogTellsSources(t *testing.T) {
	file := filepath.Join(t.TempDir(), "queries.json")
	synctest.Test(t, func(t *testing.T) {
		l := newLogged(t, querylog.Options{Output: file})
		l.ask(t, "a.example.", dns.TypeMX, true)
		l.ask(t, "A.example.", dns.TypeMX, true)
		l.ask(t, "mx.a.example.", dns.TypeA, true)
		l.ask(t, "b.example.", dns.TypeMX, true)
		time.Sleep(time.Second)
		l.ask(t, "mx.b.example.", dns.TypeA, true)
		l.ask(t, "broken.example.", dns.TypeA, true)
		l.ask(t, "broken.example.", dns.TypeA, true)
		l.ask(t, "c.example.", dns.TypeA, false)
		l.ask(t, "short.example.", dns.TypeA, true)
		time.Sleep(10 * time.Second)
		l.broken = "short.example."
		l.ask(t, "short.example.", dns.TypeA, true)
		reply := l.ask(t, "short.example.", dns.TypeA, true)
		if len(reply.Answer) != 1 {
			t.Errorf("the reply that was logged is %v", reply)
		}
	})
	want := []string{"a.example. MX NOERROR upstream", "a.example. MX NOERROR cache", "mx.a.example. A NOERROR glue",
		"b.example. MX NOERROR upstream", "mx.b.example. A NOERROR bundle", "broken.example. A SERVFAIL failure",
		"broken.example. A SERVFAIL failure", "c.example. A REFUSED refused", "short.example. A NOERROR upstream",
		"short.example. A NOERROR stale", "short.example. A NOERROR stale"}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for line := range strings.Lines(string(text)) {
		var q struct {
			Client, Name, Type, Rcode, Source, Transport string
			Size                                         int
		}
		if err := json.Unmarshal([]byte(line), &q); err != nil {
			t.Errorf("%s: %v", line, err)
		}
		got = append(got, fmt.Sprint(q.Name, " ", q.Type, " ", q.Rcode, " ", q.Source))
		if q.Client != "127.0.0.1" || q.Transport != "tcp" || q.Size < wire.HeaderLen+len(q.Name)+5 {
			t.Errorf("%s: want the client 127.0.0.1, tcp, and the size of the reply", line)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("logged\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// A hit that is logged allocates nothing, and is the reply that it is without a log.
func TestQueryLogAllocates(t *testing.T) {
	for _, format := range []querylog.Format{querylog.JSON, querylog.Dnstap} {
		l := newLogged(t, querylog.Options{Output: "unix:/nonexistent/socket", Format: format})
		want := l.ask(t, "mx.b.example.", dns.TypeA, true)
		q, dst := parsed(t, "mx.b.example.", dns.TypeA, true, false), make([]byte, 0, 512)
		if got := l.Answer(dst, q, time.Now()); got == nil || len(want.Answer) != 1 {
			t.Fatalf("no hit, but %v and %v", want, got)
		}
		now := time.Now()
		if n := testing.AllocsPerRun(2000, func() { l.Answer(dst, q, now) }); n != 0 {
			t.Errorf("%s: %v allocations", format, n)
		}
	}
}

func TestQueryLogSettings(t *testing.T) {
	c, err := load(t, "querylog: {output: 'unix:/run/tap.sock', format: dnstap, sample: 0.25}")
	if err != nil {
		t.Fatal(err)
	}
	if want := (QueryLog{"unix:/run/tap.sock", "dnstap", 0.25}); c.QueryLog != want {
		t.Errorf("read %+v, want %+v", c.QueryLog, want)
	}
	long := "unix:/" + strings.Repeat("x", 107)
	for text, want := range map[string]string{
		"output: unix:tap.sock": `output: "unix:tap.sock" is not a file name without control characters, or unix: and the absolute path of a socket, 107 octets at most`,
		"output: " + long:       `is not a file name`,
		`output: "a\nb"`:        `output: "a\nb" is not a file name`,
		"format: text":          `format: "text" is not one of json, dnstap`,
		"sample: 0":             `sample: "0" is not a share above 0 and up to 1, such as 0.1`,
		"sample: 10%":           `sample: "10%" is not a share`,
		"sample: .nan":          `sample: "NaN" is not a share`,
		"sample: 1.5":           `sample: "1.5" is not a share`,
	} {
		_, err := load(t, "querylog: {"+text+"}")
		if err == nil || !strings.Contains(err.Error(), "querylog.") || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %s", text, err, want)
		}
	}
	c.QueryLog.Output = t.TempDir() + "/none/queries.json"
	if _, err := newQueryLog(c, slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), "querylog.output: query log "+c.QueryLog.Output+": no such file") {
		t.Errorf("error %v, want one that names the key and the file", err)
	}
	c.QueryLog.Output = ""
	if l, err := newQueryLog(c, slog.Default()); l != nil || err != nil {
		t.Errorf("a query log that nobody wants: %v, %v", l, err)
	}
}
