package upstream

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"syscall"
	"testing"

	"github.com/miekg/dns"
)

func TestUDP(t *testing.T) {
	for _, host := range []string{"127.0.0.1", "::1"} {
		at := play(t, host, answerRight, nil)
		u, r, err := exchange(t, "udp", at)
		checkAnswer(t, r, err, true, right)
		st := u.Stats()
		if st.RTTms <= 0 || u.RTT() <= 0 {
			t.Errorf("%s: no round trip was measured: %+v", host, st)
		}
		st.RTTms, st.Times = 0, Times{}
		if want := (Stats{Address: "udp://" + at.String(), Queries: 1, Trusted: true}); st != want {
			t.Errorf("%s: %+v, want %+v", host, st, want)
		}
	}
}

// lies are responses that do not answer the query.
var lies = map[string]func(q query) []byte{
	"wrong ID": func(q query) []byte { m := q.reply(wrong); m.Id++; return packed(m) },
	"wrong name": func(q query) []byte {
		m := q.reply("other.example. 300 IN MX 10 mail.evil.example.")
		m.Question[0].Name = "other.example."
		return packed(m)
	},
	"wrong type":         func(q query) []byte { m := q.reply(); m.Question[0].Qtype = dns.TypeA; return packed(m) },
	"wrong class":        func(q query) []byte { m := q.reply(); m.Question[0].Qclass = dns.ClassCHAOS; return packed(m) },
	"two questions":      func(q query) []byte { m := q.reply(wrong); m.Question = append(m.Question, question); return packed(m) },
	"no question":        func(q query) []byte { m := q.reply(wrong); m.Question = nil; return packed(m) },
	"no question, empty": func(q query) []byte { m := q.reply(); m.Question = nil; return packed(m) },
	"QR=0":               func(q query) []byte { m := q.reply(wrong); m.Response = false; return packed(m) },
	"the query itself":   func(q query) []byte { return q.packed },
	"wrong opcode":       func(q query) []byte { m := q.reply(wrong); m.Opcode = dns.OpcodeNotify; return packed(m) },
	"nothing":            func(q query) []byte { return nil },
	"an ID and no more":  func(q query) []byte { return q.packed[:2] },
	"eleven octets":      func(q query) []byte { return q.packed[:11] },
	"garbage":            func(q query) []byte { return append([]byte{q.packed[0] ^ 0xff}, "It's not DNS at all, is it?"...) },
}

// Two lies are thrown away and the right answer is waited for.
func TestLies(t *testing.T) {
	for name, lie := range lies {
		t.Run(name, func(t *testing.T) {
			u, r, err := exchange(t, "udp", play(t, "127.0.0.1", func(q query) {
				q.send(lie(q))
				q.send(lie(q))
				answerRight(q)
			}, nil))
			checkAnswer(t, r, err, true, right)
			if st := u.Stats(); st.Mismatched != 2 || st.Queries != 1 || st.TCP != 0 || st.Failures != 0 {
				t.Errorf("stats: %+v", st)
			}
		})
	}
}

// The third lie sends the query over TCP: a right answer over UDP is not believed any more.
func TestThirdLie(t *testing.T) {
	for name, lie := range lies {
		t.Run(name, func(t *testing.T) {
			over := make(chan query, 2)
			u, r, err := exchange(t, "udp", play(t, "127.0.0.1", func(q query) {
				over <- q
				for range 3 {
					q.send(lie(q))
				}
				q.say(q.reply(wrong))
			}, func(q query) { over <- q; answerRight(q) }))
			checkAnswer(t, r, err, false, right)
			if st := u.Stats(); st.Mismatched != 3 || st.Queries != 2 || st.TCP != 1 || st.Failures != 0 {
				t.Errorf("stats: %+v", st)
			}
			if first, second := <-over, <-over; first.Id == second.Id { // fails once in 65536 runs
				t.Errorf("the ID %d is used again over TCP", first.Id)
			}
		})
	}
}

// What another address or port sends is a lie, even if it guessed everything else.
func TestWrongSource(t *testing.T) {
	for name, source := range map[string]func(at netip.AddrPort) netip.AddrPort{
		"another address": func(at netip.AddrPort) netip.AddrPort {
			return netip.AddrPortFrom(netip.MustParseAddr("127.0.0.2"), at.Port())
		},
		"another port": func(at netip.AddrPort) netip.AddrPort { return netip.AddrPortFrom(at.Addr(), 0) },
	} {
		t.Run(name, func(t *testing.T) {
			var at netip.AddrPort
			opened := make(chan struct{})
			at = play(t, "127.0.0.1", func(q query) {
				<-opened
				liar, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(source(at)))
				if err != nil {
					t.Error(err)
					return
				}
				defer liar.Close()
				for range 2 {
					liar.WriteToUDPAddrPort(packed(q.reply(wrong)), q.from)
				}
				answerRight(q)
			}, nil)
			close(opened)
			u, r, err := exchange(t, "udp", at)
			checkAnswer(t, r, err, true, right)
			if st := u.Stats(); st.Mismatched != 2 {
				t.Errorf("%d mismatched, want 2", st.Mismatched)
			}
		})
	}
}

// An answer that comes twice is taken once, and the next query does not see the second.
func TestAnswersTwice(t *testing.T) {
	at := play(t, "127.0.0.1", func(q query) { answerRight(q); answerRight(q) }, nil)
	u, ctx := open(t, "udp", at), soon(t)
	for range 5 {
		r, err := u.Exchange(ctx, question, false)
		checkAnswer(t, r, err, true, right)
	}
	if st := u.Stats(); st.Mismatched != 0 || st.Queries != 5 {
		t.Errorf("stats: %+v", st)
	}
}

// A name comes back in the spelling of the upstream's choice (RFC 4343).
func TestSpelling(t *testing.T) {
	_, r, err := exchange(t, "udp", play(t, "127.0.0.1", func(q query) {
		m := q.reply(right)
		m.Question[0].Name = "eXaMPLE.NeT."
		q.say(m)
	}, nil))
	checkAnswer(t, r, err, true, right)
}

// A port where nobody listens is found out at once, not at the end of the context.
func TestRefused(t *testing.T) {
	for _, host := range []string{"127.0.0.1", "::1"} {
		for _, scheme := range []string{"udp", "tcp"} {
			at := play(t, host, nil, nil)
			u, _, err := exchange(t, scheme, at)
			if !errors.Is(err, syscall.ECONNREFUSED) || !strings.Contains(err.Error(), scheme+"://"+at.String()) {
				t.Errorf("%s %s: got error %v", scheme, host, err)
			}
			if st := u.Stats(); st.Failures != 1 || st.LastError == "" || st.RTTms != 0 {
				t.Errorf("%s %s: %+v", scheme, host, st)
			}
		}
	}
}

// A silent upstream is waited for until the context ends, and not a moment longer. Whether that was too late, the caller
// says.
func TestSilent(t *testing.T) {
	for _, scheme := range []string{"udp", "tcp"} {
		ctx, cancel := context.WithCancel(t.Context())
		at := play(t, "127.0.0.1", func(query) { cancel() }, func(query) { cancel() })
		u := open(t, scheme, at)
		if _, err := u.Exchange(ctx, question, false); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: got error %v", scheme, err)
		}
		if st := u.Stats(); st.Failures != 0 || st.LastError != "" {
			t.Errorf("%s: %+v", scheme, st)
		}
		if _, err := u.Exchange(ctx, question, false); !errors.Is(err, context.Canceled) { // ended before it began
			t.Errorf("%s: got error %v", scheme, err)
		}
		u.Overdue(patience)
		if st := u.Stats(); st.Failures != 1 || st.LastError != "no response within 10s" {
			t.Errorf("%s: %+v", scheme, st)
		}
	}
}
