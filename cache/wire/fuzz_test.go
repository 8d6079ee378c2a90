package wire

import (
	"bytes"
	"encoding/binary"
	"testing"

	"github.com/miekg/dns"
)

// FuzzParse compares Parse with miekg/dns, both ways: what Parse accepts must read the same there, and what is a
// well-formed query there must be accepted here.
func FuzzParse(f *testing.F) {
	for _, msg := range []string{
		query(questA), query(questA, optDO), query(questA, txtA, opt300, tsig), query(questA, opt("\x00\x0a\x00\x08cookie!!")),
		query(questA, optPlain, optPlain), query(questA, optV1), query(nameOf(255) + "\x00\x0f\x00\x01"),
		header(FlagQR, 1, 1, 0, 0) + questA + txtA, header(5<<11, 1, 0, 0, 0) + questA, "",
	} {
		f.Add([]byte(msg), false)
		f.Add([]byte(msg), true)
	}
	f.Fuzz(func(t *testing.T, msg []byte, tcp bool) {
		var q Query
		v := q.Parse(msg, tcp)
		if v == Accept {
			sameQuery(t, &q, msg, tcp)
		}
		if m := new(dns.Msg); m.Unpack(msg) == nil && askable(m, msg) && v != Accept {
			t.Errorf("verdict %d on\n%v", v, m)
		}
		if v != Drop && v != Accept {
			m := new(dns.Msg)
			if err := m.Unpack(AppendError(nil, &q, v.Rcode())); err != nil || m.Rcode != v.Rcode() || m.Id != q.ID {
				t.Errorf("verdict %d: reply %v, %v", v, m, err)
			}
		}
	})
}

// sameQuery compares q with what miekg/dns reads in msg. Other additional records and options are left out: Parse passes
// over what they hold, and miekg/dns does not.
func sameQuery(t *testing.T, q *Query, msg []byte, tcp bool) {
	t.Helper()
	bare := bytes.Clone(msg[:HeaderLen+len(q.Question)])
	binary.BigEndian.PutUint16(bare[10:], 0)
	if !Records(msg, func(r Record) {
		if r.Type == typeOPT {
			bare[11]++
			bare = append(bare, msg[r.Start:r.TTL+4]...)
			bare = append(bare, 0, 0)
		}
	}) {
		t.Fatalf("accepted what Records does not read: %x", msg)
	}
	m := new(dns.Msg)
	if err := m.Unpack(bare); err != nil || len(m.Question) != 1 {
		t.Fatalf("accepted %x: %v", msg, err)
	}
	name := make([]byte, 256)
	n, err := dns.PackDomainName(m.Question[0].Name, name, 0, nil, false)
	if err != nil || !bytes.Equal(name[:n], q.Name()) || m.Question[0].Qtype != q.Type() || m.Question[0].Qclass != dns.ClassINET {
		t.Errorf("question %q, there %v (%v)", q.Question, m.Question[0], err)
	}
	if m.Id != q.ID || m.Response || m.Opcode != dns.OpcodeQuery || m.RecursionDesired != q.RD() ||
		m.AuthenticatedData != q.AD() || m.CheckingDisabled != q.CD() {
		t.Errorf("ID %d, flags %#04x, there\n%v", q.ID, q.Flags, m)
	}
	limit := minUDP
	if o := m.IsEdns0(); o != nil {
		limit = min(max(minUDP, int(o.UDPSize())), maxUDP)
		if !q.EDNS || q.DO != o.Do() || o.Version() != 0 {
			t.Errorf("EDNS %v, DO %v, there\n%v", q.EDNS, q.DO, m)
		}
	} else if q.EDNS || q.DO {
		t.Error("EDNS out of nothing")
	}
	if tcp {
		limit = MaxMessage
	}
	if q.Limit != limit {
		t.Errorf("limit %d, want %d", q.Limit, limit)
	}
}

// askable says whether m, which was unpacked from msg, is a query as mxglue wants it.
func askable(m *dns.Msg, msg []byte) bool {
	opts := 0
	for _, rr := range m.Extra {
		if o, ok := rr.(*dns.OPT); ok {
			if opts++; o.Hdr.Name != "." || o.Version() != 0 {
				return false
			}
		}
	}
	if m.Response || m.Opcode != dns.OpcodeQuery || len(m.Question) != 1 || len(m.Answer)+len(m.Ns) != 0 || opts > 1 {
		return false
	}
	q := m.Question[0]
	name := make([]byte, 256) // a pointer in the question makes it longer than it lies in msg
	n, err := dns.PackDomainName(q.Name, name, 0, nil, false)
	if err != nil || HeaderLen+n > len(msg) || !bytes.Equal(name[:n], msg[HeaderLen:HeaderLen+n]) {
		return false
	}
	whole := 0 // miekg/dns forgives octets behind the message, and an owner of OPT that a pointer brings to the root
	plain := Records(msg, func(r Record) {
		whole = r.End
		if r.Type == typeOPT && msg[r.Start] != 0 {
			opts = 2
		}
	})
	if !plain || opts > 1 || whole != len(msg) && (whole != 0 || HeaderLen+n+4 != len(msg)) {
		return false
	}
	return q.Qclass == dns.ClassINET && q.Qtype != 0 && q.Qtype != dns.TypeOPT && (q.Qtype < dns.TypeTKEY || q.Qtype > dns.TypeMAILA)
}

// FuzzRecords walks every message that miekg/dns packs, and finds in it what miekg/dns has put there.
func FuzzRecords(f *testing.F) {
	for _, zone := range [][]string{
		{"a.example. 60 IN MX 5 mx.a.example.", "mx.a.example. 30 IN A 192.0.2.1", "mx.a.example. 30 IN AAAA 2001:db8::1"},
		{"a.example. 60 IN SOA ns. host. 1 2 3 4 5", "a.example. 2147483648 IN TXT \"\" \"x\""},
		{"a.example. 60 IN TYPE65280 \\# 0", "a.example. 60 CH HTTPS 1 . alpn=h2"},
	} {
		m := new(dns.Msg).SetQuestion("A.example.", dns.TypeANY)
		for i, line := range zone {
			rr, err := dns.NewRR(line)
			if err != nil {
				f.Fatal(err)
			}
			section := []*[]dns.RR{&m.Answer, &m.Ns, &m.Extra}[i]
			*section = append(*section, rr)
		}
		packed, err := m.Pack()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(packed, true)
		f.Add(packed, false)
	}
	f.Fuzz(func(t *testing.T, msg []byte, compress bool) {
		Records(msg, func(r Record) {
			if r.Start < HeaderLen || r.TTL < r.Start+5 || r.End < r.TTL+6 || r.End > len(msg) {
				t.Errorf("record outside of the message: %+v", r)
			}
		})
		m := new(dns.Msg)
		if m.Unpack(msg) != nil {
			return
		}
		m.Compress = compress
		packed, err := m.Pack()
		if err != nil || len(packed) > MaxMessage {
			return
		}
		var got []Record
		if !Records(packed, func(r Record) { got = append(got, r) }) {
			t.Fatalf("no records in %x", packed)
		}
		i, end := 0, 0
		for section, rrs := range [][]dns.RR{m.Answer, m.Ns, m.Extra} {
			for _, rr := range rrs {
				if i == len(got) {
					t.Fatalf("%d records in\n%v", i, m)
				}
				r := got[i]
				if h := rr.Header(); r.Section != section || r.Type != h.Rrtype || binary.BigEndian.Uint32(packed[r.TTL:]) != h.Ttl ||
					end != 0 && r.Start != end {
					t.Errorf("record %d is %+v behind %d in\n%v", i, r, end, m)
				}
				i, end = i+1, r.End
			}
		}
		if i != len(got) || end != 0 && end != len(packed) {
			t.Errorf("%d records, the last ends at %d of %d, in\n%v", len(got), end, len(packed), m)
		}
	})
}
