package wire

import (
	"strings"
	"testing"

	"github.com/miekg/dns"
)

// TestAppendError reads the replies that have no records as a client would.
func TestAppendError(t *testing.T) {
	for _, c := range []struct {
		name  string
		msg   string
		rcode int // what the client reads, extended
		want  string
	}{
		{"QDCOUNT 0", header(FlagRD, 0, 0, 0, 0), dns.RcodeFormatError, ""},
		{"QDCOUNT 2", header(FlagRD, 2, 0, 0, 0) + questA + questA, dns.RcodeFormatError, ""},
		{"trailing octets", query(questA) + "x", dns.RcodeFormatError, "a.example."},
		{"opcode UPDATE", header(FlagRD|5<<11, 1, 0, 0, 0) + questA, dns.RcodeNotImplemented, ""},
		{"EDNS version 1", query(questA, optV1), dns.RcodeBadVers, "a.example."},
		{"class CH", query("\x01A" + questA[2:len(questA)-1] + "\x03"), dns.RcodeRefused, "A.example."},
	} {
		t.Run(c.name, func(t *testing.T) {
			var q Query
			v := q.Parse([]byte(c.msg), false)
			out := AppendError([]byte("prefix"), &q, v.Rcode())
			if string(out[:6]) != "prefix" {
				t.Fatalf("what stood before is gone: %q", out[:6])
			}
			m := new(dns.Msg)
			if err := m.Unpack(out[6:]); err != nil {
				t.Fatal(err)
			}
			name := ""
			if len(m.Question) > 0 {
				name = m.Question[0].Name
			}
			if m.Rcode != c.rcode || name != c.want || m.Id != 0x1234 || !m.Response || !m.RecursionDesired ||
				!m.RecursionAvailable || m.Authoritative || m.Truncated || m.AuthenticatedData || m.Opcode != int(q.Flags&opcodeMask>>11) {
				t.Errorf("wrong reply:\n%v", m)
			}
			if o := m.IsEdns0(); (o != nil) != q.EDNS || o != nil && (o.Version() != 0 || o.UDPSize() != 1232 || o.Do() != q.DO) {
				t.Errorf("wrong OPT:\n%v", m)
			}
		})
	}
}

// TestReplyFlags stamps a reply to a query that has all flags set: RD and CD come back, the others are not the client's
// to say.
func TestReplyFlags(t *testing.T) {
	q := Query{Flags: 0xffff &^ (FlagQR | opcodeMask)}
	if got, want := q.ReplyFlags(RcodeServFail), FlagQR|FlagRA|FlagRD|FlagCD|2; got != want {
		t.Errorf("flags %#04x, want %#04x", got, want)
	}
	q.Flags = 0
	if got, want := q.ReplyFlags(0x1f0), FlagQR|FlagRA; got != want {
		t.Errorf("flags %#04x, want %#04x: an extended RCODE has no upper bits in the header", got, want)
	}
}

// TestEDE reads extended errors as a client would. A text that is too long, or none, is still text (RFC 8914 §2).
func TestEDE(t *testing.T) {
	for text, want := range map[string]string{
		"":                             "",
		"no route to upstream":         "no route to upstream",
		strings.Repeat("x", 300):       strings.Repeat("x", 200),
		strings.Repeat("ä", 300):       strings.Repeat("ä", 100),
		"x" + strings.Repeat("ä", 300): "x" + strings.Repeat("ä", 99), // cut inside of a letter
		"not \xff\xfe UTF-8":           "not  UTF-8",
	} {
		q := Query{EDNS: true, DO: true}
		m := new(dns.Msg)
		out := AppendOPT([]byte(header(FlagQR, 0, 0, 0, 1)), &q, 0, EDE(EDENetworkError, text))
		if err := m.Unpack(out); err != nil {
			t.Fatal(err)
		}
		opt := m.IsEdns0()
		if opt == nil || len(opt.Option) != 1 || !opt.Do() {
			t.Fatalf("%v", m)
		}
		if e, ok := opt.Option[0].(*dns.EDNS0_EDE); !ok || e.InfoCode != EDENetworkError || e.ExtraText != want {
			t.Errorf("%q reads %v", text, opt.Option[0])
		}
	}
}
