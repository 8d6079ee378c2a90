package cache

import (
	"errors"
	"math"
	"time"
	"unique"

	"github.com/miekg/dns"

	"github.com/mxglue/mxglue/cache/wire"
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
	e := c.entry(RankAnswer, from, full, now)
	e.full.ttl = uint32(life / time.Second)
	if m.AuthenticatedData {
		e.mark(authentic)
	}
	if life > 0 && staleable(m) {
		e.mark(mayBeStale)
	}
	if plain != nil || q.Qtype == dns.TypeMX {
		e.more = &more{plain: plain}
	}
	hash := c.hash(e)
	switch {
	case count(m) > maxRecords, m.Truncated: // RFC 1035 §7.4
		c.notKept.Add(1)
	case from.Flushes != c.Flushes(): // asked before somebody wanted it forgotten
	case life > 0:
		c.shard(hash).insert(hash, e)
	}
	if e.answersAddress(q) {
		c.settle(hash, e, c.addressSet(m, end))
	}
	if m.Rcode == dns.RcodeSuccess && (q.Qtype == dns.TypeMX || q.Qtype == dns.TypeSRV) && from.Flushes == c.Flushes() {
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
	e := c.entry(RankFailure, from, full, now)
	e.full.ttl = uint32(failureTTL / time.Second)
	if why != nil || q.Qtype == dns.TypeMX {
		e.more = &more{options: why}
	}
	if hash := c.hash(e); from.Flushes == c.Flushes() { // else it was asked of those who are asked no more
		c.shard(hash).insert(hash, e)
	}
	return e
}

// entry makes an entry of a rank with everything that its origin says.
func (c *Cache) entry(r Rank, from Origin, full form, now time.Time) *Entry {
	e := newEntry(full)
	e.rank, e.by, e.arrived = r, from.By, c.since(now)
	if from.CD && r != RankGlue {
		e.mark(asDisabled)
	}
	e.source = unique.Make(source{from.Client, from.Upstream})
	e.rtt = uint16(min(from.RTT/rttStep, math.MaxUint16))
	return e
}

// hash returns the hash of e's key.
func (c *Cache) hash(e *Entry) uint64 {
	var buf [wire.MaxKey]byte
	_, hash := c.key(buf[:], e.question(), e.is(asDisabled))
	return hash
}
