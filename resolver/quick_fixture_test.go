//go:build linux

package resolver_test

import (
	"context"
	"log/slog"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/mxglue/mxglue/cache"
	"github.com/mxglue/mxglue/cache/wire"
	"github.com/mxglue/mxglue/resolver"
	"github.com/mxglue/mxglue/resolver/upstream"
)

// patience bounds every wait of these tests for something that is to happen at once.
const patience = 10 * time.Second

// loopback is an upstream on real sockets that counts its questions.
type loopback struct {
	*upstream.Upstream
	udp, tcp atomic.Int64
}

// listen opens an upstream on one port of 127.0.0.1, UDP and TCP, until the test ends. say fills in the reply to a question,
// and returns nil for none; it may wait.
func listen(t *testing.T, say func(w dns.ResponseWriter, q, reply *dns.Msg) *dns.Msg) *loopback {
	t.Helper()
	l := new(loopback)
	handler := dns.HandlerFunc(func(w dns.ResponseWriter, q *dns.Msg) {
		if w.LocalAddr().Network() == "udp" {
			l.udp.Add(1)
		} else {
			l.tcp.Add(1)
		}
		reply := new(dns.Msg).SetReply(q)
		reply.RecursionAvailable, reply.Compress = true, true
		if reply = say(w, q, reply); reply != nil {
			w.WriteMsg(reply)
		}
	})
	var pc net.PacketConn
	var tcp net.Listener
	for range 10 { // the port that UDP draws may be taken for TCP
		var err error
		if pc, err = net.ListenPacket("udp4", "127.0.0.1:0"); err != nil {
			t.Fatal(err)
		}
		if tcp, err = net.Listen("tcp4", pc.LocalAddr().String()); err == nil {
			break
		}
		pc.Close()
	}
	for _, server := range []*dns.Server{{PacketConn: pc, Handler: handler}, {Listener: tcp, Handler: handler}} {
		started := make(chan struct{})
		server.NotifyStartedFunc = func() { close(started) }
		go server.ActivateAndServe()
		<-started
		t.Cleanup(func() { server.Shutdown() })
	}
	l.Upstream = at(t, pc.LocalAddr().String())
	return l
}

// check fails the test unless so many questions came over UDP and over TCP.
func (l *loopback) check(t *testing.T, udp, tcp int) {
	t.Helper()
	if l.udp.Load() != int64(udp) || l.tcp.Load() != int64(tcp) {
		t.Errorf("%d questions over UDP, %d over TCP; want %d and %d", l.udp.Load(), l.tcp.Load(), udp, tcp)
	}
}

// at returns the upstream at an address, over UDP.
func at(t testing.TB, address string) *upstream.Upstream {
	t.Helper()
	u, err := upstream.New("udp://" + address)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// behind returns a resolver with a cache in front of upstreams, until the test ends.
func behind(t testing.TB, o resolver.Options, upstreams ...*upstream.Upstream) (*resolver.Resolver, *cache.Cache) {
	o.Log = slog.New(slog.DiscardHandler)
	c := cache.New(cache.Options{Log: o.Log}, time.Now())
	r := resolver.New(o, c, upstreams)
	t.Cleanup(r.Close)
	return r, c
}

// resolve asks for a name, past the cache, and returns the reply.
func resolve(t *testing.T, r *resolver.Resolver, name string, qtype uint16, do bool) *dns.Msg {
	t.Helper()
	m := new(dns.Msg).SetQuestion(name, qtype)
	m.SetEdns0(1232, do)
	packed, err := m.Pack()
	if err != nil {
		t.Fatal(err)
	}
	q := &wire.Query{}
	if v := q.Parse(packed, false); v != wire.Accept {
		t.Fatalf("%s: verdict %d", name, v)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	reply := new(dns.Msg)
	if err := reply.Unpack(r.Resolve(ctx, nil, q)); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return reply
}

// tells makes of a reply what an upstream says of its question: records in zone file form, in which $ is QNAME, those behind
// "authority:" and "additional:" in these sections.
func tells(m *dns.Msg, lines ...string) *dns.Msg {
	text := strings.ReplaceAll(strings.Join(lines, "\n"), "$", m.Question[0].Name)
	if err := sections(m, strings.Split(text, "\n")); err != nil {
		panic(err)
	}
	return m
}

// address is the record that most of these upstreams have.
const address = "$ 300 IN A 192.0.2.1"

func withAddress(_ dns.ResponseWriter, _, reply *dns.Msg) *dns.Msg { return tells(reply, address) }

// isAddressed says whether a reply holds that record.
func isAddressed(m *dns.Msg) bool {
	return m.Rcode == dns.RcodeSuccess && text(m.Answer) == m.Question[0].Name+" 300 IN A 192.0.2.1"
}
