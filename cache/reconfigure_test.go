package cache

import (
	"testing"
	"time"

	"github.com/miekg/dns"
)

// A smaller cache holds less at once, and never more than it was made for.
func TestReconfigureRoom(t *testing.T) {
	c := New(Options{Entries: 1000}, epoch)
	fill(t, c, 0, 1000, epoch)
	full := c.Stats()
	c.Reconfigure(Options{Entries: 100})
	if st := c.Stats(); st.Entries != 100 || st.Capacity != 100 || st.Evicted != full.Evicted+uint64(full.Entries)-100 {
		t.Errorf("%d entries of %d, %d evicted; want 100 and the rest evicted, of %d", st.Entries, st.Capacity, st.Evicted, full.Entries)
	}
	c.Reconfigure(Options{Entries: 5000})
	fill(t, c, 1000, 4000, epoch)
	if st := c.Stats(); st.Capacity != 1000 || st.Entries > 1000 || st.Entries < 900 {
		t.Errorf("%d entries of %d, want the 1000 that it was made for", st.Entries, st.Capacity)
	}
	c.Reconfigure(Options{Entries: 1000, Memory: full.Octets / 4})
	if st := c.Stats(); st.Octets > full.Octets/4 || st.Entries == 0 || st.EvictedMemory == 0 {
		t.Errorf("%d octets in %d entries, want at most %d", st.Octets, st.Entries, full.Octets/4)
	}
}

// Glue that another rule holds for is gone at once, and comes back by the new rule; answers stay.
func TestReconfigureGlue(t *testing.T) {
	for name, o := range map[string]Options{
		"ignore":  {Glue: Ignore},
		"verify":  {Glue: Verify},
		"all":     {GlueForAll: true},
		"shorter": {GlueMaxTTL: time.Minute},
		"private": {GluePrivate: true},
	} {
		c := New(Options{}, epoch)
		store(t, c, mxOfA, epoch)
		c.Reconfigure(o)
		want(t, answer(t, c, query(t, "mx.a.example", dns.TypeA), epoch), "miss")
		if answer(t, c, query(t, "a.example", dns.TypeMX), epoch) == nil {
			t.Errorf("%s: the MX answer is gone, too", name)
		}
		store(t, c, mxOfA, epoch)
		there := answer(t, c, query(t, "mx.a.example", dns.TypeA), epoch) != nil
		if there != (o.Glue == "") {
			t.Errorf("%s: glue that came later is there: %v", name, there)
		}
		if all := answer(t, c, query(t, "mx.a.example", dns.TypeA, "other"), epoch) != nil; all != o.GlueForAll {
			t.Errorf("%s: another client is answered from it: %v", name, all)
		}
	}
	c := New(Options{}, epoch)
	store(t, c, mxOfA, epoch)
	c.Reconfigure(Options{MaxTTL: time.Minute})
	if answer(t, c, query(t, "mx.a.example", dns.TypeA), epoch) == nil {
		t.Error("glue is gone although its rules are the same")
	}
}

// What was stored keeps its life; what comes has the new bounds.
func TestReconfigureTTLs(t *testing.T) {
	c := New(Options{}, epoch)
	store(t, c, "old.example A\n old.example. 600 IN A 192.0.2.1", epoch)
	c.Reconfigure(Options{MaxTTL: time.Minute})
	store(t, c, "new.example A\n new.example. 600 IN A 192.0.2.1", epoch)
	for name, ttl := range map[string]uint32{"old.example": 600, "new.example": 60} {
		m := answer(t, c, query(t, name, dns.TypeA), epoch)
		if m == nil || m.Answer[0].Header().Ttl != ttl {
			t.Errorf("%s: %v, want TTL %d", name, m, ttl)
		}
	}
}

// Zones that others are asked about now and failures are forgotten, and nothing comes of what was asked before.
func TestRerouted(t *testing.T) {
	c := New(Options{}, epoch)
	before := Origin{Client: mta, Flushes: c.Flushes()}
	for _, text := range []string{
		"corp.example A\n corp.example. 60 IN A 192.0.2.1", "mail.Corp.example A\n mail.corp.example. 60 IN A 192.0.2.1",
		"xcorp.example A\n xcorp.example. 60 IN A 192.0.2.1", "example A\n example. 60 IN A 192.0.2.1",
	} {
		store(t, c, text, epoch)
	}
	fail(c, "b.example.", epoch)
	if n := c.Rerouted(map[string]bool{"corp.example.": true}); n != 3 {
		t.Errorf("%d forgotten, want two names and a failure", n)
	}
	left := ""
	for _, k := range c.Dump(".", 9, epoch) {
		left += k.Name + " "
	}
	if left != "example. xcorp.example. " {
		t.Errorf("left are %q", left)
	}
	late := dns.Question{Name: "late.example.", Qtype: dns.TypeA, Qclass: dns.ClassINET}
	if e := c.Failure(late, before, nil, epoch); e == nil {
		t.Error("who waits gets no SERVFAIL")
	}
	want(t, answer(t, c, query(t, "late.example", dns.TypeA), epoch), "miss")
	if n := c.Rerouted(map[string]bool{".": true}); n != 2 {
		t.Errorf("%d forgotten, want all that are left", n)
	}
}
