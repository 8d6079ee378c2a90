package cache

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/mxglue/mxglue/cache/wire"
)

// large are responses of more than 512 octets, of every shape that is cut in its own way.
func large() map[string]string {
	txt := func(owner string, n int) (lines string) {
		for i := range n {
			lines += fmt.Sprintf("\n%s 60 IN TXT \"%d%s\"", owner, i, strings.Repeat("x", 90))
		}
		return lines
	}
	sig := func(owner, covered string) string {
		return "\n" + owner + " 60 IN RRSIG " + covered + " 13 2 60 20300101000000 20260101000000 1 a.example. " + strings.Repeat("AAAA", 16)
	}
	hosts := func(format string, n int) (lines string) {
		for i := range n {
			lines += fmt.Sprintf("\n"+strings.ReplaceAll(format, "%", "%[1]d"), i)
		}
		return lines
	}
	return map[string]string{
		"MX with all its sections": "a.example MX" + hosts("a.example. 60 IN MX % mx%.a.example.", 20) + "\nauthority:" +
			hosts("a.example. 60 IN NS ns%.a.example.", 13) + "\nadditional:" + hosts("mx%.a.example. 60 IN A 192.0.2.%", 20),
		"signed": "a.example MX ad" + hosts("a.example. 60 IN MX % mx%.a.example.", 15) + sig("a.example.", "MX") + "\nauthority:" +
			hosts("a.example. 60 IN NS ns%.a.example.", 5) + sig("a.example.", "NS") + "\nadditional:" +
			hosts("mx%.a.example. 60 IN A 192.0.2.%", 10) + sig("mx0.a.example.", "A"),
		"chain": "a.example TXT\na.example. 60 IN CNAME b.example.\nb.example. 60 IN CNAME c.example." + txt("c.example.", 12),
		"any":   "a.example ANY" + txt("a.example.", 5) + hosts("a.example. 60 IN MX % mx%.a.example.", 20) + sig("a.example.", "MX") + txt("a.example.", 3),
		"NXDOMAIN": "a.example MX nx\nauthority:\nexample. 60 IN SOA ns.example. host.example. 1 2 3 4 60" + sig("example.", "SOA") +
			"\na.example. 60 IN NSEC c.example. A MX RRSIG NSEC" + sig("a.example.", "NSEC") +
			"\n*.example. 60 IN NSEC a.example. A MX RRSIG NSEC" + sig("*.example.", "NSEC") + "\nadditional:" + txt("ns.example.", 6),
		"NODATA behind a CNAME": "a.example MX\na.example. 60 IN CNAME b.example." + sig("a.example.", "CNAME") +
			"\nauthority:\nexample. 60 IN SOA ns.example. host.example. 1 2 3 4 60" + sig("example.", "SOA") + txt("example.", 5),
		"nothing but glue": "a.example MX\nadditional:" + txt("mx.a.example.", 6),
	}
}

// TestEveryLimit gives each response to clients of every buffer size. What they get is a message, fits, ends between two
// RRsets, says TC exactly when part of what was asked for is missing, and could not have been longer.
func TestEveryLimit(t *testing.T) {
	for name, text := range large() {
		for _, words := range []string{"", "edns", "do"} {
			t.Run(name+" "+words, func(t *testing.T) {
				c := New(Options{}, epoch)
				negative := strings.Contains(name, "NXDOMAIN") || strings.Contains(name, "NODATA") || strings.Contains(name, "glue")
				e := store(t, c, text, epoch)
				q := query(t, "a.example", e.Type(), strings.Fields(words)...)
				q.Limit = wire.MaxMessage
				full := c.Append(nil, e, q, epoch)
				whole := sound(t, full, q)
				if len(full) <= 512 || whole.Truncated {
					t.Fatalf("%d octets, TC %v", len(full), whole.Truncated)
				}
				lengths := map[int]bool{}
				least := wire.HeaderLen + len(q.Question)
				if q.EDNS {
					least += wire.OPTLen
				}
				for q.Limit = least; q.Limit <= len(full)+1; q.Limit++ {
					out := c.Append(nil, e, q, epoch)
					isPrefix(t, sound(t, out, q), whole, negative)
					lengths[len(out)] = true
				}
				for n := range lengths { // each of them is given as soon as there is room for it
					q.Limit = n
					if out := c.Append(nil, e, q, epoch); len(out) != n {
						t.Errorf("%d octets for a client that takes %d", len(out), n)
					}
				}
				if len(lengths) != borders(whole) || !lengths[least] || !lengths[len(full)] {
					t.Errorf("%d borders, cut to %v", borders(whole), lengths)
				}
			})
		}
	}
}

// TestStaleFits: the reason that an old answer comes with takes its room from the answer.
func TestStaleFits(t *testing.T) {
	c := New(Options{}, epoch)
	e := store(t, c, large()["MX with all its sections"], epoch)
	now := epoch.Add(time.Hour)
	q := query(t, "a.example", dns.TypeMX, "edns")
	for q.Limit = wire.HeaderLen + len(q.Question) + wire.OPTLen + 6; q.Limit < 1500; q.Limit++ {
		if m := sound(t, c.Append(nil, e, q, now), q); len(m.IsEdns0().Option) != 1 || m.Truncated != (len(m.Answer) == 0) {
			t.Fatalf("%d octets:\n%v", q.Limit, m)
		}
	}
}

// TestNoRoom: a buffer too small for anything gets the question back, with TC.
func TestNoRoom(t *testing.T) {
	c := New(Options{}, epoch)
	e := store(t, c, mxOfA, epoch)
	q := query(t, "a.example", dns.TypeMX)
	n := wire.HeaderLen + len(q.Question)
	q.Limit = n
	if m := sound(t, c.Append(nil, e, q, epoch), q); !m.Truncated || zone(m) != "" {
		t.Errorf("%v", m)
	}
	q.Limit = -1
	if out := c.Append(nil, e, q, epoch); len(out) != n {
		t.Errorf("%d octets", len(out))
	}
}

// borders counts where a reply may end: behind the question, behind each RRset of the answer, and behind each of the
// other sections.
func borders(m *dns.Msg) int {
	n := 1
	for i := range m.Answer {
		if i+1 == len(m.Answer) || rrset(m, i) != rrset(m, i+1) {
			n++
		}
	}
	for _, rrs := range [][]dns.RR{m.Ns, m.Extra} {
		if len(rrs) > 0 && zone(&dns.Msg{Extra: rrs}) != "" {
			n++
		}
	}
	return n
}

func rrset(m *dns.Msg, i int) string {
	h := m.Answer[i].Header()
	return h.Name + dns.Type(h.Rrtype).String()
}

// isPrefix compares a reply with the whole that it was cut from.
func isPrefix(t *testing.T, got, whole *dns.Msg, negative bool) {
	t.Helper()
	lines, all := strings.Split(zone(got), "\n"), strings.Split(zone(whole), "\n")
	if zone(got) == "" {
		lines = nil
	}
	if len(lines) > len(all) || !slices.Equal(lines, all[:len(lines)]) {
		t.Fatalf("no prefix:\n%s", zone(got))
	}
	if n := len(got.Answer); n > 0 && n < len(whole.Answer) && rrset(whole, n-1) == rrset(whole, n) {
		t.Errorf("the answer ends inside of an RRset:\n%v", got)
	}
	if len(got.Ns) > 0 && len(got.Ns) != len(whole.Ns) {
		t.Errorf("a piece of the authority section:\n%v", got)
	}
	if n := len(strings.Split(zone(&dns.Msg{Extra: got.Extra}), "\n")); zone(&dns.Msg{Extra: got.Extra}) != "" && n != len(all)-len(whole.Answer)-len(whole.Ns) {
		t.Errorf("a piece of the additional section:\n%v", got)
	}
	missing := len(got.Answer) < len(whole.Answer) || negative && len(got.Ns) < len(whole.Ns)
	if got.Truncated != missing {
		t.Errorf("TC is %v, part of what was asked for is missing: %v\n%v", got.Truncated, missing, got)
	}
}

// TestReasonsFit: what an upstream says of its failure (RFC 8914) is passed on where there is room for it, and never
// makes a reply larger than the client can take.
func TestReasonsFit(t *testing.T) {
	long := strings.Repeat(strings.Repeat("x", 62)+".", 4)
	for _, name := range []string{"a.example.", long} {
		for n := range 4 {
			c := New(Options{}, epoch)
			var why []byte
			for range n {
				why = append(why, wire.EDE(wire.EDENetworkError, strings.Repeat("y", 300))...)
			}
			c.Failure(dns.Question{Name: name, Qtype: dns.TypeA, Qclass: dns.ClassINET}, Origin{}, why, epoch)
			q := query(t, name, dns.TypeA, "edns")
			exact := wire.HeaderLen + len(q.Question) + wire.OPTLen + len(why)
			for _, limit := range []int{512, 1232, exact, max(512, exact-1)} {
				q.Limit = limit
				m := answer(t, c, q, epoch) // fits, or sound says so
				fits := exact <= limit
				if got := len(m.IsEdns0().Option); got != n && fits || got != 0 && !fits || m.Truncated {
					t.Errorf("%d of %d reasons in %d octets, TC %v", got, n, limit, m.Truncated)
				}
			}
			if m := answer(t, c, query(t, name, dns.TypeA), epoch); m == nil || m.Rcode != dns.RcodeServerFailure {
				t.Errorf("without EDNS: %v", m)
			}
		}
	}
}
