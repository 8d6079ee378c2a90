package cache

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/mxglue/mxglue/cache/wire"
)

var (
	epoch = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	mta   = netip.MustParseAddr("192.0.2.200") // the client
)

// response builds an upstream's response from zone lines: answer first, then what follows "authority:" and "additional:".
// The first line is the question, with the words nx, ad, aa, tc, ra0 behind it.
func response(t testing.TB, text string) *dns.Msg {
	t.Helper()
	lines := strings.Split(strings.TrimSpace(text), "\n")
	head := strings.Fields(lines[0])
	m := new(dns.Msg).SetQuestion(dns.Fqdn(head[0]), dns.StringToType[head[1]])
	m.Response, m.RecursionAvailable = true, true
	for _, word := range head[2:] {
		switch word {
		case "nx":
			m.Rcode = dns.RcodeNameError
		case "ad":
			m.AuthenticatedData = true
		case "aa":
			m.Authoritative = true
		case "tc":
			m.Truncated = true
		case "ra0":
			m.RecursionAvailable = false
		default:
			t.Fatalf("no such word: %s", word)
		}
	}
	section := &m.Answer
	for _, line := range lines[1:] {
		switch line = strings.TrimSpace(line); line {
		case "authority:":
			section = &m.Ns
		case "additional:":
			section = &m.Extra
		default:
			rr, err := dns.NewRR(line)
			if err != nil {
				t.Fatal(err)
			}
			*section = append(*section, rr)
		}
	}
	return m
}

// store keeps a response that came for mta in a UDP datagram of 200 octets.
func store(t testing.TB, c *Cache, text string, now time.Time) *Entry {
	t.Helper()
	e, err := c.Store(response(t, text), Origin{Flushes: c.Flushes(), Client: mta, Upstream: "udp://192.0.2.53:53", UDP: true, Size: 200}, now)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// fail remembers that no upstream could tell a name's address.
func fail(c *Cache, name string, now time.Time) *Entry {
	return c.Failure(dns.Question{Name: name, Qtype: dns.TypeA, Qclass: dns.ClassINET}, Origin{Client: mta}, nil, now)
}

// query is what mta asks; words are do, ad, cd, edns, tcp, other (another client).
func query(t testing.TB, name string, qtype uint16, words ...string) *wire.Query {
	t.Helper()
	m := new(dns.Msg).SetQuestion(dns.Fqdn(name), qtype)
	q := &wire.Query{Client: mta}
	tcp, edns, do := false, false, false
	for _, word := range words {
		switch word {
		case "do":
			edns, do = true, true
		case "ad":
			m.AuthenticatedData = true
		case "cd":
			m.CheckingDisabled = true
		case "edns":
			edns = true
		case "tcp":
			tcp = true
		case "other":
			q.Client = netip.MustParseAddr("192.0.2.201")
		default:
			t.Fatalf("no such word: %s", word)
		}
	}
	if edns {
		m.SetEdns0(1232, do)
	}
	packed, err := m.Pack()
	if err != nil {
		t.Fatal(err)
	}
	if v := q.Parse(packed, tcp); v != wire.Accept {
		t.Fatalf("%s: verdict %d", name, v)
	}
	return q
}

// answer unpacks what the cache answers, nil for a miss.
func answer(t testing.TB, c *Cache, q *wire.Query, now time.Time) *dns.Msg {
	t.Helper()
	out := c.Answer(nil, q, now)
	if out == nil {
		return nil
	}
	return sound(t, out, q)
}

// sound unpacks a reply, and holds it to what every reply owes the client: it is whole, it fits, and it is addressed to
// the query.
func sound(t testing.TB, out []byte, q *wire.Query) *dns.Msg {
	t.Helper()
	m := new(dns.Msg)
	if err := m.Unpack(out); err != nil {
		t.Fatalf("the reply does not unpack: %v: %x", err, out)
	}
	n, end := 0, wire.HeaderLen+len(q.Question)
	if !wire.Records(out, func(r wire.Record) { n, end = n+1, r.End }) || end != len(out) {
		t.Fatalf("the counts do not agree with the records: %x", out)
	}
	if n != len(m.Answer)+len(m.Ns)+len(m.Extra) || len(m.Question) != 1 {
		t.Fatalf("%d records counted in\n%v", n, m)
	}
	if len(out) > q.Limit {
		t.Errorf("%d octets for a client that takes %d", len(out), q.Limit)
	}
	if string(out[wire.HeaderLen:wire.HeaderLen+len(q.Question)]) != string(q.Question) {
		t.Errorf("the question is not the client's: %v", m.Question)
	}
	if m.Id != q.ID || !m.Response || !m.RecursionAvailable || m.Authoritative || m.RecursionDesired != q.RD() ||
		m.CheckingDisabled != q.CD() || m.Opcode != dns.OpcodeQuery || m.Zero {
		t.Errorf("the header is not addressed to the query (ID %d, flags %#04x):\n%v", q.ID, q.Flags, m)
	}
	if o := m.IsEdns0(); (o != nil) != q.EDNS || o != nil && o.Do() != q.DO {
		t.Errorf("OPT does not answer the query's:\n%v", m)
	}
	return m
}

// zone writes the sections of a reply down, a record a line, without OPT.
func zone(m *dns.Msg) string {
	if m == nil {
		return "miss"
	}
	var b strings.Builder
	for i, rrs := range [][]dns.RR{m.Answer, m.Ns, m.Extra} {
		for _, rr := range rrs {
			if rr.Header().Rrtype != dns.TypeOPT {
				fmt.Fprintf(&b, "%d %s\n", i, strings.ReplaceAll(rr.String(), "\t", " "))
			}
		}
	}
	return strings.TrimSpace(b.String())
}

// want compares a reply's sections with the expected lines, each of which begins with the number of its section.
func want(t testing.TB, m *dns.Msg, lines ...string) {
	t.Helper()
	if got, all := zone(m), strings.Join(lines, "\n"); got != all {
		t.Errorf("got\n%s\nwant\n%s", got, all)
	}
}

// mxOfA is an MX response with one host's addresses beside it, and everything at a TTL of its own.
const mxOfA = `a.example MX
	a.example. 600 IN MX 5 mx.a.example.
	a.example. 600 IN MX 9 mail.b.example.
	authority:
	a.example. 500 IN NS ns.a.example.
	additional:
	mx.a.example. 400 IN A 192.0.2.25
	mx.a.example. 200 IN AAAA 2001:db8::25
	ns.a.example. 1000 IN A 192.0.2.53`
