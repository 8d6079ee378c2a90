package cache

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// glueFor stores an MX response of a.example with the given lines in its additional section, and returns what
// mx.a.example's address is said to be, and the reason of a refusal.
func glueFor(t *testing.T, c *Cache, lines ...string) (*dns.Msg, string) {
	t.Helper()
	store(t, c, "a.example MX\n a.example. 600 IN MX 1 mx.a.example.\n additional:\n"+strings.Join(lines, "\n"), epoch)
	why := ""
	for reason := range c.Stats().GlueRefused {
		why += reason
	}
	return answer(t, c, query(t, "mx.a.example", dns.TypeA), epoch), why
}

// TestWhatGlueMayBe asks what becomes of single additional sections.
func TestWhatGlueMayBe(t *testing.T) {
	many := func(n int) (lines []string) {
		for i := range n {
			lines = append(lines, fmt.Sprintf("mx.a.example. 300 IN A 192.0.2.%d", i+1))
		}
		return lines
	}
	for _, x := range []struct {
		what  string
		lines []string
		want  string // "" is glue of as many records, else the reason against it
	}{
		{"one address", many(1), ""},
		{"eight addresses", many(8), ""},
		{"nine addresses", many(9), "too_many"},
		{"spelled otherwise", []string{"MX.a.EXAMPLE. 300 IN A 192.0.2.1"}, ""},
		{"not only good ones", append(many(1), "mx.a.example. 300 IN A 127.0.0.1"), "special_use"},
		{"not only with TTL", append(many(1), "mx.a.example. 0 IN A 192.0.2.9"), "no_ttl"},
		{"broadcast", []string{"mx.a.example. 300 IN A 255.255.255.255"}, "special_use"},
		{"no RDATA", []string{`mx.a.example. 300 IN A \# 0`}, "malformed"},
		{"another class", []string{"mx.a.example. 300 CH A 192.0.2.1"}, "miss"},
		{"another name", []string{"mx.a.example.example. 300 IN A 192.0.2.1"}, "not_a_target"},
	} {
		c := New(Options{}, epoch)
		m, why := glueFor(t, c, x.lines...)
		if x.want == "" && (m == nil || len(m.Answer) != len(x.lines) || why != "") || x.want != "" && m != nil {
			t.Errorf("%s: %q\n%v", x.what, why, m)
		}
		if x.want != why && x.want != "miss" {
			t.Errorf("%s: refused because %q, want %q", x.what, why, x.want)
		}
	}
}

// TestMappedAddresses: an IPv4 address in IPv6 clothes is judged as what it is.
func TestMappedAddresses(t *testing.T) {
	for _, a := range []string{"127.0.0.1", "10.0.0.1", "169.254.0.1", "224.0.0.1", "255.255.255.255", "0.0.0.0"} {
		c := New(Options{}, epoch)
		m := response(t, "a.example MX\n a.example. 600 IN MX 1 mx.a.example.\n additional:\n mx.a.example. 300 IN AAAA ::1")
		rr := response(t, "a.example A\n a.example. 60 IN A "+a).Answer[0].(*dns.A)
		m.Extra[0].(*dns.AAAA).AAAA = rr.A.To16()
		if _, err := c.Store(m, Origin{Client: mta}, epoch); err != nil {
			t.Fatal(err)
		}
		want(t, answer(t, c, query(t, "mx.a.example", dns.TypeAAAA), epoch), "miss")
	}
}

// TestSizes: a datagram is believed up to 1232 octets in-domain and 512 out of it, anything over TCP.
func TestSizes(t *testing.T) {
	for _, x := range []struct {
		size        int
		udp         bool
		own, others bool
	}{{512, true, true, true}, {513, true, true, false}, {1232, true, true, false}, {1233, true, false, false}, {65535, false, true, true}} {
		c := New(Options{}, epoch)
		m := response(t, `a.example MX
			a.example. 600 IN MX 1 mx.a.example.
			a.example. 600 IN MX 2 mx.b.example.
			additional:
			mx.a.example. 300 IN A 192.0.2.1
			mx.b.example. 300 IN A 192.0.2.2`)
		if _, err := c.Store(m, Origin{Client: mta, UDP: x.udp, Size: x.size}, epoch); err != nil {
			t.Fatal(err)
		}
		own := answer(t, c, query(t, "mx.a.example", dns.TypeA), epoch) != nil
		others := answer(t, c, query(t, "mx.b.example", dns.TypeA), epoch) != nil
		if own != x.own || others != x.others {
			t.Errorf("%d octets, UDP %v: in-domain %v, out of domain %v", x.size, x.udp, own, others)
		}
	}
}

// TestTargets: only MX records of the chain's last owner name exchangers, in whatever spelling, and SRV records targets.
func TestTargets(t *testing.T) {
	for _, x := range []struct{ what, text, name, want string }{
		{"owner within the chain", "www.a.example MX\n www.a.example. 60 IN CNAME a.example.\n www.a.example. 60 IN MX 1 mx.b.example.\n" +
			" additional:\n mx.b.example. 60 IN A 192.0.2.1", "mx.b.example", "miss"},
		{"owner spelled otherwise", "www.a.example MX\n www.a.example. 60 IN CNAME A.example.\n a.EXAMPLE. 60 IN MX 1 mx.a.example.\n" +
			" additional:\n mx.a.example. 60 IN A 192.0.2.1", "mx.a.example", "0 mx.a.example. 60 IN A 192.0.2.1"},
		{"SRV target spelled otherwise", "_x._tcp.a.example SRV\n _x._tcp.a.example. 60 IN SRV 1 1 25 MX.a.example.\n" +
			" additional:\n mx.A.example. 60 IN A 192.0.2.1", "mx.a.example", "0 mx.a.example. 60 IN A 192.0.2.1"},
		{"odd octets", "a.example MX\n a.example. 60 IN MX 1 m\\.x\\000\\255.a.example.\n" +
			" additional:\n M\\.X\\000\\255.a.example. 60 IN A 192.0.2.1", `m\.x\000\255.a.example`, `0 m\.x\000\255.a.example. 60 IN A 192.0.2.1`},
		{"a dot in a label is no border", "a.example MX aa\n a.example. 60 IN MX 1 mx\\.a.example.\n" + // a label "mx.a" below example
			" additional:\n mx\\.a.example. 60 IN A 192.0.2.1", `mx\.a.example`, "miss"},
		{"another question", "a.example TXT\n a.example. 60 IN MX 1 mx.a.example.\n" +
			" additional:\n mx.a.example. 60 IN A 192.0.2.1", "mx.a.example", "miss"},
		{"ANY", "a.example ANY\n a.example. 60 IN MX 1 mx.a.example.\n" +
			" additional:\n mx.a.example. 60 IN A 192.0.2.1", "mx.a.example", "miss"},
		{"NXDOMAIN", "a.example MX nx\n a.example. 60 IN MX 1 mx.a.example.\n" +
			" additional:\n mx.a.example. 60 IN A 192.0.2.1", "mx.a.example", "miss"},
	} {
		c := New(Options{}, epoch)
		store(t, c, x.text, epoch)
		got := answer(t, c, query(t, x.name, dns.TypeA), epoch)
		if zone(got) != x.want {
			t.Errorf("%s: %s", x.what, zone(got))
		}
	}
}

// TestContradictions stores an answer to mx.a.example A first, and then asks whether an MX response's glue stands: only
// the very same addresses do, in any order.
func TestContradictions(t *testing.T) {
	const signature = "\n mx.a.example. 60 IN RRSIG A 13 3 60 20300101000000 20260101000000 1 a.example. AAAA"
	for _, x := range []struct {
		what, before string
		glue         []string
		stands       bool
	}{
		{"the same", "mx.a.example. 60 IN A 192.0.2.1", []string{"192.0.2.1"}, true},
		{"the same, signed", "mx.a.example. 60 IN A 192.0.2.1" + signature, []string{"192.0.2.1"}, true},
		{"the same, in another order", "mx.a.example. 60 IN A 192.0.2.1\n mx.a.example. 60 IN A 192.0.2.2", []string{"192.0.2.2", "192.0.2.1"}, true},
		{"the same, one of them twice", "mx.a.example. 60 IN A 192.0.2.1", []string{"192.0.2.1", "192.0.2.1"}, true},
		{"another", "mx.a.example. 60 IN A 192.0.2.1", []string{"192.0.2.2"}, false},
		{"one more", "mx.a.example. 60 IN A 192.0.2.1", []string{"192.0.2.1", "192.0.2.2"}, false},
		{"one less", "mx.a.example. 60 IN A 192.0.2.1\n mx.a.example. 60 IN A 192.0.2.2", []string{"192.0.2.1"}, false},
		{"the same digits", "mx.a.example. 60 IN A 1.1.1.11\n mx.a.example. 60 IN A 2.1.1.1", []string{"1.1.1.1", "12.1.1.1"}, false},
		{"the same behind a CNAME", "mx.a.example. 60 IN CNAME b.example.\n b.example. 60 IN A 192.0.2.1", []string{"192.0.2.1"}, false},
		{"nothing", "authority:\n a.example. 60 IN SOA ns. host. 1 2 3 4 60", []string{"192.0.2.1"}, false},
	} {
		c := New(Options{Log: slog.New(slog.DiscardHandler)}, epoch)
		store(t, c, "mx.a.example A\n "+x.before, epoch)
		lines := "a.example MX\n a.example. 600 IN MX 1 mx.a.example.\n additional:"
		for _, a := range x.glue {
			lines += "\n mx.a.example. 300 IN A " + a
		}
		for _, age := range []time.Duration{0, time.Hour} { // against the live answer, and against the one that has ended
			store(t, c, lines, epoch.Add(age))
			m := answer(t, c, query(t, "mx.a.example", dns.TypeA), epoch.Add(age).Add(100*time.Second))
			if (m != nil) != x.stands {
				t.Errorf("%s, after %v: %v", x.what, age, zone(m))
			}
		}
		if st := c.Stats(); (st.GlueRefused["contradicts"] == 2) == x.stands {
			t.Errorf("%s: %+v", x.what, st)
		}
	}
}

// TestWhoGetsGlue: never a client that asks for DNSSEC; one that wants to see AD as long as no upstream has set it; and
// nobody but the one who was sent it, unless so configured.
func TestWhoGetsGlue(t *testing.T) {
	for _, all := range []bool{false, true} {
		c := New(Options{GlueForAll: all}, epoch)
		store(t, c, mxOfA, epoch)
		for _, validates := range []bool{false, true} {
			if validates {
				store(t, c, "b.example A ad\n b.example. 60 IN A 192.0.2.1", epoch)
			}
			for words, told := range map[string]bool{"": true, "edns": true, "tcp": true, "do": false, "cd": false, "do ad": false, "ad": !validates, "other": all} {
				m := answer(t, c, query(t, "mx.a.example", dns.TypeA, strings.Fields(words)...), epoch)
				if (m != nil) != told {
					t.Errorf("for all: %v, upstream validates: %v, query with %q: %v", all, validates, words, zone(m))
				}
				if m != nil && (m.AuthenticatedData || m.Authoritative) {
					t.Errorf("glue with AA or AD:\n%v", m)
				}
			}
		}
	}
}
