package cache

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// TestLongestTTL: a TTL is taken for seven days at most, wherever it stands, and the client is not told the number (RFC 8767
// §4). One with the top bit set is such a one, and no 0.
func TestLongestTTL(t *testing.T) {
	for _, x := range []struct{ what, text, name, qtype, want string }{
		{"answer", "a.example A\n a.example. %s IN A 192.0.2.1", "a.example", "A", "0 a.example. 604800 IN A 192.0.2.1"},
		{"least of two", "a.example A\n a.example. 60 IN CNAME b.example.\n b.example. %s IN A 192.0.2.1", "a.example", "A",
			"0 a.example. 60 IN CNAME b.example.\n0 b.example. 604800 IN A 192.0.2.1"},
		{"beside", "a.example MX\n a.example. %s IN MX 1 mx.b.example.\n authority:\n example. %s IN NS ns.\n additional:\n mx.b.example. %s IN AAAA 2001:db8::1", "a.example", "MX",
			"0 a.example. 604800 IN MX 1 mx.b.example.\n1 example. 604800 IN NS ns.\n2 mx.b.example. 604800 IN AAAA 2001:db8::1"},
		{"glue", "a.example MX\n a.example. 60 IN MX 1 mx.a.example.\n additional:\n mx.a.example. %s IN A 192.0.2.1", "mx.a.example", "A", "0 mx.a.example. 300 IN A 192.0.2.1"},
		{"negative", "a.example A nx\n authority:\n example. %s IN SOA ns. host. 1 2 3 4 60", "a.example", "A", "1 example. 60 IN SOA ns. host. 1 2 3 4 60"},
	} {
		for _, ttl := range []string{"604801", "2147483647", "2147483648", "4294967295"} {
			t.Run(x.what+" "+ttl, func(t *testing.T) {
				c := New(Options{}, epoch)
				store(t, c, strings.ReplaceAll(x.text, "%s", ttl), epoch)
				want(t, answer(t, c, query(t, x.name, dns.StringToType[x.qtype]), epoch), x.want)
			})
		}
	}
	c := New(Options{MaxTTL: time.Hour}, epoch)
	store(t, c, "a.example A\n a.example. 4294967295 IN A 192.0.2.1", epoch)
	want(t, answer(t, c, query(t, "a.example", dns.TypeA), epoch), "0 a.example. 3600 IN A 192.0.2.1")
}

// TestTruncatedIsNotKept: half an answer is nobody's answer later (RFC 1035 §7.4).
func TestTruncatedIsNotKept(t *testing.T) {
	c := New(Options{}, epoch)
	store(t, c, "a.example MX tc\n a.example. 600 IN MX 1 mx.a.example.", epoch)
	want(t, answer(t, c, query(t, "a.example", dns.TypeMX), epoch), "miss")
	store(t, c, "b.example MX tc", epoch) // nothing came through at all, which is no NODATA
	want(t, answer(t, c, query(t, "b.example", dns.TypeMX), epoch), "miss")
}

// TestWildcardProof: the NSEC that proves a wildcard's answer is part of it for a client with DO (RFC 4035 §3.1.3.3).
func TestWildcardProof(t *testing.T) {
	const sig = " 13 2 %s 20300101000000 20260101000000 1 a.example. AAAA"
	text := "www.a.example A ad\n www.a.example. 3600 IN A 192.0.2.1\n www.a.example. 3600 IN RRSIG A" + fmt.Sprintf(sig, "3600") +
		"\n authority:\n a.example. 300 IN NSEC z.a.example. A NSEC RRSIG\n a.example. 300 IN RRSIG NSEC" + fmt.Sprintf(sig, "300")
	c := New(Options{}, epoch)
	store(t, c, text, epoch)
	do := query(t, "www.a.example", dns.TypeA, "do")
	for _, age := range []time.Duration{0, 299} {
		if m := answer(t, c, do, epoch.Add(age*time.Second)); m == nil || len(m.Answer) != 2 || len(m.Ns) != 2 {
			t.Errorf("after %d s the proof is missing:\n%v", age, m)
		}
	}
	want(t, answer(t, c, do, epoch.Add(300*time.Second)), "miss") // the answer ends with its proof
	do.Limit = 160
	if m := answer(t, c, do, epoch); m == nil || len(m.Answer) != 2 || len(m.Ns) != 0 || !m.Truncated {
		t.Errorf("the proof did not fit, and TC is not set:\n%v", m)
	}
	plain := query(t, "www.a.example", dns.TypeA)
	plain.Limit = 47
	if m := answer(t, c, plain, epoch); m == nil || m.Truncated || len(m.Answer) != 1 {
		t.Errorf("who sets no DO needs no proof:\n%v", m)
	}
}

// TestNoSuchMessage: what cannot become one message is an error, and leaves nothing behind.
func TestNoSuchMessage(t *testing.T) {
	links := func(n int) string {
		text := "n0.example A"
		for i := range n {
			text += fmt.Sprintf("\n n%d.example. 60 IN CNAME n%d.example.", i, i+1)
		}
		return text + fmt.Sprintf("\n n%d.example. 60 IN A 192.0.2.1", n)
	}
	long := "n0.example TXT" // names that compress nothing
	for i := range 300 {
		long += fmt.Sprintf("\n n0.example. 60 IN TXT \"%d%s\"", i, strings.Repeat("x", 220))
	}
	for what, text := range map[string]string{
		"a loop of one": "n0.example A\n n0.example. 60 IN CNAME N0.example.",
		"a loop of two": "n0.example A\n n0.example. 60 IN CNAME b.example.\n b.example. 60 IN CNAME n0.example.",
		"13 links":      links(13), "66000 octets": long,
	} {
		c := New(Options{}, epoch)
		m := response(t, text)
		qtype := m.Question[0].Qtype
		_, err := c.Store(m, Origin{}, epoch)
		if err == nil || errors.Is(err, ErrChain) == (what == "66000 octets") {
			t.Errorf("%s: error %v", what, err)
		}
		want(t, answer(t, c, query(t, "n0.example", qtype), epoch), "miss")
	}
	c := New(Options{}, epoch)
	store(t, c, links(12), epoch)
	if m := answer(t, c, query(t, "n0.example", dns.TypeA), epoch); m == nil || len(m.Answer) != 13 {
		t.Errorf("12 links are allowed:\n%v", m)
	}
}

// TestTooManyRecords: a response of more than 256 records answers who waits, and is not kept.
func TestTooManyRecords(t *testing.T) {
	for n, kept := range map[int]bool{256: true, 257: false} {
		c := New(Options{Log: slog.New(slog.DiscardHandler)}, epoch)
		text := "a.example A"
		for i := range n {
			text += fmt.Sprintf("\n a.example. 60 IN A 10.0.%d.%d", i/256, i%256)
		}
		e := store(t, c, text, epoch)
		q := query(t, "a.example", dns.TypeA, "tcp")
		if m := sound(t, c.Append(nil, e, q, epoch), q); len(m.Answer) != n {
			t.Errorf("%d of %d records", len(m.Answer), n)
		}
		if hit := answer(t, c, q, epoch) != nil; hit != kept {
			t.Errorf("%d records: kept %v", n, hit)
		}
		if counted := c.Stats().NotKept == 1; counted == kept {
			t.Errorf("%d records: counted as not kept: %v", n, counted)
		}
	}
}
