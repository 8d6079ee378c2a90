package cache

import (
	"hash/maphash"
	"maps"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
	"github.com/miekg/dns"
	"golang.org/x/time/rate"
)

// claimLife is how long it is remembered who named a host with which addresses, and how long a host that two MX owners
// disagree on gets no glue.
const claimLife = 24 * time.Hour

// leastClaims keeps the book useful beside a small cache. What it holds at most is also what it takes to wash a claim out: a
// stranger would have to make this mail server ask for 64 MX answers of 32 hosts each, and by the defaults for 390.
const leastClaims = 4096

// claimSize is what a claim takes up, octets, with names of common length; 2300 with the longest there are.
const claimSize = 256

// claims returns how many claims the book holds at most: a stranger can fill it, and is to get no more than an eighth of the
// room that entries have.
func (o Options) claims() int {
	return max(min(o.Entries/4, o.Memory/8/claimSize), leastClaims)
}

// claims is the book of who says what of which host: guard 6. evil.example may name mail.bank.example as its exchanger
// and put any address beside it; once anybody else names that host with another address, or names it without one,
// nobody's glue is believed.
type claims struct {
	// deciding is held from the first look into the book until the glue is in its place, and while an answer takes glue
	// away: else glue could slip in behind the very word that refutes it. It is taken before mu and the shards' locks.
	deciding sync.Mutex

	mu      sync.Mutex
	lru     *simplelru.LRU[uint64, *claim] // by the hash of the address question
	stored  uint64
	differs uint64
	refused map[refusal]uint64

	tell *rate.Limiter // of the log: a stranger's domain can let its addresses differ at will
}

type claim struct {
	owner  string        // the MX owner that named the host; "" if several did, all saying the same
	set    uint64        // setHash of the addresses it gave
	ends   time.Duration // of the claim
	barred time.Duration // no glue before this
	glue   time.Duration // the set is, or in verify mode would be, glue until this

	rival   string  // who said otherwise before barred began; for people
	refused refusal // what kept the latest offer from becoming glue; for people
}

func (cs *claims) init(size int) {
	cs.lru, _ = simplelru.NewLRU[uint64, *claim](size, nil) // errs on sizes below 1 only
	cs.refused = make(map[refusal]uint64)
	cs.tell = rate.NewLimiter(rate.Every(time.Minute), 5)
}

func (cs *claims) resize(size int) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	cs.lru.Resize(size)
}

// note writes down that owner names a host with this set, 0 being none, and returns claimed if somebody else disagrees. A
// claim lasts as long as the response that made it can be given, and for a day at least.
func (cs *claims) note(hash uint64, owner string, set uint64, at, until time.Duration) refusal {
	ends := max(at+claimLife, until)
	cs.mu.Lock()
	defer cs.mu.Unlock()
	old, ok := cs.lru.Get(hash)
	switch {
	case ok && at < old.barred:
		return claimed
	case !ok || at >= old.ends || old.owner == owner:
		cs.lru.Add(hash, &claim{owner: owner, set: set, ends: ends})
		return agreed
	case old.set == set:
		old.owner, old.ends = "", max(old.ends, ends) // from now on nobody can change it alone
		return agreed
	}
	old.barred, old.ends, old.glue, old.rival = at+claimLife, max(old.ends, ends), 0, owner
	return claimed
}

// promoted writes down that the set noted for hash is glue until the given instant.
func (cs *claims) promoted(hash uint64, until time.Duration, stored bool) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	if stored {
		cs.stored++
	}
	if cl, ok := cs.lru.Peek(hash); ok {
		cl.glue = until
	}
}

// differ says whether a set that is glue now differs from an answer's, and counts it; owner is who brought the glue.
func (cs *claims) differ(hash, set uint64, at time.Duration) (owner string, yes bool) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	cl, ok := cs.lru.Peek(hash)
	if !ok || at >= cl.glue || cl.set == set {
		return "", false
	}
	cs.differs++
	return cl.owner, true
}

// refuse counts a refusal, and writes it down where the host of hash has been named; 0 is no host.
func (cs *claims) refuse(hash uint64, why refusal) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	cs.refused[why]++
	if cl, ok := cs.lru.Peek(hash); ok {
		cl.refused = why
	}
}

func (cs *claims) stats(st *Stats) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	st.GlueStored, st.GlueDiffers = cs.stored, cs.differs
	st.GlueRefused = make(map[string]uint64, len(cs.refused))
	for why, n := range maps.All(cs.refused) {
		st.GlueRefused[string(why)] = n
	}
}

// answersAddress says whether e is what an address question that glue could answer is told.
func (e *Entry) answersAddress(q dns.Question) bool {
	return !e.is(asDisabled) && (q.Qtype == dns.TypeA || q.Qtype == dns.TypeAAAA)
}

// settle makes an address answer with this set the last word on its question: what was glue there is gone, and a
// difference is told: five at once, and one a minute.
func (c *Cache) settle(hash uint64, e *Entry, set uint64) {
	c.claims.deciding.Lock()
	c.shard(hash).remove(hash, RankGlue)
	c.claims.deciding.Unlock()
	if owner, yes := c.claims.differ(hash, set, e.arrived); yes && c.claims.tell.AllowN(c.start.Add(e.arrived), 1) {
		c.log.Warn("glue differs from the answer", "host", e.Name(), "type", dns.TypeToString[e.Type()],
			"mx_owner", owner, "upstream", e.source.Value().upstream)
	}
}

// setHash returns a number that is equal for equal sets of addresses, 0 for none.
func (c *Cache) setHash(set []dns.RR) uint64 {
	var room [maxAddresses]netip.Addr
	all := room[:0]
	for _, rr := range set {
		all = append(all, addressOf(rr))
	}
	return c.setOf(all)
}

// setOf is setHash for the addresses themselves, whose order it changes.
func (c *Cache) setOf(all []netip.Addr) uint64 {
	if len(all) == 0 {
		return 0
	}
	slices.SortFunc(all, netip.Addr.Compare)
	var h maphash.Hash
	h.SetSeed(c.seed)
	for _, a := range slices.Compact(all) {
		octets := a.As16()
		h.Write(octets[:])
	}
	return h.Sum64() | 1
}

// addressSet returns the setHash of what an A or AAAA response says of its very QNAME: 0 if it says that there is
// nothing, or leads elsewhere by a CNAME, which no exchanger may be (RFC 2181 §10.3).
func (c *Cache) addressSet(m *dns.Msg, end string) uint64 {
	q := m.Question[0]
	if (q.Qtype != dns.TypeA && q.Qtype != dns.TypeAAAA) || dns.CanonicalName(q.Name) != end {
		return 0
	}
	return c.setHash(keep(m.Answer, func(t uint16) bool { return t == q.Qtype }))
}

// forget forgets who named the host of a question, and that it is barred. It is for flushes, after they have been counted: what
// was asked before is not noted any more from then on (consider).
func (cs *claims) forget(hash uint64) {
	cs.deciding.Lock()
	defer cs.deciding.Unlock()
	cs.mu.Lock()
	defer cs.mu.Unlock()
	cs.lru.Remove(hash)
}

// forgetOf forgets each claim of a domain, or of whoever is below it, and each bar to which one of them is a party; "." is all. It
// is for flushes, as forget is.
func (cs *claims) forgetOf(domain string) {
	cs.deciding.Lock()
	defer cs.deciding.Unlock()
	cs.mu.Lock()
	defer cs.mu.Unlock()
	for _, hash := range cs.lru.Keys() {
		if cl, ok := cs.lru.Peek(hash); ok && (dns.IsSubDomain(domain, cl.owner) || dns.IsSubDomain(domain, cl.rival)) {
			cs.lru.Remove(hash)
		}
	}
}
