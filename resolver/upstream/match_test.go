package upstream

import (
	"encoding/binary"
	"strings"
	"testing"

	"github.com/miekg/dns"
)

// FuzzParse lets any response in: nothing panics, and what is accepted has the query's ID and question.
func FuzzParse(f *testing.F) {
	asked := newQuery(question, false)
	asked.Id = 0x1234
	q := query{Msg: asked, packed: packed(asked)}
	for _, lie := range lies {
		f.Add(lie(q))
	}
	whole := q.reply(right, "example.net. 60 IN RRSIG MX 13 2 60 20300101000000 20260101000000 1 example.net. AAAA")
	whole.SetEdns0(1232, true)
	whole.Compress = true
	p := packed(whole)
	for n := range p {
		f.Add(p[:n])
	}
	cut := append([]byte(nil), p[:len(p)-9]...)
	cut[2] |= 2 // TC
	f.Add(cut)
	f.Add(append(p[:12:12], 0xc0, 12, 0, 15, 0, 1)) // a question that points at itself
	f.Fuzz(func(t *testing.T, packed []byte) {
		m, err := parse(asked, packed)
		if (m == nil) == (err == nil) {
			t.Fatalf("%x\nresponse %v, error %v", packed, m, err)
		}
		if err != nil {
			return
		}
		if m.Id != asked.Id || !m.Response || m.Opcode != dns.OpcodeQuery || len(m.Question) != 1 ||
			m.Question[0].Qtype != dns.TypeMX || m.Question[0].Qclass != dns.ClassINET || strings.ToLower(m.Question[0].Name) != question.Name {
			t.Fatalf("%x\nis taken for the answer to %v:\n%v", packed, asked, m)
		}
		if records := len(m.Answer) + len(m.Ns) + len(m.Extra); !m.Truncated && Usable(m) {
			promised := 0
			for i := 6; i < 12; i += 2 {
				promised += int(binary.BigEndian.Uint16(packed[i:]))
			}
			if records != promised {
				t.Fatalf("%x\nhas %d records, is taken although it promises %d", packed, records, promised)
			}
		}
	})
}

// A response that holds fewer records than it promises is no answer: what it lost might be the best MX, or all of them.
func TestPromises(t *testing.T) {
	for name, spoil := range map[string]func(p []byte) []byte{
		"answer missing":   func(p []byte) []byte { return p[:12+17] },
		"one of two":       func(p []byte) []byte { p[7]++; return p },
		"cut in a record":  func(p []byte) []byte { return p[:len(p)-3] },
		"one in authority": func(p []byte) []byte { p[9]++; return p },
		"1000 additional":  func(p []byte) []byte { p[10], p[11] = 1000>>8, 1000&0xff; return p },
	} {
		t.Run(name, func(t *testing.T) {
			u, r, err := exchange(t, "udp", play(t, "127.0.0.1", func(q query) { q.send(spoil(packed(q.reply(right)))) }, answerRight))
			if err == nil || !strings.Contains(err.Error(), "malformed") || u.Stats().Failures != 1 {
				t.Errorf("response %v, error %v; want one that says: malformed", r, err)
			}
		})
	}
}

// Too many records are refused before they are looked at, wherever they stand; what is cut short is asked for over TCP.
func TestTooManyRecords(t *testing.T) {
	asked := newQuery(question, false)
	for _, x := range []struct {
		flags  uint16
		counts [3]uint16
		want   string // in the error; "" for none
	}{
		{0x8180, [3]uint16{maxRecords}, ""},
		{0x8180, [3]uint16{maxRecords + 1}, "1025 records"},
		{0x8183, [3]uint16{0, maxRecords, 1}, "1025 records"},
		{0x8180, [3]uint16{65535, 65535, 65535}, "196605 records"},
		{0x8380, [3]uint16{maxRecords + 1}, ""},
	} {
		p := binary.BigEndian.AppendUint16(nil, asked.Id)
		for _, n := range append([]uint16{x.flags, 1}, x.counts[:]...) {
			p = binary.BigEndian.AppendUint16(p, n)
		}
		p = append(p, mxOfExample...)
		for range min(int(x.counts[0]), maxRecords+1) {
			p = append(p, "\xc0\x0c\x00\x0f\x00\x01\x00\x00\x00\x3c\x00\x04\x00\x0a\xc0\x0c"...)
		}
		m, err := parse(asked, p)
		if x.want == "" && err != nil || x.want != "" && (err == nil || !strings.Contains(err.Error(), x.want)) {
			t.Errorf("%v: response %v, error %v; want %q", x.counts, m, err, x.want)
		}
	}
}

// Errors may come without the question, and with nothing but a header (RFC 5452 §9.1 takes the address and ID then).
func TestErrorWithoutQuestion(t *testing.T) {
	for rcode, want := range map[int]string{dns.RcodeServerFailure: "SERVFAIL", dns.RcodeRefused: "REFUSED", dns.RcodeNotImplemented: "NOTIMP"} {
		for _, counts := range []byte{0, 1} { // some leave the count as it was
			u, r, err := exchange(t, "udp", play(t, "127.0.0.1", func(q query) {
				m := q.reply()
				m.Question, m.Rcode = nil, rcode
				p := packed(m)
				p[5] = counts
				q.send(p)
			}, nil))
			if err != nil || r.Msg.Rcode != rcode || len(r.Msg.Question) != 1 || r.Msg.Question[0] != question {
				t.Fatalf("%s: response %v, error %v", want, r, err)
			}
			if st := u.Stats(); st.Failures != 1 || st.LastError != want || st.Mismatched != 0 {
				t.Errorf("%s: %+v", want, st)
			}
		}
	}
}

// A server that does not know EDNS is asked once more without it, under another ID (RFC 6891 §7).
func TestWithoutEDNS(t *testing.T) {
	for _, scheme := range []string{"udp", "tcp"} {
		queries := make(chan query, 3)
		old := func(q query) {
			queries <- q
			if q.IsEdns0() == nil {
				answerRight(q)
				return
			}
			m := q.reply()
			m.Rcode, m.Question = dns.RcodeFormatError, nil
			q.say(m)
		}
		u, r, err := exchange(t, scheme, play(t, "127.0.0.1", old, func(q query) {
			for { // as many as come over the connection
				old(q)
				p, err := readMessage(q.conn)
				if err != nil || q.Unpack(p) != nil {
					return
				}
			}
		}))
		checkAnswer(t, r, err, scheme == "udp", right)
		if first, second := <-queries, <-queries; first.Id == second.Id && scheme == "udp" || len(second.Extra) != 0 || !second.RecursionDesired {
			t.Errorf("%s: the second query is %v", scheme, second.Msg)
		}
		if st := u.Stats(); st.Queries != 2 || st.Failures != 0 {
			t.Errorf("%s: %+v", scheme, st)
		}
	}
}

// A FORMERR of a server that does know EDNS is its answer.
func TestFormErrWithEDNS(t *testing.T) {
	u, r, err := exchange(t, "udp", play(t, "127.0.0.1", func(q query) {
		m := q.reply()
		m.Rcode = dns.RcodeFormatError
		m.SetEdns0(1232, true)
		q.say(m)
	}, nil))
	if err != nil || r.Msg.Rcode != dns.RcodeFormatError || u.Stats().Queries != 1 || u.Stats().Failures != 1 {
		t.Errorf("response %v, error %v, %+v", r, err, u.Stats())
	}
}

// What upstream says of itself is noted: that it validates, and its last error until it answers again.
func TestNotes(t *testing.T) {
	answers := make(chan func(m *dns.Msg), 3)
	u, ctx := open(t, "udp", play(t, "127.0.0.1", func(q query) {
		m := q.reply(right)
		(<-answers)(m)
		q.say(m)
	}, nil)), soon(t)
	for i, c := range []struct {
		says      func(m *dns.Msg)
		validates bool
		failures  uint64
		lastError string
	}{
		{func(m *dns.Msg) { m.Rcode, m.Answer = dns.RcodeServerFailure, nil }, false, 1, "SERVFAIL"},
		{func(m *dns.Msg) { m.AuthenticatedData = true }, true, 1, ""},
		{func(m *dns.Msg) { m.Rcode, m.Answer = dns.RcodeNameError, nil }, true, 1, ""},
	} {
		answers <- c.says
		if _, err := u.Exchange(ctx, question, false); err != nil {
			t.Fatal(err)
		}
		if st := u.Stats(); st.Validates != c.validates || st.Failures != c.failures || st.LastError != c.lastError || st.Queries != uint64(i+1) {
			t.Errorf("response %d: %+v", i+1, st)
		}
	}
}
