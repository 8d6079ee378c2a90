package cache

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/mxglue/mxglue/cache/wire"
)

// FuzzStorePlain lets StorePlain and Store keep the same response, whatever the quick way lets through. If StorePlain
// takes it, nobody can tell by which of the two it was kept.
func FuzzStorePlain(f *testing.F) {
	for i, s := range shapes {
		f.Add(plainOf(f, s.text), byte(i))
	}
	for _, msg := range strange {
		f.Add(msg, byte(0))
	}
	f.Fuzz(func(t *testing.T, msg []byte, how byte) {
		from := Origin{Client: mta, Upstream: "udp://192.0.2.53:53", UDP: true, Size: len(msg), CD: how&1 != 0, Flushes: uint64(how >> 1 & 1)}
		differ(t, msg, from)
	})
}

// differ fails the test if StorePlain takes a response and keeps of it anything else than Store.
func differ(t *testing.T, msg []byte, from Origin) {
	t.Helper()
	question := quickQuestion(msg)
	if question == nil {
		return
	}
	name, _, err := dns.UnpackDomainName(msg, wire.HeaderLen)
	if err != nil {
		t.Fatal(err)
	}
	qtype := binary.BigEndian.Uint16(question[len(question)-4:])
	quick, general := informed(t, name), informed(t, name)
	given := bytes.Clone(msg)
	e := quick.StorePlain(given, from, epoch)
	if !bytes.Equal(given, msg) {
		t.Fatalf("StorePlain changed %x", msg)
	}
	if e == nil {
		return
	}
	clear(given) // it is the socket's again
	m := new(dns.Msg)
	if err := m.Unpack(msg); err != nil {
		t.Fatalf("taken, although it is malformed: %v: %x", err, msg)
	}
	want, err := general.Store(m, from, epoch)
	if err != nil {
		t.Fatalf("taken, although Store does not: %v: %x", err, msg)
	}
	if e.full.ttl != want.full.ttl || e.traits != want.traits || e.marks.Load() != want.marks.Load() || (e.more == nil) != (want.more == nil) || e.source != want.source || quick.adSeen.Load() != general.adSeen.Load() {
		t.Errorf("TTL %d, traits %b, marks %b, want %d, %b, %b: %x", e.full.ttl, e.traits, e.marks.Load(), want.full.ttl, want.traits, want.marks.Load(), msg)
	}
	for _, c := range []*Cache{quick, general} { // it comes between an MX answer and another one
		tell(t, c, "late.example.", name, 2)
	}
	same(t, quick, general, name, qtype, time.Duration(want.full.ttl)*time.Second, len(e.full.packed) == len(want.full.packed))
	a, b := quick.Stats(), general.Stats()
	if a.Octets, b.Octets = 0, 0; fmt.Sprint(a) != fmt.Sprint(b) {
		t.Errorf("StorePlain: %+v\nStore:      %+v\nafter %x", a, b, msg)
	}
}

// same asks two caches everything that clients can ask of a name, at every stage of an entry's life. Where one keeps a
// message in fewer octets it may give all of it to a client to whom the other can give a part only.
func same(t *testing.T, quick, general *Cache, name string, qtype uint16, ttl time.Duration, sameSize bool) {
	t.Helper()
	ages := []time.Duration{0, time.Second / 2, time.Second, ttl - 1, ttl, ttl + time.Second, ttl + 2*time.Second}
	for i, age := range ages {
		now := epoch.Add(age)
		if i == len(ages)-1 { // upstream fails
			for _, c := range []*Cache{quick, general} {
				c.Failure(dns.Question{Name: name, Qtype: qtype, Qclass: dns.ClassINET}, Origin{Client: mta}, nil, now)
			}
		}
		for _, words := range []string{"", "edns", "do", "ad", "cd", "cd do", "do ad", "edns other", "tcp"} {
			q := query(t, name, qtype, strings.Fields(words)...)
			for _, limit := range []int{q.Limit, q.Limit, 80, 120} { // the second time from in front
				q.Limit = max(limit, wire.HeaderLen+len(q.Question)+wire.OPTLen)
				got, want := answer(t, quick, q, now), answer(t, general, q, now)
				if got != nil && want != nil && !sameSize && got.Truncated != want.Truncated {
					continue
				}
				if zone(got) != zone(want) || got != nil && want != nil && got.MsgHdr != want.MsgHdr {
					t.Fatalf("%q, %d octets, after %v: StorePlain:\n%v\nStore:\n%v", words, q.Limit, age, got, want)
				}
			}
		}
	}
}

// informed returns a cache that has heard of a host from an MX answer, with addresses.
func informed(t *testing.T, host string) *Cache {
	t.Helper()
	c := New(Options{Log: slog.New(slog.DiscardHandler)}, epoch)
	tell(t, c, "early.example.", host, 1)
	return c
}

// tell stores an MX answer that names a host, with addresses that end in the given octet.
func tell(t *testing.T, c *Cache, owner, host string, last byte) {
	t.Helper()
	m := new(dns.Msg).SetQuestion(owner, dns.TypeMX)
	m.Response, m.RecursionAvailable = true, true
	header := func(name string, qtype uint16) dns.RR_Header {
		return dns.RR_Header{Name: name, Rrtype: qtype, Class: dns.ClassINET, Ttl: 300}
	}
	m.Answer = []dns.RR{&dns.MX{Hdr: header(owner, dns.TypeMX), Mx: host}}
	m.Extra = []dns.RR{&dns.A{Hdr: header(host, dns.TypeA), A: []byte{192, 0, 2, last}}, &dns.AAAA{Hdr: header(host, dns.TypeAAAA), AAAA: []byte{0x20, 1, 0xd, 0xb8, 15: last}}}
	if _, err := c.Store(m, Origin{Client: mta}, epoch); err != nil {
		t.Fatal(err)
	}
}

// quickQuestion returns the question of a response that the quick way could hand to StorePlain, brought to lower case;
// nil if it would not (see Asked.Plain of upstream).
func quickQuestion(msg []byte) []byte {
	const must, mustNot = wire.FlagQR | wire.FlagRA, wire.FlagTC | 0xf<<11 // an opcode
	if len(msg) < wire.HeaderLen || string(msg[4:6]) != "\x00\x01" {
		return nil
	}
	flags := wire.Flags(msg)
	if rcode := flags & 0xf; flags&(must|mustNot) != must || rcode != dns.RcodeSuccess && rcode != dns.RcodeNameError {
		return nil
	}
	const header = "\x00\x00\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00"
	var q wire.Query
	q.Parse(append([]byte(header), msg[wire.HeaderLen:]...), false) // reads the question, whatever follows
	if q.Question == nil || q.Parse(append([]byte(header), q.Question...), false) != wire.Accept {
		return nil
	}
	opts, fits, last := 0, true, wire.HeaderLen+len(q.Question)
	whole := wire.Records(msg, func(r wire.Record) {
		last = r.End
		fits = fits && r.Type != dns.TypeTSIG
		if r.Type == dns.TypeOPT {
			opts++
			fits = fits && r.Section == 2 && r.TTL == r.Start+5 && string(msg[r.TTL:r.TTL+2]) == "\x00\x00" && r.End == r.TTL+6
		}
	})
	if !whole || !fits || last != len(msg) || opts > 1 {
		return nil
	}
	wire.Fold(msg[wire.HeaderLen : wire.HeaderLen+len(q.Question)-4])
	return msg[wire.HeaderLen : wire.HeaderLen+len(q.Question)]
}
