package upstream

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"

	"github.com/miekg/dns"
)

func TestTCP(t *testing.T) {
	for _, host := range []string{"127.0.0.1", "::1"} {
		at := play(t, host, func(query) { t.Error("asked over UDP") }, answerRight)
		u, r, err := exchange(t, "tcp", at)
		checkAnswer(t, r, err, false, right)
		if st := u.Stats(); st.Queries != 1 || st.TCP != 1 || st.Failures != 0 || st.RTTms <= 0 {
			t.Errorf("%s: %+v", host, st)
		}
	}
}

// A truncated response is repeated over TCP, whether it holds records, ends between two, or in the middle of one.
func TestTruncated(t *testing.T) {
	for name, cut := range map[string]func(q query) []byte{
		"empty":       func(q query) []byte { m := q.reply(); m.Truncated = true; return packed(m) },
		"with a part": func(q query) []byte { m := q.reply(wrong); m.Truncated = true; return packed(m) },
		"in a record": func(q query) []byte {
			m := q.reply(wrong)
			m.Truncated = true
			p := packed(m)
			return p[:len(p)-5]
		},
		"no question": func(q query) []byte {
			m := q.reply()
			m.Truncated, m.Question, m.Rcode = true, nil, dns.RcodeServerFailure
			return packed(m)
		},
	} {
		t.Run(name, func(t *testing.T) {
			at := play(t, "127.0.0.1", func(q query) { q.send(cut(q)) }, answerRight)
			u, r, err := exchange(t, "udp", at)
			checkAnswer(t, r, err, false, right)
			if st := u.Stats(); st.Queries != 2 || st.TCP != 1 || st.Mismatched != 0 || st.Failures != 0 {
				t.Errorf("stats: %+v", st)
			}
		})
	}
}

// Where TCP is closed a truncated response is a failure, not half an answer.
func TestTruncatedNoTCP(t *testing.T) {
	u, r, err := exchange(t, "udp", play(t, "127.0.0.1", func(q query) {
		m := q.reply(right)
		m.Truncated = true
		q.say(m)
	}, nil))
	if !errors.Is(err, syscall.ECONNREFUSED) || u.Stats().Failures != 1 {
		t.Errorf("response %v, error %v, %+v", r, err, u.Stats())
	}
}

// TC over TCP says that something is missing which cannot be had: no answer at all is safer than a part of it. A mail
// server that is told of no MX sends the mail elsewhere (RFC 5321 §5.1).
func TestTruncatedOverTCP(t *testing.T) {
	for name, cut := range map[string]int{"whole": 0, "in a record": 5} {
		t.Run(name, func(t *testing.T) {
			u, r, err := exchange(t, "tcp", play(t, "127.0.0.1", nil, func(q query) {
				m := q.reply(right)
				m.Truncated = true
				p := packed(m)
				q.send(p[:len(p)-cut])
			}))
			if err == nil || !strings.Contains(err.Error(), "truncated") || u.Stats().Failures != 1 {
				t.Errorf("response %v, error %v, want a failure that says: truncated", r, err)
			}
		})
	}
}

// TestTCPBroken has the upstream do what it likes with the stream. Each ends at once, with an error that names it.
func TestTCPBroken(t *testing.T) {
	for _, c := range []struct {
		name       string
		play       func(q query)
		is         error
		mismatched uint64
	}{
		{"closed at once", func(q query) { q.conn.Close() }, io.EOF, 0},
		{"half a length", func(q query) { q.conn.Write([]byte{1}); q.conn.Close() }, io.ErrUnexpectedEOF, 0},
		{"half a message", func(q query) {
			p := packed(q.reply(right))
			q.conn.Write(binary.BigEndian.AppendUint16(nil, uint16(len(p))))
			q.conn.Write(p[:len(p)/2])
			q.conn.Close()
		}, io.ErrUnexpectedEOF, 0},
		{"length too large", func(q query) {
			q.conn.Write([]byte{0xff, 0xff})
			q.conn.Write(packed(q.reply(right)))
			q.conn.Close()
		}, io.ErrUnexpectedEOF, 0},
		{"length 0, closed", func(q query) { q.conn.Write([]byte{0, 0}); q.conn.Close() }, io.EOF, 1},
		{"length 0 for ever", func(q query) {
			for {
				if _, err := q.conn.Write([]byte{0, 0}); err != nil {
					return
				}
			}
		}, errMismatch, 3},
		{"lies for ever", func(q query) {
			for m := q.reply(wrong); ; m.Id = q.Id + 1 {
				m.Id++
				if _, err := q.conn.Write(append([]byte{0, byte(len(packed(m)))}, packed(m)...)); err != nil {
					return
				}
			}
		}, errMismatch, 3},
		{"RST", func(q query) { q.conn.(*net.TCPConn).SetLinger(0); q.conn.Close() }, syscall.ECONNRESET, 0},
		{"RST in a message", func(q query) {
			q.conn.Write([]byte{0, 100, 1, 2, 3})
			q.conn.(*net.TCPConn).SetLinger(0)
			q.conn.Close()
		}, nil, 0}, // what was sent may be lost: any of the above
	} {
		t.Run(c.name, func(t *testing.T) {
			at := play(t, "127.0.0.1", nil, c.play)
			u, r, err := exchange(t, "tcp", at)
			if err == nil || (c.is != nil && !errors.Is(err, c.is)) || !strings.Contains(err.Error(), "tcp://"+at.String()) {
				t.Errorf("response %v, error %v; want %v", r, err, c.is)
			}
			if st := u.Stats(); st.Failures != 1 || st.LastError == "" || st.Mismatched != c.mismatched {
				t.Errorf("stats: %+v", st)
			}
		})
	}
}

// Lies over TCP are thrown away too, as long as they are fewer than three in a row.
func TestTCPLies(t *testing.T) {
	for name, lie := range lies {
		if name == "nothing" || name == "an ID and no more" || name == "garbage" {
			continue // as any framing error: TestTCPBroken
		}
		t.Run(name, func(t *testing.T) {
			u, r, err := exchange(t, "tcp", play(t, "127.0.0.1", nil, func(q query) {
				q.send(lie(q))
				q.send(lie(q))
				answerRight(q)
			}))
			checkAnswer(t, r, err, false, right)
			if st := u.Stats(); st.Mismatched != 2 || st.Failures != 0 {
				t.Errorf("stats: %+v", st)
			}
		})
	}
}

// A response that never ends is waited for until the context does.
func TestTCPNeverEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	at := play(t, "127.0.0.1", nil, func(q query) {
		q.conn.Write([]byte{0xff, 0xff})
		for i := 0; ; i++ {
			if _, err := q.conn.Write(q.packed[:1]); err != nil || i > 60000 {
				return
			}
			if i == 100 {
				cancel()
				return
			}
		}
	})
	u := open(t, "tcp", at)
	if _, err := u.Exchange(ctx, question, false); !errors.Is(err, context.Canceled) {
		t.Errorf("got error %v", err)
	}
}

// TestLargest gets a response of 65535 octets, the most there can be, sent in small pieces.
func TestLargest(t *testing.T) {
	var p []byte
	at := play(t, "127.0.0.1", func(q query) {
		m := q.reply()
		m.Truncated = true
		q.say(m)
	}, func(q query) {
		m := q.reply()
		m.Compress = true
		const frame = 12 // owner (a pointer), type, class, TTL, RDLENGTH
		for rest := 65535 - len(packed(m)); rest > 0; {
			take := min(rest, 256+frame)
			if 0 < rest-take && rest-take < frame+1 {
				take -= frame + 1
			}
			m.Answer = append(m.Answer, &dns.TXT{
				Hdr: dns.RR_Header{Name: question.Name, Rrtype: dns.TypeTXT, Class: dns.ClassINET},
				Txt: []string{strings.Repeat("x", take-frame-1)},
			})
			rest -= take
		}
		p = packed(m)
		framed := append(binary.BigEndian.AppendUint16(nil, uint16(len(p))), p...)
		for len(framed) > 0 {
			n, _ := q.conn.Write(framed[:min(1000, len(framed))])
			framed = framed[n:]
		}
	})
	_, r, err := exchange(t, "udp", at)
	if err != nil {
		t.Fatal(err)
	}
	if r.Size != 65535 || r.UDP || len(r.Msg.Answer) < 200 {
		t.Errorf("got %d octets, %d records", r.Size, len(r.Msg.Answer))
	}
}
