package cache

import (
	"cmp"
	"net/netip"
	"slices"
	"time"

	"github.com/miekg/dns"
)

// Known is what the cache says of one entry to people.
type Known struct {
	Name     string     `json:"name"`
	Type     string     `json:"type"`
	Rank     string     `json:"rank"`            // answer, glue, failure
	Rcode    string     `json:"rcode"`           // NOERROR, NXDOMAIN, SERVFAIL
	State    string     `json:"state"`           // live; stale: ended, and given only if upstream fails; expired
	TTL      int        `json:"ttl"`             // seconds left, 0 when it has ended
	Age      int        `json:"age"`             // seconds since it came
	AD       bool       `json:"ad"`              // the upstream set AD
	CD       bool       `json:"cd"`              // asked with CD: answers CD queries only
	By       string     `json:"by"`              // who had it asked: client, prober, bundle, refresh
	Client   netip.Addr `json:"client,omitzero"` // whom it was asked for; glue answers this one alone
	Upstream string     `json:"upstream"`        //
	Hits     uint32     `json:"hits"`            // of late, beyond 64 about: halved whenever it is fetched anew
	Records  []string   `json:"records"`         // the answer section in zone file form, TTLs as they came
	Why      string     `json:"why,omitempty"`   // of a failure: in words (RFC 8914), the upstream's or ours
}

// Dump returns what is known at or below a domain, "." being everything, by name and type, at most the given number.
func (c *Cache) Dump(domain string, most int, now time.Time) []Known {
	domain, at := dns.CanonicalName(domain), c.since(now)
	all := []Known{}
	c.each(func(e *Entry) {
		if name := e.Name(); dns.IsSubDomain(domain, name) {
			all = append(all, e.known(name, at))
		}
	})
	slices.SortFunc(all, func(a, b Known) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Type, b.Type), cmp.Compare(a.Rank, b.Rank))
	})
	return all[:min(len(all), most)]
}

func (e *Entry) known(name string, at time.Duration) Known {
	from := e.source.Value()
	k := Known{
		Name: name, Type: dns.Type(e.Type()).String(), Rcode: dns.RcodeToString[e.Rcode()], State: "expired",
		Rank: [...]string{RankFailure: "failure", RankGlue: "glue", RankAnswer: "answer"}[e.rank],
		Age:  int((at - e.arrived) / time.Second), AD: e.is(authentic), CD: e.is(asDisabled),
		By:     [...]string{ByClient: "client", ByProber: "prober", ByBundle: "bundle", ByRefresh: "refresh"}[e.by],
		Client: from.client, Upstream: from.upstream, Hits: e.hits.Load(), Records: []string{}, Why: e.why(),
	}
	switch {
	case e.lives(at):
		k.State, k.TTL = "live", int((e.expires()-at)/time.Second)
	case at < e.staleUntil():
		k.State = "stale"
	}
	if m, err := e.Msg(); err == nil {
		for _, rr := range m.Answer {
			k.Records = append(k.Records, rr.String())
		}
	}
	return k
}

// Asked is a question and how often it was asked of late.
type Asked struct {
	Name string
	Type uint16
	Hits uint32
}

// Hottest returns the questions asked most by clients, at most n, the most asked first. Questions with CD, and those that
// only glue or a failure answers, are left out.
func (c *Cache) Hottest(n int) []Asked {
	var all []Asked
	c.each(func(e *Entry) {
		if e.rank == RankAnswer && !e.is(asDisabled) && e.hits.Load() > 0 {
			all = append(all, Asked{e.Name(), e.Type(), e.hits.Load()})
		}
	})
	slices.SortFunc(all, func(a, b Asked) int {
		return cmp.Or(cmp.Compare(b.Hits, a.Hits), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Type, b.Type))
	})
	return all[:min(len(all), n)]
}

// each calls f for every entry. The locks are held for as long as it takes to copy a shard's list, so that hits go on.
func (c *Cache) each(f func(e *Entry)) {
	for i := range c.shards {
		s := &c.shards[i]
		s.mu.Lock()
		entries := make([]*Entry, 0, len(s.book))
		s.each(func(e *Entry) { entries = append(entries, e) })
		s.mu.Unlock()
		for _, e := range entries {
			f(e)
		}
	}
}

// Flushes returns how many flushes there have been. A response to a question that began before the last one is not kept.
func (c *Cache) Flushes() uint64 { return c.flushes.Load() }

// Flush forgets what is known at or below a domain, and of each MX answer among it the addresses and TLSA records of its
// hosts and who claimed them; and what claims on other hosts come from there. It returns how many entries that were.
func (c *Cache) Flush(domain string) int {
	c.flushes.Add(1)
	domain = dns.CanonicalName(domain)
	names := map[string]bool{domain: true}
	c.each(func(e *Entry) {
		name := e.Name()
		if !dns.IsSubDomain(domain, name) {
			return
		}
		names[name] = true
		if e.Type() == dns.TypeMX || e.Type() == dns.TypeSRV {
			hosts, _ := e.Targets()
			for _, host := range hosts {
				names[host], names["_25._tcp."+host] = true, true
			}
		}
	})
	removed := c.remove(func(e *Entry) bool { return names[e.Name()] })
	c.claims.forgetOf(domain) // also where the MX answer is not cached any more, or never was
	for name := range names { // hosts without an address, too: who is barred has none
		for _, t := range [...]uint16{dns.TypeA, dns.TypeAAAA} {
			c.claims.forget(c.hashOf(question{name, t}))
		}
	}
	return removed
}

// remove takes the entries away of which f says so, and returns how many they were.
func (c *Cache) remove(f func(e *Entry) bool) (removed int) {
	for i := range c.shards {
		s := &c.shards[i]
		s.mu.Lock()
		s.each(func(e *Entry) {
			if f(e) {
				s.discard(s.slotOf(e), e)
				removed++
			}
		})
		s.tidy()
		s.mu.Unlock()
	}
	return removed
}
