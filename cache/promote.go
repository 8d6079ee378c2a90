package cache

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"time"

	"github.com/miekg/dns"

	"github.com/mxglue/mxglue/cache/wire"
)

// The bounds of one MX answer: of its glue, and of its bundle.
const (
	MaxTargets   = 8
	maxNoted     = 32 // targets of which it is written down who named them
	maxAddresses = 8  // of one target and family
)

// Sizes up to which a UDP response is believed, octets: the tail of a fragmented datagram is whoever's arrives first, so
// only a response that travelled in one piece was certainly written by the upstream.
const (
	maxInDomain    = 1232
	maxOutOfDomain = 512
)

// refusal names the guard that kept an address RRset from becoming glue; it is the key in Stats.GlueRefused.
type refusal string

const (
	agreed           refusal = ""
	notATarget       refusal = "not_a_target"      // guard 1: its owner is no target in the answer section
	checkingDisabled refusal = "checking_disabled" // guard 1: asked with CD, so nobody validated it
	tooMany          refusal = "too_many"          // guard 2: more than 8 targets or 8 addresses
	malformed        refusal = "malformed"         // guard 2: an address record without an address
	specialUse       refusal = "special_use"       // guard 2: an address that no mail should go to
	notRecursive     refusal = "not_recursive"     // guard 3: RA=0, so no recursive resolver vouches for it
	truncated        refusal = "truncated"         // guard 3: TC=1
	authoritative    refusal = "authoritative"     // guard 3: AA=1, an authority speaking of a foreign domain
	oversize         refusal = "oversize"          // guard 4: UDP, and too large
	contradicts      refusal = "contradicts"       // guard 5: an answer says otherwise
	claimed          refusal = "claimed"           // guard 6: another MX owner says otherwise
	noTTL            refusal = "no_ttl"            // guard 7: TTL 0
	configured       refusal = "configured"        // its answers are configured: rank static
)

// question is a name in lower case and an address type.
type question struct {
	name  string
	qtype uint16
}

// promote is the fence around the deviation from RFC 2181 §5.4.1: an address RRset in the additional section of an MX or
// SRV response becomes glue if every guard agrees. owner is the end of the CNAME chain from QNAME. Where a guard objects
// the target is left to the bundle, which asks. until is when the response can be given for the last time.
func (c *Cache) promote(m *dns.Msg, owner string, from Origin, until time.Duration, now time.Time) {
	if c.options.Load().Glue == Ignore {
		return
	}
	sets := addressSets(m)
	targets := targetsOf(m, owner)
	speaker := m.Question[0].Name
	for i, name := range targets[:min(len(targets), maxNoted)] {
		for _, t := range []uint16{dns.TypeA, dns.TypeAAAA} {
			q := question{name, t}
			c.consider(offer{q, sets[q], speaker, from, i >= MaxTargets, until, nil}, m, now)
			delete(sets, q)
		}
	}
	for range sets {
		c.claims.refuse(0, notATarget)
	}
}

// offer is what one response says of one question: an address RRset, or that it has none (which is no "no": guard 7).
type offer struct {
	question
	set   []dns.RR
	owner string // whose word it is: QNAME, and not the owner of the MX records, whom a CNAME makes out of anybody
	from  Origin
	late  bool          // the target is not among the first eight
	until time.Duration // the response can be given for the last time
	rules *Options      // by which it is considered
}

// consider lays an offer before the guards and stores it as glue if they agree. Even an offer that fails, or is empty,
// is written down: it may be the one that unmasks another.
func (c *Cache) consider(o offer, m *dns.Msg, now time.Time) {
	hash, set := c.hashOf(o.question), c.setHash(o.set)
	c.claims.deciding.Lock()
	defer c.claims.deciding.Unlock()
	if o.from.Flushes != c.Flushes() { // with deciding held: a flush that is not counted yet will still forget what is noted here
		return
	}
	o.rules = c.options.Load() // with deciding held: none comes in by rules that Reconfigure has just ended
	why := c.claims.note(hash, o.owner, set, c.since(now), o.until)
	if why == claimed {
		c.shard(hash).remove(hash, RankGlue)
	}
	if len(o.set) == 0 || o.from.By == ByRefresh { // nobody was sent it: guard 8
		return
	}
	life := o.glueLife()
	if why == agreed {
		why = c.guard(o, life, m)
	}
	if why == agreed && c.contradicted(hash, set) {
		why = contradicts
	}
	if why != agreed {
		c.claims.refuse(hash, why)
		return
	}
	c.claims.promoted(hash, c.since(now)+life, o.rules.Glue == Trust)
	if o.rules.Glue == Trust {
		full, f := c.glue(o, life, now)
		c.keep(full, f, o.from, true)
	}
}

// hashOf returns the hash of a question's key.
func (c *Cache) hashOf(q question) uint64 {
	var buf [wire.MaxKey]byte
	n, err := dns.PackDomainName(q.name, buf[:255], 0, nil, false)
	if err != nil { // the name came off the wire, so it packs
		return 0
	}
	packed := binary.BigEndian.AppendUint32(buf[:n], uint32(q.qtype)<<16|dns.ClassINET)
	var key [wire.MaxKey]byte
	_, hash := c.key(key[:], packed, false)
	return hash
}

// glueLife returns how long an offer may answer: the least of its TTLs, and the configured bound.
func (o offer) glueLife() time.Duration {
	life := o.rules.GlueMaxTTL.Truncate(time.Second)
	for _, rr := range o.set {
		life = min(life, time.Duration(rr.Header().Ttl)*time.Second)
	}
	return life
}

// glue packs an offer as the reply to its own question.
func (c *Cache) glue(o offer, life time.Duration, now time.Time) (full form, f facts) {
	m := new(dns.Msg)
	m.SetQuestion(o.name, o.qtype)
	for _, rr := range dns.Dedup(slices.Clone(o.set), nil) { // an RRset has no record twice (RFC 2181 §5)
		rr = dns.Copy(rr)
		rr.Header().Ttl = uint32(life / time.Second) // guard 7: what is handed out counts down from here
		m.Answer = append(m.Answer, rr)
	}
	full, _, _ = pack(m, false) // the name came off the wire, so it packs
	full.ttl = uint32(life / time.Second)
	f = c.facts(RankGlue, o.from, now)
	if o.rules.GlueForAll {
		f.traits |= forAll
	}
	return full, f
}

// guard asks guards 1 to 4 and 7 in turn; 5 is contradicted, 6 is claims.note, 8 and 9 are asked when a client comes (glueFits).
func (c *Cache) guard(o offer, life time.Duration, m *dns.Msg) refusal {
	inDomain := dns.IsSubDomain(o.owner, o.name)
	limit := maxOutOfDomain
	if inDomain {
		limit = maxInDomain
	}
	switch {
	case o.rules.Configured != nil && o.rules.Configured(o.name):
		return configured
	case o.from.CD:
		return checkingDisabled
	case o.late, len(o.set) > maxAddresses:
		return tooMany
	case !m.RecursionAvailable:
		return notRecursive
	case m.Truncated:
		return truncated
	case m.Authoritative && !inDomain:
		return authoritative
	case o.from.UDP && o.from.Size > limit:
		return oversize
	case life <= 0:
		return noTTL
	}
	for _, rr := range o.set {
		if why := o.rules.judge(addressOf(rr)); why != agreed {
			return why
		}
	}
	return agreed
}

// contradicted says whether an answer that is still remembered, live or expired, gives other addresses than a set.
func (c *Cache) contradicted(hash, set uint64) bool {
	s := c.shard(hash)
	s.mu.Lock()
	e := s.at(slot(hash, RankAnswer))
	s.mu.Unlock()
	if e == nil {
		return false
	}
	m, err := e.Msg()
	return err != nil || c.addressSet(m, lastOf(m)) != set
}

// judge refuses addresses to which a stranger's MX record must not send anybody's mail.
func (r *Options) judge(a netip.Addr) refusal {
	switch {
	case !a.IsValid():
		return malformed
	case a.IsUnspecified(), a.IsMulticast(), a.IsLinkLocalUnicast(), a == netip.AddrFrom4([4]byte{255, 255, 255, 255}):
		return specialUse
	case (a.IsPrivate() || a.IsLoopback()) && !r.GluePrivate:
		return specialUse
	}
	return agreed
}
