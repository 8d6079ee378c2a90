//go:build linux

package upstream

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// askQuick asks the question on the quick way, and goes on as an Exchange if that is not enough.
func askQuick(t *testing.T, u *Upstream) (r *Response, plain bool, err error) {
	t.Helper()
	a := u.Ask([]byte(mxOfExample), false, time.Now(), patience)
	if a == nil {
		return nil, false, errors.New("not asked")
	}
	if plain = a.Plain() != nil; !plain {
		r, err = a.Resume(soon(t))
		return r, false, err
	}
	r, err = a.Unpack()
	a.Done(time.Now())
	return r, true, err
}

// The longest name there can be is asked for as any other.
func TestAskLongestName(t *testing.T) {
	name := strings.Repeat(strings.Repeat("a", 63)+".", 3) + strings.Repeat("b", 61) + "."
	packed := make([]byte, 255)
	if n, err := dns.PackDomainName(name, packed, 0, nil, false); err != nil || n != len(packed) {
		t.Fatal(n, err)
	}
	asked := make(chan string, 1)
	u := open(t, "udp", play(t, "127.0.0.1", func(q query) { asked <- q.Question[0].Name; q.say(q.reply()) }, nil))
	u.Case0x20 = true
	a := u.Ask(append(packed, 0, byte(dns.TypeA), 0, dns.ClassINET), false, time.Now(), patience)
	if a == nil || a.Plain() == nil {
		t.Fatalf("no plain answer: %v", a)
	}
	a.Done(time.Now())
	if got := <-asked; !strings.EqualFold(got, name) {
		t.Errorf("asked for %s", got)
	}
}

// A question that comes to its turn when its time is over already has not been put, and nobody waits for the answer.
func TestAskTooLate(t *testing.T) {
	u := open(t, "udp", play(t, "127.0.0.1", answerRight, nil))
	for range 2 { // with a socket of its own, and with one that was used before
		if a := u.Ask([]byte(mxOfExample), false, time.Now().Add(-time.Hour), patience); a != nil {
			t.Error("it is waited for")
		}
		if _, plain, err := askQuick(t, u); !plain {
			t.Errorf("no plain answer: %v", err)
		}
	}
}

// The query of the quick way is an Exchange's, but for what nobody can foretell.
func TestAskQuery(t *testing.T) {
	for _, host := range []string{"127.0.0.1", "::1"} {
		for _, cd := range []bool{false, true} {
			queries := make(chan query, 2)
			u := open(t, "udp", play(t, host, func(q query) { queries <- q; answerRight(q) }, nil))
			a := u.Ask([]byte(mxOfExample), cd, time.Now(), patience)
			if a == nil || a.Plain() == nil {
				t.Fatalf("%s: no plain answer: %v", host, a)
			}
			quick, err := a.Unpack()
			checkAnswer(t, quick, err, true, right)
			a.Done(time.Now())
			r, err := u.Exchange(soon(t), question, cd)
			checkAnswer(t, r, err, true, right)
			got, want := <-queries, <-queries
			if len(cookieOf(got.Msg)) != clientCookieLen || got.Id == want.Id || cookieOf(got.Msg) == cookieOf(want.Msg) { // fails once in 65536 runs
				t.Errorf("ID %d and %d, cookie %q", got.Id, want.Id, cookieOf(got.Msg))
			}
			copy(got.packed, want.packed[:2])
			n := len(got.packed) - clientCookieLen/2
			if !bytes.Equal(got.packed[:n], want.packed[:n]) {
				t.Errorf("%s: asks\n%v\nan Exchange\n%v", host, got.Msg, want.Msg)
			}
			if st := u.Stats(); st.Queries != 2 || st.Failures != 0 || st.Mismatched != 0 || st.RTTms <= 0 || quick.Size != r.Size {
				t.Errorf("%s: %+v, size %d and %d", host, st, quick.Size, r.Size)
			}
		}
	}
}

// Lies are thrown away, two of them, and the third sends the question over TCP; in every spelling.
func TestAskLies(t *testing.T) {
	for name, lie := range lies {
		for _, mixed := range []bool{false, true} {
			for number := 1; number <= maxMismatched; number++ {
				u := open(t, "udp", play(t, "127.0.0.1", func(q query) {
					for range number {
						q.send(lie(q))
					}
					answerRight(q)
				}, answerRight))
				u.Case0x20 = mixed
				overUDP := number < maxMismatched
				questions := uint64(1 + b2i(overUDP)) // one after the other: the lies about one are not held against the next
				for range questions {
					r, _, err := askQuick(t, u)
					checkAnswer(t, r, err, overUDP, right)
				}
				if st := u.Stats(); st.Mismatched != questions*uint64(number) || st.TCP != questions*uint64(b2i(!overUDP)) || st.Queries != questions+st.TCP || st.Failures != 0 {
					t.Errorf("%s, %d times, mixed case %v: %+v", name, number, mixed, st)
				}
			}
		}
	}
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// A question goes out in random case and comes back in lower case; in any other spelling it is a mismatch, and TCP tells.
func TestAskCase0x20(t *testing.T) {
	spellings := map[string]bool{}
	names := make(chan string, 1)
	u := open0x20(t, func(q query) {
		names <- q.Question[0].Name
		m := q.reply(q.Question[0].Name + " 300 IN MX 10 mail." + q.Question[0].Name)
		m.Compress = true
		q.say(m)
	}, nil)
	for range 30 {
		r, plain, err := askQuick(t, u)
		if checkAnswer(t, r, err, true, right); !plain || r.Msg.Question[0] != question {
			t.Fatalf("plain %v:\n%v", plain, r.Msg)
		}
		spellings[<-names] = true
	}
	if len(spellings) < 20 { // of 1024
		t.Errorf("%d spellings in 30 queries", len(spellings))
	}
	u = open0x20(t, func(q query) {
		m := q.reply(wrong)
		m.Question[0].Name = string(q.Question[0].Name[0]^0x20) + q.Question[0].Name[1:]
		q.say(m)
	}, answerRight)
	r, plain, err := askQuick(t, u)
	if checkAnswer(t, r, err, false, right); plain || u.Stats().Mismatched != 1 || u.Stats().TCP != 1 {
		t.Errorf("plain %v, %+v", plain, u.Stats())
	}
}

// What is more than plain goes on as an Exchange with what has come, and asks nothing twice that need not be.
func TestAskResumes(t *testing.T) {
	change := func(f func(m *dns.Msg)) func(q query) {
		return func(q query) {
			m := q.reply(right)
			f(m)
			q.say(m)
		}
	}
	for name, c := range map[string]struct {
		udp          func(q query)
		queries, tcp uint64
		rcode        int
	}{
		"TC":         {change(func(m *dns.Msg) { m.Truncated, m.Answer = true, nil }), 2, 1, 0},
		"SERVFAIL":   {change(func(m *dns.Msg) { m.Rcode, m.Answer = dns.RcodeServerFailure, nil }), 1, 0, dns.RcodeServerFailure},
		"without RA": {change(func(m *dns.Msg) { m.RecursionAvailable = false }), 1, 0, 0},
		"an extended error": {change(func(m *dns.Msg) {
			m.SetEdns0(1232, true)
			m.IsEdns0().Option = []dns.EDNS0{&dns.EDNS0_EDE{InfoCode: 3}}
		}), 1, 0, 0},
		"FORMERR without EDNS": {func(q query) {
			if m := q.reply(); q.IsEdns0() != nil {
				m.Rcode = dns.RcodeFormatError
				q.say(m)
				return
			}
			answerRight(q)
		}, 2, 0, 0},
	} {
		u := open(t, "udp", play(t, "127.0.0.1", c.udp, answerRight))
		before := sockets(t)
		r, plain, err := askQuick(t, u)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if n := sockets(t); n != before {
			t.Errorf("%s: %d sockets are left", name, n-before)
		}
		if st := u.Stats(); plain || r.Msg.Rcode != c.rcode || len(r.Msg.Answer) != b2i(c.rcode == 0) || st.Queries != c.queries || st.TCP != c.tcp {
			t.Errorf("%s: plain %v, %+v\n%v", name, plain, st, r.Msg)
		}
		if n := len(u.resting.all); n != 0 {
			t.Errorf("%s: the socket of a question that went on is kept", name)
		}
	}
}

// Cookies: the server's is learned on the long way, goes along from then on, and is plain then, until it changes. BADCOOKIE
// is asked again.
func TestAskCookies(t *testing.T) {
	b := bakery{give: []string{serverCookie, serverCookie, serverCookie2, serverCookie2, ""}, bad: 1}
	u := open(t, "udp", play(t, "127.0.0.1", b.overUDP, b.overTCP))
	for i, c := range []struct{ plain, udp bool }{
		{false, true}, // BADCOOKIE, then the answer
		{false, true}, // a new one
		{true, true},
		{false, false}, // none: TCP tells that there is none any more
		{true, true},
	} {
		r, plain, err := askQuick(t, u)
		if checkAnswer(t, r, err, c.udp, right); plain != c.plain {
			t.Errorf("question %d: plain %v", i+1, plain)
		}
	}
	udp, _ := b.came()
	client := udp[0]
	want := []string{client, client + serverCookie, client + serverCookie, client + serverCookie2, client + serverCookie2, udp[5]}
	if !slices.Equal(udp, want) || len(udp[5]) != clientCookieLen || udp[5] == client {
		t.Errorf("cookies sent: %q, want %q", udp, want)
	}
}

// An answer that comes after the quick way has given up is an answer to the same query.
func TestAskLate(t *testing.T) {
	answer := make(chan struct{})
	u := open(t, "udp", play(t, "127.0.0.1", func(q query) {
		<-answer
		answerRight(q)
	}, nil))
	a := u.Ask([]byte(mxOfExample), false, time.Now(), 300*time.Millisecond) // a busy machine is to have sent it by then
	if a == nil || a.Plain() != nil {
		t.Fatalf("asked: %v", a)
	}
	close(answer)
	r, err := a.Resume(soon(t))
	checkAnswer(t, r, err, true, right)
	if st := u.Stats(); st.Queries != 1 || st.TCP != 0 {
		t.Errorf("%+v", st)
	}
}

// Only UDP has a quick way.
func TestAskOnlyUDP(t *testing.T) {
	for _, address := range []string{"tcp://127.0.0.1:53", "tls://127.0.0.1", "https://127.0.0.1/dns-query", "udp://[fe80::1%lo]:53"} {
		u, err := New(address)
		if err != nil {
			t.Fatal(err)
		}
		if a := u.Ask([]byte(mxOfExample), false, time.Now(), patience); a != nil {
			t.Errorf("%s is asked", address)
		}
	}
}
