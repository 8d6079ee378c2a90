package resolver_test

import (
	"context"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/miekg/dns"

	"github.com/mxglue/mxglue/resolver"
	"github.com/mxglue/mxglue/resolver/upstream"
)

// What the cache says and what is so now: ExchangeFresh asks again, and leaves the cache as it is.
func TestExchangeFresh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		address, asked := byte(1), 0
		r, _ := twoUpstreams(t, resolver.Options{}, func(_ context.Context, _ *upstream.Upstream, q dns.Question, _ bool) (*upstream.Response, error) {
			asked++
			resp := addressFor(q, 600, true)
			resp.Msg.Answer[0].(*dns.A).A = []byte{192, 0, 2, address}
			sig, _ := dns.NewRR(q.Name + " 600 IN RRSIG A 13 2 600 20300101000000 20200101000000 1 a.example. AAAA")
			resp.Msg.Answer = append(resp.Msg.Answer, sig)
			return resp, nil
		})
		m := new(dns.Msg).SetQuestion("a.example.", dns.TypeA)
		says := func(how string, exchange func(context.Context, *dns.Msg) (*dns.Msg, string, error), want, wantSource string) *dns.Msg {
			t.Helper()
			reply, source, err := exchange(t.Context(), m)
			if err != nil || len(reply.Answer) == 0 || reply.Answer[0].(*dns.A).A.String() != want || source != wantSource || reply.Id != m.Id {
				t.Fatalf("%s: %v from %q, error %v; want %s from %s", how, reply, source, err, want, wantSource)
			}
			return reply
		}
		says("the first", r.Exchange, "192.0.2.1", "upstream")
		address = 2
		plain := says("past the cache", r.ExchangeFresh, "192.0.2.2", "upstream")
		if len(plain.Answer) != 1 || plain.AuthenticatedData {
			t.Errorf("signatures or AD for one who asked for neither: %v", plain)
		}
		says("the cache after it", r.Exchange, "192.0.2.1", "cache")

		m.AuthenticatedData = true
		if reply := says("with AD", r.ExchangeFresh, "192.0.2.2", "upstream"); !reply.AuthenticatedData || len(reply.Answer) != 1 {
			t.Errorf("want AD, and no signatures: %v", reply)
		}
		m.SetEdns0(4096, true)
		if reply := says("with DO", r.ExchangeFresh, "192.0.2.2", "upstream"); !reply.AuthenticatedData || len(reply.Answer) != 2 {
			t.Errorf("want AD and the signature: %v", reply)
		}
		if asked != 4 {
			t.Errorf("upstream was asked %d times, want 4", asked)
		}
	})
}

// Over a way that can be tampered with AD does not pass here either, and configured names are not asked for.
func TestExchangeFreshTrustsAsTheCacheDoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		records, err := resolver.ParseRecords([]string{"own.example. 60 IN A 192.0.2.7"})
		if err != nil {
			t.Fatal(err)
		}
		a := &asks{}
		r := newResolver(t, resolver.Options{Records: records}, a)
		r.Ask = func(_ context.Context, _ *upstream.Upstream, q dns.Question, _ bool) (*upstream.Response, error) {
			if q.Name == "own.example." {
				t.Error("upstream was asked about a configured name")
			}
			return addressFor(q, 60, true), nil
		}
		m := new(dns.Msg).SetQuestion("a.example.", dns.TypeA)
		m.AuthenticatedData = true
		if reply, _, err := r.ExchangeFresh(t.Context(), m); err != nil || reply.AuthenticatedData {
			t.Errorf("%v, error %v; want no AD from an upstream that is neither loopback nor encrypted", reply, err)
		}
		m.SetQuestion("own.example.", dns.TypeA)
		if reply, _, err := r.ExchangeFresh(t.Context(), m); err != nil || len(reply.Answer) != 1 || !strings.HasSuffix(reply.Answer[0].String(), "192.0.2.7") {
			t.Errorf("%v, error %v; want the configured address", reply, err)
		}
	})
}

// Whose fault a failure is, past the cache as well: that of the upstreams, or what one of them said.
func TestExchangeFreshSaysWhyNot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _ := twoUpstreams(t, resolver.Options{}, func(_ context.Context, _ *upstream.Upstream, q dns.Question, _ bool) (*upstream.Response, error) {
			if q.Name == "a.example." {
				return nil, syscall.ECONNREFUSED
			}
			m := &dns.Msg{MsgHdr: dns.MsgHdr{Response: true, Rcode: dns.RcodeServerFailure}, Question: []dns.Question{q}}
			m.SetEdns0(1232, true)
			m.IsEdns0().Option = []dns.EDNS0{&dns.EDNS0_EDE{InfoCode: dns.ExtendedErrorCodeDNSBogus}}
			return &upstream.Response{Msg: m, UDP: true}, nil
		})
		for name, want := range map[string]uint16{"a.example.": dns.ExtendedErrorCodeNetworkError, "bogus.example.": dns.ExtendedErrorCodeDNSBogus} {
			m := new(dns.Msg).SetQuestion(name, dns.TypeA)
			if reply, _, err := r.ExchangeFresh(t.Context(), m); err != nil || len(reply.Extra) != 0 {
				t.Errorf("%s, asked without EDNS: %v, error %v; want no OPT (RFC 6891 §7)", name, reply, err)
			}
			reply, _, err := r.ExchangeFresh(t.Context(), m.SetEdns0(4096, true))
			if err != nil || reply.Rcode != dns.RcodeServerFailure || !reply.IsEdns0().Do() || len(reply.IsEdns0().Option) != 1 {
				t.Fatalf("%s: %v, error %v; want SERVFAIL, DO and one extended error", name, reply, err)
			}
			if ede, is := reply.IsEdns0().Option[0].(*dns.EDNS0_EDE); !is || ede.InfoCode != want {
				t.Errorf("%s: %v; want the extended error %d", name, reply.IsEdns0().Option[0], want)
			}
		}
	})
}

func TestExchangeFreshErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newResolver(t, resolver.Options{}, new(asks)) // which never answers
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		m := new(dns.Msg).SetQuestion("a.example.", dns.TypeA)
		if reply, _, err := r.ExchangeFresh(ctx, m); err != context.DeadlineExceeded || reply != nil {
			t.Errorf("a context that ended: %v, error %v", reply, err)
		}
		if reply, source, err := r.ExchangeFresh(t.Context(), m); err != nil || reply.Rcode != dns.RcodeServerFailure || source != "upstream" {
			t.Errorf("a silent upstream: %v from %q, error %v; want SERVFAIL from upstream", reply, source, err)
		}
		m.Question[0].Qclass = dns.ClassCHAOS
		if reply, _, err := r.ExchangeFresh(t.Context(), m); err == nil {
			t.Errorf("class CH: %v", reply)
		}
		if reply, _, err := r.ExchangeFresh(t.Context(), new(dns.Msg)); err == nil {
			t.Errorf("no question: %v", reply)
		}
		m = new(dns.Msg).SetQuestion(strings.Repeat("a", 64)+".example.", dns.TypeA)
		if reply, _, err := r.ExchangeFresh(t.Context(), m); err == nil {
			t.Errorf("a label of 64 octets: %v", reply)
		}
	})
}
