package cache

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// TestClaims plays who says what of mail.bank.example, hour by hour. Each word is an MX response of one owner with an
// address beside it, and the result whether that address is glue from then on.
func TestClaims(t *testing.T) {
	type word struct {
		hour    float64
		owner   string
		address string // "" for none
		glue    string // what a client is told then, "" for nothing
	}
	for name, words := range map[string][]word{
		"one owner changes its mind": {{0, "bank.example", "192.0.2.25", "192.0.2.25"}, {1, "bank.example", "192.0.2.26", "192.0.2.26"}},
		"two agree":                  {{0, "bank.example", "192.0.2.25", "192.0.2.25"}, {1, "b.example", "192.0.2.25", "192.0.2.25"}},
		"two differ, and nobody is believed for a day": {
			{0, "bank.example", "192.0.2.25", "192.0.2.25"}, {1, "evil.example", "203.0.113.66", ""}, {2, "bank.example", "192.0.2.25", ""},
			{24.9, "evil.example", "203.0.113.66", ""}, {25, "bank.example", "192.0.2.25", "192.0.2.25"}},
		"one owner's word is forgotten after a day": {
			{0, "bank.example", "192.0.2.25", "192.0.2.25"}, {23.9, "evil.example", "203.0.113.66", ""}},
		"and then another may speak": {
			{0, "old.example", "192.0.2.25", "192.0.2.25"}, {24.1, "bank.example", "192.0.2.26", "192.0.2.26"}}, // the response may be given stale for a day after its TTL,
		"every word counts a day from when it was last said": {
			{0, "bank.example", "192.0.2.25", "192.0.2.25"}, {20, "bank.example", "192.0.2.25", "192.0.2.25"}, {43.9, "evil.example", "203.0.113.66", ""}},
		"what two have said counts a day from the second": {
			{0, "bank.example", "192.0.2.25", "192.0.2.25"}, {20, "b.example", "192.0.2.25", "192.0.2.25"}, {43.9, "evil.example", "203.0.113.66", ""}},
		"what two have said neither changes alone": {
			{0, "bank.example", "192.0.2.25", "192.0.2.25"}, {1, "evil.example", "192.0.2.25", "192.0.2.25"}, {2, "evil.example", "203.0.113.66", ""}},
		"a name without an address disagrees": {
			{0, "bank.example", "", ""}, {1, "evil.example", "203.0.113.66", ""}},
	} {
		c := New(Options{Log: slog.New(slog.DiscardHandler)}, epoch)
		for _, w := range words {
			now := epoch.Add(time.Duration(w.hour * float64(time.Hour)))
			text := w.owner + " MX\n " + w.owner + ". 60 IN MX 1 mail.bank.example."
			if w.address != "" {
				text += "\n additional:\n mail.bank.example. 60 IN A " + w.address
			}
			store(t, c, text, now)
			m := answer(t, c, query(t, "mail.bank.example", dns.TypeA), now)
			told := ""
			if m != nil {
				told = m.Answer[0].(*dns.A).A.String()
			}
			if told != w.glue {
				t.Errorf("%s: in hour %v %s says %q, and the client is told %q instead of %q", name, w.hour, w.owner, w.address, told, w.glue)
			}
		}
	}
}

// TestDiffers counts the answers that contradict what is glue at that moment, and no others.
func TestDiffers(t *testing.T) {
	const mx, other = "a.example MX\n a.example. 600 IN MX 1 mx.a.example.\n additional:\n mx.a.example. 60 IN A 192.0.2.1",
		"b.example MX\n b.example. 600 IN MX 1 mx.a.example.\n additional:\n mx.a.example. 60 IN A 192.0.2.9"
	const same, another = "mx.a.example A\n mx.a.example. 60 IN A 192.0.2.1", "mx.a.example A\n mx.a.example. 60 IN A 192.0.2.2"
	for _, x := range []struct {
		what   string
		texts  []string
		age    time.Duration // of the glue when the last of the texts comes
		differ uint64
	}{
		{"the same", []string{mx, same}, 1, 0},
		{"another", []string{mx, another}, 59, 1},
		{"another, when the glue has ended", []string{mx, another}, 60, 0},
		{"another, when the glue was disputed", []string{mx, other, another}, 1, 0},
		{"nothing of the kind before", []string{another}, 0, 0},
	} {
		for _, glue := range []GluePolicy{Trust, Verify} {
			c := New(Options{Glue: glue, Log: slog.New(slog.DiscardHandler)}, epoch)
			for i, text := range x.texts {
				now := epoch
				if i == len(x.texts)-1 {
					now = epoch.Add(x.age * time.Second)
				}
				store(t, c, text, now)
			}
			if st := c.Stats(); st.GlueDiffers != x.differ {
				t.Errorf("%s (%s): %d", x.what, glue, st.GlueDiffers)
			}
		}
	}
}

// TestFlushForgetsClaims: after a flush the hosts of a domain may be said to be elsewhere.
func TestFlushForgetsClaims(t *testing.T) {
	c := New(Options{}, epoch)
	store(t, c, mxOfA, epoch)
	if n := c.Flush("a.example"); n != 3 {
		t.Errorf("%d entries flushed", n)
	}
	for _, qtype := range []uint16{dns.TypeMX, dns.TypeA, dns.TypeAAAA} {
		for _, name := range []string{"a.example", "mx.a.example"} {
			want(t, answer(t, c, query(t, name, qtype), epoch), "miss")
		}
	}
	store(t, c, "b.example MX\n b.example. 60 IN MX 1 mx.a.example.\n additional:\n mx.a.example. 60 IN A 192.0.2.99", epoch)
	want(t, answer(t, c, query(t, "mx.a.example", dns.TypeA), epoch), "0 mx.a.example. 60 IN A 192.0.2.99")
}

// TestFlushForgetsBars: the two who disagree on a host keep it from getting glue, and then nothing is cached of it. A flush of
// either, or of the host, ends that.
func TestFlushForgetsBars(t *testing.T) {
	for _, domain := range []string{"bank.example", "evil.example", "mail.bank.example"} {
		c := New(Options{}, epoch)
		for _, owner := range []string{"bank.example.", "evil.example."} {
			address := map[string]string{"bank.example.": "192.0.2.1", "evil.example.": "203.0.113.66"}[owner]
			store(t, c, owner+" MX\n "+owner+" 60 IN MX 1 mail.bank.example.\n additional:\n mail.bank.example. 60 IN A "+address, epoch)
		}
		q := query(t, "mail.bank.example", dns.TypeA)
		if claim, ok := c.Claim(q, epoch); !ok || claim.Barred == 0 || len(c.All(q)) > 0 {
			t.Fatalf("%+v, %v: want a host that is barred, and no address of it", claim, ok)
		}
		c.Flush(domain)
		if claim, ok := c.Claim(q, epoch); ok {
			t.Errorf("%s is flushed, and there is %+v", domain, claim)
		}
	}
}

// TestSaved adds up the round trips that glue and a bundle's answers spared, and no others.
func TestSaved(t *testing.T) {
	c := New(Options{}, epoch)
	for i, text := range []string{mxOfA, "b.example A\n b.example. 60 IN A 192.0.2.1", "c.example A\n c.example. 60 IN A 192.0.2.1"} {
		from := Origin{Client: mta, RTT: time.Duration(i+1) * time.Second, By: []By{ByClient, ByBundle, ByClient}[i]}
		if _, err := c.Store(response(t, text), from, epoch); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"a.example", "mx.a.example", "mx.a.example", "b.example", "c.example"} {
		answer(t, c, query(t, name, map[bool]uint16{true: dns.TypeMX, false: dns.TypeA}[name == "a.example"]), epoch)
	}
	// The second hit on mx.a.example is any cache's.
	queries, wait := c.Saved()
	if st := c.Stats(); queries != 2 || wait != 3*time.Second || st.GlueHits != 2 || st.BundleHits != 1 || st.Hits != 5 {
		t.Errorf("%d and %v saved: %+v", queries, wait, st)
	}
}

// A stranger's domain can let its addresses differ as often as it likes. It is counted each time, and logged seldom.
func TestDiffersSeldomLogged(t *testing.T) {
	var log strings.Builder
	c := New(Options{Log: slog.New(slog.NewTextHandler(&log, nil))}, epoch)
	differ := func(i int, now time.Time) {
		store(t, c, fmt.Sprintf("d%d.example MX\n d%[1]d.example. 60 IN MX 1 mx.d%[1]d.example.\n additional:\n mx.d%[1]d.example. 60 IN A 192.0.2.1", i), now)
		store(t, c, fmt.Sprintf("mx.d%d.example A\n mx.d%[1]d.example. 60 IN A 192.0.2.2", i), now)
	}
	for i := range 100 {
		differ(i, epoch)
	}
	if n := strings.Count(log.String(), "glue differs"); n != 5 {
		t.Errorf("%d lines, want 5", n)
	}
	for minute := range 3 {
		differ(100+minute, epoch.Add(time.Duration(minute+1)*time.Minute))
	}
	if n := strings.Count(log.String(), "glue differs"); n != 8 {
		t.Errorf("%d lines three minutes later, want 8", n)
	}
	if n := c.Stats().GlueDiffers; n != 103 {
		t.Errorf("%d counted, want 103", n)
	}
}

// However many hosts strangers name, the book of who named them has its bounds: a quarter of the entries and an eighth of
// the memory, by the options of now.
func TestClaimsAreBounded(t *testing.T) {
	c := New(Options{Entries: 100_000, Memory: 16 << 20}, epoch)
	flood := func() int {
		for i := range uint64(30_000) {
			c.claims.note(i, "a.example.", i|1, 0, time.Hour)
		}
		return c.claims.lru.Len()
	}
	if got := flood(); got != 8192 {
		t.Errorf("%d claims beside 16 MiB, want 8192", got)
	}
	c.Reconfigure(Options{Entries: 100_000, Memory: 256 << 20})
	if got := flood(); got != 25_000 {
		t.Errorf("%d claims beside 100000 entries, want 25000", got)
	}
	c.Reconfigure(Options{Entries: 100, Memory: 1 << 20})
	if got := c.claims.lru.Len(); got != leastClaims {
		t.Errorf("%d claims beside a small cache, want %d", got, leastClaims)
	}
}

// TestFlushForgetsBarsOfNothingCached: of a response with TTL 0 nothing is cached, and who is named in it is barred all the same. A
// flush of either of the two, or of everything, ends that.
func TestFlushForgetsBarsOfNothingCached(t *testing.T) {
	for _, domain := range []string{"bank.example", "evil.example", "mail.bank.example", "."} {
		c := New(Options{}, epoch)
		for owner, address := range map[string]string{"bank.example.": "192.0.2.1", "evil.example.": "203.0.113.66"} {
			store(t, c, owner+" MX\n "+owner+" 0 IN MX 1 mail.bank.example.\n additional:\n mail.bank.example. 60 IN A "+address, epoch)
		}
		q := query(t, "mail.bank.example", dns.TypeA)
		if claim, ok := c.Claim(q, epoch); !ok || claim.Barred == 0 || len(c.Dump(".", 10, epoch)) > 0 {
			t.Fatalf("%+v, %v: want a host that is barred, and nothing cached", claim, ok)
		}
		c.Flush(domain)
		if claim, ok := c.Claim(q, epoch); ok {
			t.Errorf("%s is flushed, and there is %+v", domain, claim)
		}
	}
}
