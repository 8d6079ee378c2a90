package cache

import (
	"slices"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/mxglue/mxglue/cache/wire"
)

// TestAll finds what is remembered at every rank, alive or not, for whomever; and looking leaves no trace.
func TestAll(t *testing.T) {
	c := New(Options{}, epoch)
	q := query(t, "mx.a.example", dns.TypeA, "other")
	ranks := func() (all []Rank) {
		for _, e := range c.All(q) {
			all = append(all, e.Rank())
		}
		return all
	}
	if got := ranks(); got != nil {
		t.Errorf("before anything came: ranks %v", got)
	}
	if _, err := c.Store(response(t, "mx.a.example A\n mx.a.example. 60 IN A 192.0.2.1"), Origin{CD: true}, epoch); err != nil {
		t.Fatal(err)
	}
	store(t, c, mxOfA, epoch)
	fail(c, "mx.a.example.", epoch)
	if got, want := ranks(), []Rank{RankGlue, RankFailure, RankAnswer}; !slices.Equal(got, want) || !c.Known(c.All(q)[2], epoch).CD {
		t.Errorf("ranks %v, want %v, the last for CD", got, want)
	}
	store(t, c, "mx.a.example A\n mx.a.example. 1 IN A 192.0.2.25", epoch)
	if got, want := ranks(), []Rank{RankAnswer, RankFailure, RankAnswer}; !slices.Equal(got, want) {
		t.Errorf("with an answer: ranks %v, want %v", got, want)
	}
	if k := c.Known(c.All(q)[0], epoch.Add(time.Minute)); k.State != "stale" || k.Hits != 0 {
		t.Errorf("a minute later: %+v", k)
	}
	if st := c.Stats(); st.Hits != 0 || st.Misses != 0 {
		t.Errorf("counted: %+v", st)
	}
}

// A failure tells why in the words it came with, which cannot command a terminal; what is no EDE option ends them.
func TestWhyOfAFailure(t *testing.T) {
	for want, options := range map[string][]byte{
		"":                     nil,
		"no response from x":   wire.EDE(wire.EDENetworkError, "no response from x"),
		"bogus?[2J; no answer": append(append(wire.EDE(6, "bogus\x1b[2J"), wire.EDE(9, "")...), wire.EDE(22, "no answer")...),
		"one":                  append(wire.EDE(6, "one"), 0, 15, 0, 9, 0, 6, 'c', 'u', 't'),
	} {
		c := New(Options{}, epoch)
		e := c.Failure(dns.Question{Name: "a.example.", Qtype: dns.TypeMX, Qclass: dns.ClassINET}, Origin{}, options, epoch)
		if got := c.Known(e, epoch).Why; got != want {
			t.Errorf("why %q, want %q", got, want)
		}
	}
}

// A claim tells the rival and how long both keep the host from glue, until that is over.
func TestClaimIsTold(t *testing.T) {
	c := New(Options{}, epoch)
	q := query(t, "mail.bank.example", dns.TypeA)
	say := func(owner, address string) {
		store(t, c, owner+" MX\n "+owner+". 172800 IN MX 1 mail.bank.example.\n additional:\n mail.bank.example. 60 IN A "+address, epoch)
	}
	if got, ok := c.Claim(q, epoch); ok {
		t.Errorf("before anybody spoke: %+v", got)
	}
	say("bank.example", "192.0.2.25")
	if got, ok := c.Claim(q, epoch); !ok || got != (Claim{Owner: "bank.example."}) {
		t.Errorf("one owner: %+v, %v", got, ok)
	}
	say("evil.example", "203.0.113.66")
	const hour = 3600
	for age, want := range map[time.Duration]Claim{
		time.Hour:      {Owner: "bank.example.", Rival: "evil.example.", Barred: 23 * hour, Refused: "claimed"},
		24 * time.Hour: {Owner: "bank.example."},
	} {
		if got, ok := c.Claim(q, epoch.Add(age)); !ok || got != want {
			t.Errorf("after %v: %+v, %v; want %+v", age, got, ok, want)
		}
	}
	if got, ok := c.Claim(q, epoch.Add(72*time.Hour)); ok {
		t.Errorf("when both are forgotten: %+v", got)
	}
}
