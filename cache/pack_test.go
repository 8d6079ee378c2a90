package cache

import (
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/mxglue/mxglue/cache/wire"
)

// TestHopRecordsStayBehind: OPT and TSIG speak of the hop that they came over, wherever an upstream puts them.
func TestHopRecordsStayBehind(t *testing.T) {
	c := New(Options{}, epoch)
	m := response(t, "a.example ANY\n a.example. 60 IN A 192.0.2.1")
	opt := func(name string) *dns.OPT {
		return &dns.OPT{Hdr: dns.RR_Header{Name: name, Rrtype: dns.TypeOPT, Class: dns.ClassINET, Ttl: 1 << 15}}
	}
	tsig := &dns.TSIG{Hdr: dns.RR_Header{Name: "k.", Rrtype: dns.TypeTSIG, Class: dns.ClassANY}, Algorithm: "hmac-sha256."}
	m.Answer, m.Ns, m.Extra = append(m.Answer, opt("a.example.")), []dns.RR{opt("."), tsig}, []dns.RR{opt("."), tsig}
	if _, err := c.Store(m, Origin{}, epoch); err != nil {
		t.Fatal(err)
	}
	q := query(t, "a.example", dns.TypeANY)
	if m := answer(t, c, q, epoch); m == nil || len(m.Answer) != 1 || len(m.Ns)+len(m.Extra) != 0 {
		t.Errorf("%v", m)
	}
}

// TestMalformedRDATA: miekg/dns lets records without RDATA pass, and what it packs of them is none of their type.
func TestMalformedRDATA(t *testing.T) {
	for _, qtype := range []uint16{dns.TypeSOA, dns.TypeMX, dns.TypeSRV, dns.TypeA, dns.TypeCNAME, dns.TypeTXT, dns.TypeRRSIG, dns.TypeTLSA, 65280} {
		h := dns.RR_Header{Name: "a.example.", Rrtype: qtype, Class: dns.ClassINET, Ttl: 60}
		packed, err := (&dns.Msg{Question: []dns.Question{{Name: h.Name, Qtype: qtype, Qclass: h.Class}}, Answer: []dns.RR{&dns.RFC3597{Hdr: h}}}).Pack()
		if err != nil {
			t.Fatal(err)
		}
		m := new(dns.Msg)
		if err := m.Unpack(packed); err != nil {
			t.Fatal(err)
		}
		c := New(Options{}, epoch)
		e, err := c.Store(m, Origin{}, epoch)
		if err != nil {
			continue // SERVFAIL, then
		}
		out := c.Append(nil, e, query(t, "a.example", qtype), epoch)
		if err := new(dns.Msg).Unpack(out); err != nil {
			t.Errorf("%v: %v", dns.Type(qtype), err)
		}
		if targets, _ := e.Targets(); len(targets) != 0 {
			t.Errorf("%v: targets %q", dns.Type(qtype), targets)
		}
	}
}

// TestLargestMessage: 65,535 octets over TCP, and offsets that reach the end of 16 bits.
func TestLargestMessage(t *testing.T) {
	c := New(Options{Memory: 1 << 30}, epoch)
	m := response(t, "a.example TXT")
	add := func(n int) { // a record of n octets
		var parts []string
		for n -= 12; n > 0; n -= 256 {
			parts = append(parts, strings.Repeat("x", min(n, 256)-1))
		}
		m.Answer = append(m.Answer, &dns.TXT{Hdr: dns.RR_Header{Name: "a.example.", Rrtype: dns.TypeTXT, Class: dns.ClassINET, Ttl: 60}, Txt: parts})
	}
	left := wire.MaxMessage - wire.HeaderLen - 15
	for ; left > 600; left -= 268 {
		add(268)
	}
	add(left - 20)
	add(20)
	e, err := c.Store(m, Origin{}, epoch)
	if err != nil {
		t.Fatal(err)
	}
	q := query(t, "a.example", dns.TypeTXT, "tcp")
	out := c.Append(nil, e, q, epoch.Add(7*time.Second))
	reply := sound(t, out, q)
	if len(out) != wire.MaxMessage || reply.Truncated || len(reply.Answer) != len(m.Answer) {
		t.Errorf("%d octets, TC %v, %d of %d records", len(out), reply.Truncated, len(reply.Answer), len(m.Answer))
	}
	for _, rr := range reply.Answer {
		if rr.Header().Ttl != 53 {
			t.Fatalf("TTL %d", rr.Header().Ttl)
		}
	}
	q = query(t, "a.example", dns.TypeTXT, "tcp", "edns")
	if m := sound(t, c.Append(nil, e, q, epoch), q); !m.Truncated {
		t.Error("no room for OPT, and no TC")
	}
}

// TestWhoGetsDNSSEC: signatures and proofs go to those who set DO, or ask for them by type (RFC 4035 §3.2.1).
func TestWhoGetsDNSSEC(t *testing.T) {
	const sig = " 60 IN RRSIG A 13 2 60 20300101000000 20260101000000 1 a.example. AAAA"
	for _, x := range []struct {
		qtype             string
		withDO, withoutDO int // records for those with DO, and for those without
	}{{"A", 2, 1}, {"RRSIG", 1, 1}, {"ANY", 3, 3}, {"NSEC", 1, 1}} {
		c := New(Options{}, epoch)
		e := store(t, c, "a.example "+x.qtype+"\n a.example. 60 IN A 192.0.2.1\n a.example."+sig+"\n a.example. 60 IN NSEC b.example. A", epoch)
		for words, n := range map[string]int{"do": x.withDO, "edns": x.withoutDO, "ad": x.withoutDO} {
			if m := answer(t, c, query(t, "a.example", e.Type(), words), epoch); m == nil || len(m.Answer) != n {
				t.Errorf("%s %s: want %d records:\n%v", x.qtype, words, n, m)
			}
		}
	}
}

// TestNegativeKeepsItsSOA also when it is old and given because upstream fails: without a SOA it would read as a referral
// (RFC 2308 §2.2). Its additional records end when they do.
func TestNegativeKeepsItsSOA(t *testing.T) {
	c := New(Options{}, epoch)
	store(t, c, "a.example AAAA\n authority:\n a.example. 60 IN SOA ns.a.example. host. 1 2 3 4 60\n additional:\n ns.a.example. 10 IN A 192.0.2.53", epoch)
	c.Failure(dns.Question{Name: "a.example.", Qtype: dns.TypeAAAA, Qclass: dns.ClassINET}, Origin{}, nil, epoch.Add(60*time.Second))
	q := query(t, "a.example", dns.TypeAAAA)
	const soa = " IN SOA ns.a.example. host. 1 2 3 4 60"
	want(t, answer(t, c, q, epoch.Add(9*time.Second)), "1 a.example. 51"+soa, "2 ns.a.example. 1 IN A 192.0.2.53")
	want(t, answer(t, c, q, epoch.Add(10*time.Second)), "1 a.example. 50"+soa)
	want(t, answer(t, c, q, epoch.Add(61*time.Second)), "1 a.example. 30"+soa)
}
