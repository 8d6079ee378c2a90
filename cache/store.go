package cache

import (
	"errors"
	"time"

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
	e := c.entry(RankAnswer, from, now)
	e.ad, e.expires = m.AuthenticatedData, e.arrived+life
	if life > 0 && staleable(m) {
		e.stale = e.expires + staleFor
		if !from.CD { // a refresh asks for what validates
			e.wake[WakeRefresh].Store(int64(e.expires - life/refreshPart))
		}
	}
	e.set = c.addressSet(m, end)
	if err := e.pack(m, !positive(m, end)); err != nil {
		return nil, err
	}
	c.rehash(e)
	switch {
	case count(m) > maxRecords, m.Truncated: // RFC 1035 §7.4
		c.notKept.Add(1)
	case from.Flushes != c.Flushes(): // asked before somebody wanted it forgotten
	case life > 0:
		c.shard(e.hash).insert(e)
	}
	q := m.Question[0]
	c.settle(e, q)
	if m.Rcode == dns.RcodeSuccess && (q.Qtype == dns.TypeMX || q.Qtype == dns.TypeSRV) && from.Flushes == c.Flushes() {
		c.promote(m, end, from, max(e.expires, e.stale), now)
	}
	return e, nil
}

// Failure remembers for five seconds that no upstream could answer the question, and returns the SERVFAIL that says so.
// It never stands in the way of an answer that lives.
//
// why is packed EDNS options that say what was wrong; nil for none.
func (c *Cache) Failure(q dns.Question, from Origin, why []byte, now time.Time) *Entry {
	m := &dns.Msg{Question: []dns.Question{q}}
	m.Rcode = dns.RcodeServerFailure
	e := c.entry(RankFailure, from, now)
	e.expires, e.options = e.arrived+failureTTL, why
	if e.pack(m, true) == nil { // a question that came off the wire packs
		c.rehash(e)
		c.shard(e.hash).insert(e)
	}
	return e
}

func (c *Cache) entry(r Rank, from Origin, now time.Time) *Entry {
	return &Entry{rank: r, cd: from.CD, arrived: c.since(now), origin: from}
}

// rehash sets e's hash from its packed question.
func (c *Cache) rehash(e *Entry) {
	var buf [wire.MaxKey]byte
	_, e.hash = c.key(buf[:], e.question(), e.cd)
}

// question returns the packed question of e.
func (e *Entry) question() []byte { return e.full.msg[wire.HeaderLen:e.full.cuts[0].end] }
