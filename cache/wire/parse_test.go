package wire

import (
	"bytes"
	"encoding/binary"
	"slices"
	"strings"
	"testing"

	"github.com/miekg/dns"
)

// Parts of messages. A question is a name in wire form, a type and a class; counts are QD, AN, NS, AR.
const (
	aExample = "\x01a\x07example\x00"
	questA   = aExample + "\x00\x01\x00\x01"
	optPlain = "\x00\x00\x29\x10\x00\x00\x00\x00\x00\x00\x00"           // 4096 octets, version 0
	optDO    = "\x00\x00\x29\x10\x00\x00\x00\x80\x00\x00\x00"           // DO
	opt300   = "\x00\x00\x29\x01\x2c\x00\x00\x00\x00\x00\x00"           // 300 octets
	opt1000  = "\x00\x00\x29\x03\xe8\x00\x00\x00\x00\x00\x00"           // 1000 octets
	optV1    = "\x00\x00\x29\x10\x00\x00\x01\x80\x00\x00\x00"           // version 1, DO
	optOwned = "\x01a\x00\x00\x29\x10\x00\x00\x00\x00\x00\x00\x00"      // owned by "a."
	txtA     = "\x01a\x00\x00\x10\x00\x01\x00\x00\x00\x3c\x00\x02\x01x" // a. 60 IN TXT "x"
	tsig     = "\x01k\x00\x00\xfa\x00\xff\x00\x00\x00\x00\x00\x03\x01\x02\x03"
)

// query returns a packed query of ID 0x1234 with RD, one question and the given additional records.
func query(question string, additional ...string) string {
	return header(FlagRD, 1, 0, 0, uint16(len(additional))) + question + strings.Join(additional, "")
}

func header(flags uint16, counts ...uint16) string {
	h := binary.BigEndian.AppendUint16([]byte{0x12, 0x34}, flags)
	for _, n := range counts {
		h = binary.BigEndian.AppendUint16(h, n)
	}
	return string(h)
}

// nameOf returns a name in wire form of n octets.
func nameOf(n int) string {
	var b strings.Builder
	for n > 1 {
		label := min(n-2, 63)
		if n-2-label == 1 { // one octet is no label
			label--
		}
		b.WriteString(string(rune(label)) + strings.Repeat("x", label))
		n -= 1 + label
	}
	return b.String() + "\x00"
}

// opt returns an OPT record with the given RDATA.
func opt(rdata string) string {
	return optPlain[:9] + string(binary.BigEndian.AppendUint16(nil, uint16(len(rdata)))) + rdata
}

func TestParseVerdict(t *testing.T) {
	inQuestion := func(qtype, class uint16) string {
		return aExample + string(binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(nil, qtype), class))
	}
	soa := "\xc0\x0c\x00\x06\x00\x01\x00\x00\x00\x00\x00\x16\x00\x00" + strings.Repeat("\x00", 20)
	for _, c := range []struct {
		name string
		msg  string
		want Verdict
	}{
		{"empty", "", Drop},
		{"garbage shorter than a header", "GET / HTTP", Drop},
		{"header less one octet", header(FlagRD, 1, 0, 0, 0)[:11], Drop},
		{"a response", header(FlagQR|FlagRD, 1, 0, 0, 0) + questA, Drop},
		{"a response with an unknown opcode", header(FlagQR|5<<11, 1, 0, 0, 0) + questA, Drop},
		{"garbage", "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", NotImp},
		{"opcode IQUERY", header(1<<11, 1, 0, 0, 0) + questA, NotImp},
		{"opcode STATUS", header(2<<11, 0, 0, 0, 0), NotImp},
		{"opcode NOTIFY", header(4<<11, 1, 0, 0, 0) + questA, NotImp},
		{"opcode UPDATE", header(5<<11, 1, 0, 0, 0) + questA, NotImp},
		{"opcode 15", header(15<<11, 1, 0, 0, 0) + questA, NotImp},
		{"QDCOUNT 0", header(FlagRD, 0, 0, 0, 0), FormErr},
		{"QDCOUNT 2", header(FlagRD, 2, 0, 0, 0) + questA + questA, FormErr},
		{"QDCOUNT 65535", header(FlagRD, 65535, 0, 0, 0) + questA, FormErr},
		{"no question behind the header", header(FlagRD, 1, 0, 0, 0), FormErr},
		{"question cut in a label", query(questA)[:15], FormErr},
		{"question cut before the root", query(questA)[:21], FormErr},
		{"question without class", query(questA[:len(questA)-2]), FormErr},
		{"question less one octet", query(questA[:len(questA)-1]), FormErr},
		{"pointer in the question", query("\xc0\x0c\x00\x01\x00\x01"), FormErr},
		{"pointer behind a label of the question", query("\x01a\xc0\x0c\x00\x01\x00\x01"), FormErr},
		{"label type 01", query("\x41" + strings.Repeat("a", 65) + "\x00\x00\x01\x00\x01"), FormErr},
		{"label type 10", query("\x81\x00\x00\x01\x00\x01"), FormErr},
		{"name of 256 octets", query(nameOf(256) + "\x00\x01\x00\x01"), FormErr},
		{"name of 255 octets", query(nameOf(255) + "\x00\x01\x00\x01"), Accept},
		{"the root", query("\x00\x00\x02\x00\x01"), Accept},
		{"ANCOUNT 1", header(FlagRD, 1, 1, 0, 0) + questA + txtA, FormErr},
		{"NSCOUNT 1", header(FlagRD, 1, 0, 1, 0) + questA + txtA, FormErr},
		{"ARCOUNT more than there is", header(FlagRD, 1, 0, 0, 2) + questA + optPlain, FormErr},
		{"ARCOUNT 65535", header(FlagRD, 1, 0, 0, 65535) + questA + optPlain, FormErr},
		{"octets behind the question", query(questA) + "\x00", FormErr},
		{"octets behind OPT", query(questA, optPlain) + "\x00", FormErr},
		{"plain", query(questA), Accept},
		{"without RD", header(0, 1, 0, 0, 0) + questA, Accept},
		{"OPT", query(questA, optPlain), Accept},
		{"OPT behind another record", query(questA, txtA, optPlain), Accept},
		{"OPT before TSIG", query(questA, optPlain, tsig), Accept},
		{"two OPTs", query(questA, optPlain, optPlain), FormErr},
		{"OPT not at the root", query(questA, optOwned), FormErr},
		{"OPT by a pointer to the question", query(questA, "\xc0\x0c"+optPlain[1:]), FormErr},
		{"OPT cut", query(questA, optPlain[:10]), FormErr},
		{"EDNS version 1", query(questA, optV1), BadVers},
		{"EDNS version 255", query(questA, optPlain[:6]+"\xff"+optPlain[7:]), BadVers},
		{"option", query(questA, opt("\x00\x0a\x00\x08cookie!!")), Accept},
		{"two options, one of them empty", query(questA, opt("\x00\x03\x00\x00\xfd\xe9\x00\x01x")), Accept},
		{"option that overruns OPT", query(questA, opt("\x00\x0a\x00\x09cookie!!")), FormErr},
		{"option length 65535", query(questA, opt("\x00\x0a\xff\xff")), FormErr},
		{"option without length", query(questA, opt("\x00\x0a\x00")), FormErr},
		{"options that overrun the message", query(questA, opt("\x00\x0a\x00\x08cookie!!")[:20]), FormErr},
		{"class CH", query(inQuestion(16, 3)), Refused},
		{"class ANY", query(inQuestion(1, 255)), Refused},
		{"class 0", query(inQuestion(1, 0)), Refused},
		{"AXFR", query(inQuestion(252, 1)), Refused},
		{"IXFR with the SOA it has", header(0, 1, 0, 1, 0) + inQuestion(251, 1) + soa, Refused},
		{"type 0", query(inQuestion(0, 1)), Refused},
		{"type OPT", query(inQuestion(41, 1)), Refused},
		{"type TKEY", query(inQuestion(249, 1)), Refused},
		{"type TSIG", query(inQuestion(250, 1)), Refused},
		{"type MAILB", query(inQuestion(253, 1)), Refused},
		{"type MAILA", query(inQuestion(254, 1)), Refused},
		{"type ANY", query(inQuestion(255, 1)), Accept},
		{"type 248", query(inQuestion(248, 1)), Accept},
		{"type 65535", query(inQuestion(65535, 1)), Accept},
		{"class CH and malformed", query(inQuestion(16, 3)) + "x", FormErr},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, tcp := range []bool{false, true} {
				var q Query
				if got := q.Parse([]byte(c.msg), tcp); got != c.want {
					t.Errorf("verdict %d, want %d (tcp %v)", got, c.want, tcp)
				}
			}
		})
	}
}

// TestParseCut cuts a query with everything at each octet: nothing but the whole is accepted, and nothing panics.
func TestParseCut(t *testing.T) {
	whole := []byte(query(questA, txtA, opt("\x00\x0a\x00\x08cookie!!"), tsig))
	for n := range len(whole) {
		var q Query
		if v := q.Parse(slices.Clip(whole[:n]), false); v == Accept {
			t.Errorf("accepted the first %d of %d octets", n, len(whole))
		}
	}
	var q Query
	if v := q.Parse(whole, false); v != Accept {
		t.Errorf("verdict %d on the whole", v)
	}
}

func TestParseFields(t *testing.T) {
	for _, c := range []struct {
		name     string
		msg      string
		edns, do bool
		udp      int // Limit over UDP
	}{
		{"no EDNS", query(questA), false, false, 512},
		{"size 4096 is more than goes out in one piece", query(questA, optPlain), true, false, 1232},
		{"size 300 counts as 512", query(questA, opt300), true, false, 512},
		{"size 1000", query(questA, opt1000), true, false, 1000},
		{"DO", query(questA, optDO), true, true, 1232},
		{"EDNS version 1: the reply still carries OPT and DO", query(questA, optV1), true, true, 1232},
	} {
		t.Run(c.name, func(t *testing.T) {
			// A query is used again for the next datagram: nothing of the one before may be left.
			q := Query{Question: []byte("old"), EDNS: true, DO: true, Limit: 9}
			q.Parse([]byte(c.msg), false)
			if q.ID != 0x1234 || !q.RD() || string(q.Question) != questA || string(q.Name()) != aExample || q.Type() != 1 {
				t.Errorf("ID %#x, RD %v, question %q, name %q, type %d", q.ID, q.RD(), q.Question, q.Name(), q.Type())
			}
			if q.EDNS != c.edns || q.DO != c.do || q.Limit != c.udp {
				t.Errorf("EDNS %v, DO %v, limit %d", q.EDNS, q.DO, q.Limit)
			}
			q.Parse([]byte(c.msg), true)
			if q.Limit != 65535 {
				t.Errorf("limit over TCP is %d", q.Limit)
			}
		})
	}
}

func TestParseFlags(t *testing.T) {
	for flag, get := range map[uint16]func(*Query) bool{FlagRD: (*Query).RD, FlagAD: (*Query).AD, FlagCD: (*Query).CD} {
		for _, flags := range []uint16{flag, ^flag &^ (FlagQR | opcodeMask)} {
			var q Query
			if v := q.Parse([]byte(header(flags, 1, 0, 0, 0)+questA), false); v != Accept || get(&q) != (flags == flag) {
				t.Errorf("flags %#04x: verdict %d, flag %#04x reads %v", flags, v, flag, get(&q))
			}
		}
	}
}

func TestAppendKey(t *testing.T) {
	// Every octet there is, in five labels: only A to Z may change.
	var name, want []byte
	for label := range 5 {
		n := min(63, 256-label*63)
		name, want = append(name, byte(n)), append(want, byte(n))
		for i := range n {
			b := byte(label*63 + i)
			name = append(name, b)
			if 'A' <= b && b <= 'Z' {
				b += 'a' - 'A'
			}
			want = append(want, b)
		}
	}
	name, want = append(name, 0), append(want, 0)
	tail := []byte("AZ\x41\x5a") // type and class are numbers, whatever letters they look like
	question := append(slices.Clone(name), tail...)
	spelled := slices.Clone(question)
	for _, cd := range []bool{false, true} {
		got := AppendKey([]byte("prefix"), question, cd)
		end := byte(0)
		if cd {
			end = 1
		}
		if !bytes.Equal(got, slices.Concat([]byte("prefix"), want, tail, []byte{end})) {
			t.Errorf("cd %v: key is %q", cd, got)
		}
	}
	if !bytes.Equal(question, spelled) {
		t.Error("the question itself was folded")
	}
}

func TestParseAllocates(t *testing.T) {
	msg := []byte(query(nameOf(255)+"\x00\x01\x00\x01", txtA, opt("\x00\x0a\x00\x08cookie!!")))
	var q Query
	var buf [MaxKey]byte
	out := make([]byte, 0, 600)
	if n := testing.AllocsPerRun(100, func() {
		q.Parse(msg, false)
		AppendKey(buf[:0], q.Question, true)
		AppendError(out, &q, RcodeServFail)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// TestParseReal parses what miekg/dns makes of a query with the options that stub resolvers send.
func TestParseReal(t *testing.T) {
	m := new(dns.Msg).SetQuestion("MAIL.Example.com.", dns.TypeMX)
	m.AuthenticatedData = true
	m.SetEdns0(1232, true)
	m.IsEdns0().Option = []dns.EDNS0{
		&dns.EDNS0_COOKIE{Code: dns.EDNS0COOKIE, Cookie: "0102030405060708"},
		&dns.EDNS0_SUBNET{Code: dns.EDNS0SUBNET, Family: 1, SourceNetmask: 24, Address: []byte{192, 0, 2, 0}},
		&dns.EDNS0_PADDING{Padding: make([]byte, 40)},
	}
	msg, err := m.Pack()
	if err != nil {
		t.Fatal(err)
	}
	var q Query
	if v := q.Parse(msg, false); v != Accept {
		t.Fatalf("verdict %d", v)
	}
	if q.ID != m.Id || string(q.Name()) != "\x04MAIL\x07Example\x03com\x00" || q.Type() != dns.TypeMX || !q.DO || !q.AD() {
		t.Errorf("%+v", q)
	}
}
