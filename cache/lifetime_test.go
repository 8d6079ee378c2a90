package cache

import (
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// TestStaleable: while upstream fails, old answers to questions about mail servers and their addresses are given, and
// none that decides over mail in itself.
func TestStaleable(t *testing.T) {
	nibbles := strings.Repeat("a.0.", 16)
	for _, x := range []struct {
		text string
		ok   bool
	}{
		{"mx.a.example A\n mx.a.example. 60 IN A 192.0.2.1", true},
		{"mx.a.example AAAA\n mx.a.example. 60 IN AAAA 2001:db8::1", true},
		{"a.example MX\n a.example. 60 IN MX 1 mx.a.example.", true},
		{"mx.a.example AAAA\n authority:\n a.example. 60 IN SOA ns. host. 1 2 3 4 60", true}, // NODATA
		{"mx.a.example A nx\n authority:\n a.example. 60 IN SOA ns. host. 1 2 3 4 60", false},
		{"a.example TXT\n a.example. 60 IN TXT \"v=spf1 -all\"", false},
		{"_25._tcp.a.example TLSA\n _25._tcp.a.example. 60 IN TLSA 3 1 1 00", false},
		{"list.example A\n list.example. 60 IN A 127.0.0.2", false}, // a list's "yes"
		{"4.3.2.1.list.example A\n 4.3.2.1.list.example. 60 IN A 192.0.2.1", false},
		{"254.3.2.1.list.example A\n 254.3.2.1.list.example. 60 IN A 192.0.2.1", false},
		{"4.3.2.1 A\n 4.3.2.1. 60 IN A 192.0.2.1", true}, // a name, however strange: there is no list in it
		{"2026.3.2.1.list.example A\n 2026.3.2.1.list.example. 60 IN A 192.0.2.1", true},
		{"4.3.x.1.list.example A\n 4.3.x.1.list.example. 60 IN A 192.0.2.1", true},
		{nibbles + "list.example A\n " + nibbles + "list.example. 60 IN A 192.0.2.1", false},
		{strings.Replace(nibbles, "a", "g", 1) + "list.example A\n " + strings.Replace(nibbles, "a", "g", 1) + "list.example. 60 IN A 192.0.2.1", true},
	} {
		c := New(Options{}, epoch)
		e := store(t, c, x.text, epoch)
		q := query(t, e.Name(), e.Type())
		end := epoch.Add(time.Minute)
		want(t, answer(t, c, q, end), "miss") // nothing old while nothing fails
		if old := c.Stale(q, end) != nil; old != x.ok {
			t.Errorf("%s: an old answer: %v", x.text, old)
		}
		c.Failure(dns.Question{Name: e.Name(), Qtype: e.Type(), Qclass: dns.ClassINET}, Origin{}, nil, end)
		m := answer(t, c, q, end)
		if (m.Rcode != dns.RcodeServerFailure) != x.ok {
			t.Errorf("%s: upstream fails, and the client is told\n%v", x.text, m)
		}
	}
}

// TestStaleEnds: a day after its end an answer is too old for anything.
func TestStaleEnds(t *testing.T) {
	c := New(Options{}, epoch)
	store(t, c, "a.example A\n a.example. 60 IN A 192.0.2.1", epoch)
	q := query(t, "a.example", dns.TypeA)
	for age, want := range map[time.Duration]bool{59 * time.Second: true, 60 * time.Second: true, 24*time.Hour + 59*time.Second: true, 24*time.Hour + time.Minute: false} {
		if got := c.Stale(q, epoch.Add(age)) != nil; got != want {
			t.Errorf("after %v: %v", age, got)
		}
	}
}

// TestRenewGrace: an answer that is being refreshed goes on for three seconds, and one that is not does not.
func TestRenewGrace(t *testing.T) {
	for _, renews := range []bool{true, false} {
		c := New(Options{}, epoch)
		e := store(t, c, "a.example A\n a.example. 60 IN A 192.0.2.1", epoch)
		if renews {
			c.Renew(e)
		}
		q := query(t, "a.example", dns.TypeA)
		want(t, answer(t, c, q, epoch.Add(59*time.Second)), "0 a.example. 1 IN A 192.0.2.1")
		for age, line := range map[time.Duration]string{60 * time.Second: "0 a.example. 0 IN A 192.0.2.1",
			63*time.Second - 1: "0 a.example. 0 IN A 192.0.2.1", 63 * time.Second: "miss"} {
			if !renews {
				line = "miss"
			}
			want(t, answer(t, c, q, epoch.Add(age)), line)
		}
	}
}

// TestNegativeLives as long as the least of what the SOA and the proof say, and no longer than configured.
func TestNegativeLives(t *testing.T) {
	const soa = "\n authority:\n a.example. 100 IN SOA ns. host. 1 2 3 4 80"
	for _, x := range []struct {
		text string
		most time.Duration // Options.NegativeMaxTTL
		life time.Duration // seconds
	}{
		{"no.a.example A nx" + soa, 0, 80},
		{"no.a.example A" + soa, 0, 80},
		{"no.a.example A nx" + soa, 30 * time.Second, 30},
		{"no.a.example A nx" + soa + "\n a.example. 20 IN NSEC z.a.example. A", 0, 20},
		{"no.a.example A nx\n no.a.example. 10 IN CNAME b.a.example." + soa, 0, 10},
		{"no.a.example A\n no.a.example. 10 IN CNAME b.a.example." + soa, 0, 10},
		{"no.a.example A\n no.a.example. 1000 IN CNAME b.a.example." + soa, 0, 80},
		{"no.a.example A nx", 0, 5},
		{"no.a.example A nx", 2 * time.Second, 2},
		{"no.a.example A nx\n authority:\n b.example. 100 IN SOA ns. host. 1 2 3 4 80", 0, 5},                          // a stranger's
		{"no.a.example A nx\n no.a.example. 1000 IN A 192.0.2.1" + soa, 0, 80},                                         // data beside "no such name"
		{"no.a.example A\n no.a.example. 1000 IN CNAME b.a.example.\n no.a.example. 1000 IN A 192.0.2.1" + soa, 0, 80}, // beside a CNAME
		{"no.a.example ANY nx" + soa, 0, 80},
		{"no.a.example ANY\n no.a.example. 50 IN TXT x", 0, 50}, // not negative at all
	} {
		c := New(Options{NegativeMaxTTL: x.most}, epoch)
		e := store(t, c, x.text, epoch)
		q := query(t, "no.a.example", e.Type())
		if got := c.Expires(e).Sub(epoch); got != x.life*time.Second {
			t.Errorf("%s: lives %v", x.text, got)
		}
		if m := answer(t, c, q, epoch.Add(x.life*time.Second-1)); m == nil {
			t.Errorf("%s: gone too early", x.text)
		} else if strings.Contains(x.text, "no.a.example A nx"+soa) && x.most == 0 && !strings.Contains(x.text, "NSEC") && m.Ns[0].Header().Ttl != 1 {
			t.Errorf("%s: the SOA's TTL is not what is left:\n%v", x.text, m)
		}
		want(t, answer(t, c, q, epoch.Add(x.life*time.Second)), "miss")
	}
}
