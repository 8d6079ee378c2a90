package cache

import (
	"errors"
	"math"
	"slices"
	"time"
	"unique"

	"github.com/miekg/dns"
)

// maxRecords bounds what is kept of one response; larger ones are passed on and forgotten.
const maxRecords = 256

// ErrChain is returned for a response whose answer section loops or has more than 12 CNAME links.
var ErrChain = errors.New("the answer's CNAME chain loops or is longer than 12 links")

// Store keeps an upstream's response and returns the entry that answers whoever waits for it. A response that may not be
// cached, for its TTL, its size or TC, is returned the same and not kept. m is used up. Responses that are neither NOERROR
// nor NXDOMAIN are no answers: see Failure. Errors: ErrChain, or one that says why m does not pack.
func (c *Cache) Store(m *dns.Msg, from Origin, now time.Time) (*Entry, error) {
	if m.AuthenticatedData {
		c.SawAD()
	}
	boundTTLs(m)
	end, ok := scrub(m)
	if !ok {
		return nil, ErrChain
	}
	life := c.lifetime(m, end)
	full, plain, err := pack(m, !positive(m, end))
	if err != nil {
		return nil, err
	}
	q := m.Question[0]
	f := c.facts(RankAnswer, from, now)
	full.ttl = uint32(life / time.Second)
	if m.AuthenticatedData {
		f.traits |= authentic
	}
	if life > 0 && staleable(m) {
		f.traits |= mayBeStale
	}
	if plain != nil || q.Qtype == dns.TypeMX {
		f.more = &more{plain: plain}
	}
	tooLarge := count(m) > maxRecords || m.Truncated // RFC 1035 §7.4
	if tooLarge {
		c.notKept.Add(1)
	}
	e, hash := c.keep(full, f, from, life > 0 && !tooLarge)
	if e.answersAddress(q) {
		c.settle(hash, e, c.addressSet(m, end))
	}
	if m.Rcode == dns.RcodeSuccess && (q.Qtype == dns.TypeMX || q.Qtype == dns.TypeSRV) {
		c.promote(m, end, from, e.staleUntil(), now)
	}
	return e, nil
}

// Failure remembers for five seconds that no upstream could answer the question, and returns the SERVFAIL that says so.
// It never stands in the way of an answer that lives, and is not kept if the question began before the last flush.
//
// why is packed EDNS options that say what was wrong; nil for none.
func (c *Cache) Failure(q dns.Question, from Origin, why []byte, now time.Time) *Entry {
	m := &dns.Msg{Question: []dns.Question{q}}
	m.Rcode = dns.RcodeServerFailure
	full, _, _ := pack(m, true) // a question that came off the wire packs
	f := c.facts(RankFailure, from, now)
	full.ttl = uint32(failureTTL / time.Second)
	if why != nil || q.Qtype == dns.TypeMX {
		f.more = &more{options: why}
	}
	e, _ := c.keep(full, f, from, true)
	return e
}

// facts returns what is known of an entry of a rank by its origin.
func (c *Cache) facts(r Rank, from Origin, now time.Time) facts {
	f := facts{rank: r, by: from.By, arrived: c.since(now), source: unique.Make(source{from.Client, from.Upstream})}
	if from.CD && r != RankGlue {
		f.traits |= asDisabled
	}
	f.rtt = uint16(min(from.RTT/rttStep, math.MaxUint16))
	return f
}

// keep makes an entry, and puts it in its place if it may be kept: not if the question began before the last flush, since it
// was asked of those who are asked no more, or before somebody wanted it forgotten. It returns the hash of its key, too.
func (c *Cache) keep(full form, f facts, from Origin, may bool) (e *Entry, hash uint64) {
	hash = full.hash(c.seed, f.is(asDisabled))
	if may {
		s := c.shard(hash)
		s.mu.Lock()
		defer s.mu.Unlock()
		if from.Flushes == c.Flushes() { // with mu held: a flush that has not been counted yet is still to come by here
			return s.insert(hash, full, f), hash
		}
	}
	return &Entry{full: full.on(slices.Clone(full.packed)), facts: f}, hash
}
