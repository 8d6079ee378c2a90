//go:build linux

package resolver_test

import (
	"fmt"
	"net"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/mxglue/mxglue/resolver"
)

// What is plain costs one datagram each way, whatever it says, and is cached.
func TestQuickPlain(t *testing.T) {
	says := map[uint16][]string{
		dns.TypeA:    {"$ 300 IN A 192.0.2.1", "$ 200 IN A 192.0.2.2"},
		dns.TypeAAAA: {"$ 300 IN AAAA 2001:db8::1"},
		dns.TypeMX:   {"$ 300 IN MX 10 mx.$", "authority:", "$ 300 IN NS ns.$"}, // which takes unpacking
		dns.TypeTLSA: {"authority:", "example. 300 IN SOA ns.example. host.example. 1 2 3 4 300"},
	}
	up := listen(t, func(_ dns.ResponseWriter, q, reply *dns.Msg) *dns.Msg {
		return tells(reply, says[q.Question[0].Qtype]...)
	})
	r, c := behind(t, resolver.Options{}, up.Upstream)
	asked := 0
	for i := range 20 {
		for qtype, lines := range says {
			name := fmt.Sprintf("n%d.example.", i)
			reply, want := resolve(t, r, name, qtype, true), tells(new(dns.Msg).SetQuestion(name, qtype), lines...)
			if text(reply.Answer) != text(want.Answer) || text(reply.Ns) != text(want.Ns) || reply.Rcode != dns.RcodeSuccess {
				t.Fatalf("got\n%v\nwant\n%v", reply, want)
			}
			if asked++; c.Stats().Entries != asked {
				t.Fatalf("%d entries of %d", c.Stats().Entries, asked)
			}
		}
	}
	up.check(t, asked, 0)
	if st := up.Stats(); st.Queries != uint64(asked) || st.Failures != 0 || st.Mismatched != 0 || st.LastError != "" || st.RTTms <= 0 {
		t.Errorf("%+v", st)
	}
}

// ANY is nothing to amplify with: nobody is asked, whatever the name.
func TestQuickLeavesANY(t *testing.T) {
	up := listen(t, withAddress)
	r, _ := behind(t, resolver.Options{}, up.Upstream)
	for _, name := range []string{"a.example.", "."} {
		m := resolve(t, r, name, dns.TypeANY, true)
		if want := name + " 3600 IN HINFO \"RFC8482\" \"\""; text(m.Answer) != want {
			t.Errorf("got\n%v\nwant %s", m, want)
		}
	}
	up.check(t, 0, 0)
}

// What is more than plain is asked on as ever, and no question is put twice that need not be.
func TestQuickGoesOn(t *testing.T) {
	cookie := func(w dns.ResponseWriter, q, reply *dns.Msg) *dns.Msg { // of a server that insists
		sent := q.IsEdns0().Option[0].(*dns.EDNS0_COOKIE)
		reply.SetEdns0(1232, true)
		reply.IsEdns0().Option = []dns.EDNS0{&dns.EDNS0_COOKIE{Code: dns.EDNS0COOKIE, Cookie: sent.Cookie[:16] + "0123456789abcdef"}}
		if len(sent.Cookie) == 16 {
			reply.Rcode = dns.RcodeBadCookie
			return reply
		}
		return tells(reply, address)
	}
	for name, c := range map[string]struct {
		say               func(w dns.ResponseWriter, q, reply *dns.Msg) *dns.Msg
		first, more, tcps int // queries over UDP for the first name and for another one, over TCP for both
	}{
		"BADCOOKIE, then plain": {cookie, 2, 1, 0},
		"TC": {func(w dns.ResponseWriter, _, reply *dns.Msg) *dns.Msg {
			if reply.Truncated = w.LocalAddr().Network() == "udp"; reply.Truncated {
				return reply
			}
			return tells(reply, address)
		}, 1, 1, 2},
		"FORMERR without EDNS": {func(_ dns.ResponseWriter, q, reply *dns.Msg) *dns.Msg {
			if reply.Rcode = dns.RcodeFormatError; q.IsEdns0() != nil {
				return reply
			}
			reply.Rcode = dns.RcodeSuccess
			return tells(reply, address)
		}, 2, 2, 0},
	} {
		t.Run(name, func(t *testing.T) {
			up := listen(t, c.say)
			r, _ := behind(t, resolver.Options{}, up.Upstream)
			for _, name := range []string{"a.example.", "b.example."} {
				if m := resolve(t, r, name, dns.TypeA, true); !isAddressed(m) {
					t.Errorf("got\n%v", m)
				}
			}
			up.check(t, c.first+c.more, c.tcps)
		})
	}
}

// An upstream that cannot, or cannot be understood, or is not there, has the next one asked at once; it is asked once itself.
func TestQuickFailsOver(t *testing.T) {
	for name, say := range map[string]func(w dns.ResponseWriter, q, reply *dns.Msg) *dns.Msg{
		"SERVFAIL": func(_ dns.ResponseWriter, _, reply *dns.Msg) *dns.Msg {
			reply.Rcode = dns.RcodeServerFailure
			return reply
		},
		"an address of three octets": func(w dns.ResponseWriter, _, reply *dns.Msg) *dns.Msg {
			reply.Answer = []dns.RR{&dns.RFC3597{Hdr: dns.RR_Header{Name: reply.Question[0].Name, Rrtype: dns.TypeA, Class: dns.ClassINET, Ttl: 60}, Rdata: "c00002"}}
			return reply
		},
		"nobody there": nil,
	} {
		t.Run(name, func(t *testing.T) {
			second := listen(t, withAddress)
			o := resolver.Options{FirstTry: time.Hour, StaleAfter: time.Hour, Budget: 10 * time.Hour} // nobody waits for that
			if say == nil {
				closed, err := net.ListenPacket("udp4", "127.0.0.1:0")
				if err != nil {
					t.Fatal(err)
				}
				closed.Close()
				r, _ := behind(t, o, at(t, closed.LocalAddr().String()), second.Upstream)
				if m := resolve(t, r, "a.example.", dns.TypeA, true); !isAddressed(m) {
					t.Errorf("got\n%v", m)
				}
				second.check(t, 1, 0)
				return
			}
			first := listen(t, say)
			r, _ := behind(t, o, first.Upstream, second.Upstream)
			if m := resolve(t, r, "a.example.", dns.TypeA, true); !isAddressed(m) {
				t.Errorf("got\n%v", m)
			}
			first.check(t, 1, 0)
			second.check(t, 1, 0)
		})
	}
}

// An answer that takes longer than the quick way waits is waited for all the same, and the question is not put again.
func TestQuickSlow(t *testing.T) {
	const slow = 300 * time.Millisecond // in real time: these are real sockets
	up := listen(t, func(_ dns.ResponseWriter, _, reply *dns.Msg) *dns.Msg {
		<-time.After(slow)
		return tells(reply, address)
	})
	r, _ := behind(t, resolver.Options{}, up.Upstream)
	began := time.Now()
	if m := resolve(t, r, "a.example.", dns.TypeA, true); !isAddressed(m) || time.Since(began) < slow {
		t.Errorf("after %v:\n%v", time.Since(began), m)
	}
	up.check(t, 1, 0)
	if st := up.Stats(); st.Queries != 1 || st.RTTms < float64(slow.Milliseconds()) {
		t.Errorf("%+v", st)
	}
}

// Clients that ask the same at nearly the same time all get the answer, however their questions and the flight's landing
// interleave, and each name is asked for once.
func TestQuickJoined(t *testing.T) {
	const clients, names = 8, 200
	up := listen(t, withAddress)
	r, c := behind(t, resolver.Options{}, up.Upstream)
	var all sync.WaitGroup
	for range clients {
		all.Go(func() {
			for i := range names {
				q := clientQuery(t, uint16(i), fmt.Sprintf("n%d.example.", i), false)
				if out := r.Resolve(t.Context(), nil, q); !isAnswer(out, q) {
					t.Errorf("name %d: got %x", i, out)
				}
			}
		})
	}
	all.Wait()
	up.check(t, names, 0)
	if st := r.Stats(); st.InFlight != 0 || st.ServFail != 0 || c.Stats().Entries != names {
		t.Errorf("%+v, %d entries", st, c.Stats().Entries)
	}
}

// An MX answer is asked for on the quick way like any other, its glue is promoted, and what did not come along is asked for.
func TestQuickMX(t *testing.T) {
	up := listen(t, func(_ dns.ResponseWriter, q, reply *dns.Msg) *dns.Msg {
		if q.Question[0].Qtype == dns.TypeMX {
			return tells(reply, "$ 300 IN MX 1 mx1.$", "$ 300 IN MX 2 mx2.$", "additional:", "mx1.$ 300 IN A 192.0.2.1")
		}
		if q.Question[0].Qtype == dns.TypeAAAA {
			return tells(reply, "authority:", "example. 300 IN SOA ns.example. host.example. 1 2 3 4 300")
		}
		return tells(reply, address)
	})
	r, c := behind(t, resolver.Options{Bundle: true}, up.Upstream)
	if m := resolve(t, r, "a.example.", dns.TypeMX, false); len(m.Answer) != 2 || len(m.Extra) != 2 { // with OPT
		t.Errorf("got\n%v", m)
	}
	for end := time.Now().Add(patience); c.Stats().Entries < 5; runtime.Gosched() { // MX, glue, and three that are asked for
		if time.Now().After(end) {
			t.Fatalf("%+v, %+v", r.Stats(), c.Stats())
		}
	}
	up.check(t, 4, 0)
	if st := r.Stats(); st.Bundles != 1 || st.BundleQueries != 3 || c.Stats().GlueStored != 1 {
		t.Errorf("%+v, %+v", st, c.Stats())
	}
}

// AD is passed on if the upstream can be believed, and else it is not, whatever the client asks with.
func TestQuickAD(t *testing.T) {
	up := listen(t, func(_ dns.ResponseWriter, _, reply *dns.Msg) *dns.Msg {
		reply.AuthenticatedData = true
		return tells(reply, address)
	})
	_, port, _ := net.SplitHostPort(strings.TrimPrefix(up.String(), "udp://"))
	for _, c := range []struct {
		address string
		trust   bool
		want    bool
	}{
		{"127.0.0.1", false, true},
		{"0.0.0.0", false, false}, // Linux takes it for loopback, nobody else does; the quick way alone believes what comes back from there
		{"0.0.0.0", true, true},
	} {
		u := at(t, net.JoinHostPort(c.address, port))
		r, known := behind(t, resolver.Options{TrustAD: c.trust}, u)
		if m := resolve(t, r, "a.example.", dns.TypeA, true); !isAddressed(m) || m.AuthenticatedData != c.want {
			t.Errorf("%+v: got\n%v", c, m)
		}
		if e := known.Peek(clientQuery(t, 1, "a.example.", false), time.Now()); e == nil || e.AD() != c.want {
			t.Errorf("%+v: cached %v", c, e)
		}
		if !u.Stats().Validates { // believed or not: this is what it says of itself
			t.Errorf("%+v: it is not noted that the upstream validates", c)
		}
	}
}
