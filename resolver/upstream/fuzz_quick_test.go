package upstream

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/mxglue/mxglue/cache/wire"
)

// mxOfExample is the packed question.
const mxOfExample = "\x07example\x03net\x00\x00\x0f\x00\x01"

// asked is a question on the quick way to an upstream that may have given us its cookie, in a spelling and with an ID and
// a client cookie that do not change from run to run.
func asked(t testing.TB, cookie, mixed bool) *Asked {
	t.Helper()
	u, err := New("udp://192.0.2.1:53")
	if err != nil {
		t.Fatal(err)
	}
	const client = "0123456789abcdef"
	if u.Case0x20 = mixed; cookie {
		u.cookies.client, u.cookies.server, u.cookies.drawn = client, serverCookie, time.Now()
	}
	a := &Asked{upstream: u, began: time.Now()}
	a.write([]byte(mxOfExample), false)
	copy(a.query, "\x12\x34")
	if mixed {
		copy(a.query[wire.HeaderLen:], "\x07ExaMPle\x03neT\x00")
	}
	hex.Decode(a.cookie(), []byte(client))
	return a
}

// FuzzPlainResponse lets any response in on the quick way. What is called plain would be taken on the long way, too, and
// for the same; or both find it malformed once they look at its records.
func FuzzPlainResponse(f *testing.F) {
	for how := range byte(4) {
		a := asked(f, how&1 != 0, how&2 != 0)
		query := new(dns.Msg)
		if err := query.Unpack(a.query); err != nil {
			f.Fatal(err)
		}
		q := answering(query)
		for _, m := range plainish(q.Msg, q.reply(right)) {
			f.Add(packed(m), how)
		}
		for _, lie := range lies {
			f.Add(lie(q), how)
		}
		p := packed(withCookie(q.reply(right), cookieOf(query)))
		f.Add(p[:len(p)-5], how)
		f.Add(append(p, 0), how)
		f.Add(packed(q.reply(right))[:wire.HeaderLen+len(mxOfExample)], how) // it promises a record
	}
	f.Fuzz(func(t *testing.T, response []byte, how byte) {
		a := asked(t, how&1 != 0, how&2 != 0)
		query := new(dns.Msg)
		if err := query.Unpack(a.query); err != nil {
			t.Fatal(err)
		}
		same := bytes.Clone(response)
		before := fmt.Sprint(a.upstream.cookies.client, a.upstream.cookies.server)
		const end = wire.HeaderLen + 13 // of the name
		if len(response) < wire.HeaderLen || wire.ID(response) != wire.ID(a.query) {
			return
		}
		if a.got = response; !a.isPlain() { // the rest is as Ask does it
			return
		}
		wire.Fold(a.got[wire.HeaderLen:end])
		wire.Fold(a.query[wire.HeaderLen:end])
		got, err := a.Unpack()
		want, wrong := a.upstream.accept(query, same, a.upstream.peer)
		if (err == nil) != (wrong == nil) {
			t.Fatalf("the quick way says %v, the long way %v, of %x", err, wrong, same)
		}
		if err != nil {
			return
		}
		if got.Msg.String() != want.Msg.String() || got.Size != want.Size || got.UDP != want.UDP {
			t.Errorf("the quick way takes %x for\n%v\nthe long way for\n%v", same, got.Msg, want.Msg)
		}
		if err := query.Unpack(a.query); err != nil {
			t.Fatal(err)
		}
		if again, err := a.upstream.accept(query, bytes.Clone(a.got), a.upstream.peer); err != nil || again.Msg.String() != want.Msg.String() {
			t.Errorf("resumed, %x is %v, error %v", same, again, err)
		}
		if !Usable(got.Msg) || got.Msg.Truncated || badCookie(got) {
			t.Errorf("plain, it says:\n%v", got.Msg)
		}
		if after := fmt.Sprint(a.upstream.cookies.client, a.upstream.cookies.server); after != before {
			t.Errorf("of %x the long way learns the cookies %s, which the quick way leaves at %s", same, after, before)
		}
	})
}

// answering is a query as a server has it.
func answering(m *dns.Msg) query { return query{Msg: m, packed: packed(m)} }

// plainish are the responses to a query that are plain, or nearly.
func plainish(q, right *dns.Msg) (all []*dns.Msg) {
	add := func(change func(m *dns.Msg)) {
		m := right.Copy()
		change(m)
		all = append(all, m)
	}
	own := cookieOf(q)
	add(func(m *dns.Msg) {})
	add(func(m *dns.Msg) { m.SetEdns0(1232, true) })
	for _, cookie := range []string{own, own[:clientCookieLen], own[:clientCookieLen] + serverCookie, own[:clientCookieLen] + serverCookie2, "00" + own[2:]} {
		add(func(m *dns.Msg) { withCookie(m, cookie) })
	}
	add(func(m *dns.Msg) { withCookie(withCookie(m, own), own) })
	add(func(m *dns.Msg) { m.SetEdns0(1232, true); m.IsEdns0().SetVersion(1) })
	add(func(m *dns.Msg) { m.SetEdns0(1232, true); m.Extra = append(m.Extra, m.Extra[0]) })
	add(func(m *dns.Msg) { m.SetEdns0(1232, true); m.Extra[0].Header().Name = "a." })
	add(func(m *dns.Msg) { m.SetEdns0(1232, true); m.Answer, m.Extra = append(m.Answer, m.Extra...), nil })
	add(func(m *dns.Msg) { withCookie(m, own); m.Answer, m.Extra = append(m.Answer, m.Extra...), nil })
	add(func(m *dns.Msg) { withCookie(m, own); m.Rcode = dns.RcodeBadCookie })
	add(func(m *dns.Msg) { withCookie(m, own); m.Rcode = dns.RcodeBadVers })
	add(func(m *dns.Msg) { m.SetEdns0(1232, true); m.Rcode = dns.RcodeBadVers })
	add(func(m *dns.Msg) {
		m.SetEdns0(1232, true)
		m.IsEdns0().Option = []dns.EDNS0{&dns.EDNS0_EDE{InfoCode: 3}}
	})
	for _, rcode := range []int{dns.RcodeFormatError, dns.RcodeServerFailure, dns.RcodeNameError, dns.RcodeRefused} {
		add(func(m *dns.Msg) { m.Rcode, m.Answer = rcode, nil })
	}
	add(func(m *dns.Msg) { m.Truncated = true })
	add(func(m *dns.Msg) { m.RecursionAvailable = false })
	add(func(m *dns.Msg) { m.AuthenticatedData, m.Authoritative, m.Compress = true, true, true })
	add(func(m *dns.Msg) { m.SetTsig("key.", dns.HmacSHA256, 300, 0) })
	return all
}
