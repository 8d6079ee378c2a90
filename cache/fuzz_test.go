package cache

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/mxglue/mxglue/cache/wire"
)

// questions are what FuzzStore asks; the number of one is its second argument.
var questions = []dns.Question{
	{Name: "a.example.", Qtype: dns.TypeMX}, {Name: "mx.a.example.", Qtype: dns.TypeA}, {Name: "a.example.", Qtype: dns.TypeANY},
	{Name: "a.example.", Qtype: dns.TypeCNAME}, {Name: ".", Qtype: dns.TypeNS}, {Name: "a.example.", Qtype: dns.TypeRRSIG},
	{Name: "_25._tcp.a.example.", Qtype: dns.TypeSRV}, {Name: `a\.b\000\255.example.`, Qtype: dns.TypeTXT}, {Name: "a.example.", Qtype: 65280},
}

// FuzzStore keeps whatever miekg/dns unpacks as an upstream's response, and gives it to clients of every kind, at several
// ages. What they get is always whole and fits, and holds nothing in its answer section that is off the chain.
func FuzzStore(f *testing.F) {
	texts := large()
	for i, text := range []string{
		mxOfA, "mx.a.example A\n mx.a.example. 60 IN CNAME b.example.\n b.example. 60 IN A 192.0.2.1\n c.example. 60 IN A 192.0.2.2",
		texts["any"], "a.example CNAME\n a.example. 60 IN CNAME a.example.", ". NS\n . 4294967295 IN NS a.", texts["NXDOMAIN"],
		"_25._tcp.a.example SRV\n _25._tcp.a.example. 60 IN SRV 0 0 25 a.example.\n additional:\n a.example. 0 IN A 192.0.2.1",
		texts["chain"], "a.example A\n a.example. 60 IN TYPE65280 \\# 0\n example. 60 IN DNAME example.\n a.example. 60 CH A 192.0.2.1",
	} {
		m := response(f, text)
		m.Compress = true
		packed, err := m.Pack()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(packed, byte(i))
	}
	f.Add([]byte("\x00\x00\x80\x80\x00\x00\x00\x01\x00\x00\x00\x00\x01a\x07example\x00\x00\x0f\x00\x01\x00\x00\x00\x3c\x00\x00"), byte(0)) // no RDATA
	f.Fuzz(func(t *testing.T, packed []byte, which byte) {
		m := new(dns.Msg)
		if m.Unpack(packed) != nil {
			return
		}
		question := questions[int(which)%len(questions)]
		question.Qclass = dns.ClassINET
		m.Question = []dns.Question{question}
		m.Rcode = map[bool]int{true: dns.RcodeNameError}[m.Rcode&1 != 0]
		c := New(Options{Log: slog.New(slog.DiscardHandler)}, epoch)
		e, err := c.Store(m, Origin{Client: mta}, epoch)
		if err != nil {
			return
		}
		whole := &wire.Query{Limit: wire.MaxMessage}
		for _, words := range []string{"", "edns", "do", "ad", "cd", "do ad cd", "do tcp", "tcp"} {
			q := query(t, strings.ToUpper(question.Name), question.Qtype, strings.Fields(words)...)
			*whole = *q
			whole.Limit = wire.MaxMessage
			for _, age := range []time.Duration{0, time.Second, time.Minute, 400 * 24 * time.Hour} {
				full := sound(t, c.Append(nil, e, whole, epoch.Add(age)), whole)
				onChain(t, full)
				for _, limit := range []int{512, 700, q.Limit} {
					q.Limit = limit
					part := sound(t, c.Append(nil, e, q, epoch.Add(age)), q)
					if len(part.Answer) < len(full.Answer) && !part.Truncated {
						t.Errorf("%d of %d records, and no TC", len(part.Answer), len(full.Answer))
					}
					if hit := answer(t, c, q, epoch.Add(age)); hit != nil && zone(hit) != zone(part) && e.lives(e.arrived+age) {
						t.Errorf("a hit:\n%s\nwho waited:\n%s", zone(hit), zone(part))
					}
				}
			}
		}
	})
}

// onChain holds the answer section to the chain that starts at QNAME: owners are names that CNAMEs lead to from there, or
// DNAMEs above them; types are what was asked for, and what makes the chain and signs it.
func onChain(t *testing.T, m *dns.Msg) {
	t.Helper()
	q := m.Question[0]
	names := map[string]bool{strings.ToLower(q.Name): true}
	for range m.Answer {
		for _, rr := range m.Answer {
			if c, ok := rr.(*dns.CNAME); ok && names[strings.ToLower(c.Hdr.Name)] {
				names[strings.ToLower(c.Target)] = true
			}
		}
	}
	for _, rr := range m.Answer {
		h := rr.Header()
		on, types := names[strings.ToLower(h.Name)], []uint16{q.Qtype, dns.TypeCNAME, dns.TypeRRSIG}
		if h.Rrtype == dns.TypeDNAME || h.Rrtype == dns.TypeRRSIG {
			for name := range names {
				on = on || dns.IsSubDomain(h.Name, name)
			}
			types = append(types, dns.TypeDNAME)
		}
		known := q.Qtype == dns.TypeANY
		for _, t := range types {
			known = known || h.Rrtype == t
		}
		if !on || !known || h.Class != q.Qclass || h.Rrtype == dns.TypeOPT {
			t.Errorf("nobody asked for %v in\n%v", rr, m)
		}
	}
}
