package cache

import (
	"hash/maphash"
	"net/netip"
	"sync/atomic"
	"time"
	"unique"

	"github.com/miekg/dns"

	"github.com/mxglue/mxglue/cache/wire"
)

// Rank says what kind of knowledge an entry is (RFC 2181 §5.4.1, narrowed). For one question the highest that lives and
// fits the client answers.
type Rank uint8

// The ranks, lowest first.
const (
	RankFailure Rank = iota // no upstream could say: SERVFAIL, remembered briefly (RFC 9520)
	RankGlue                // an address RRset out of an additional section, within the fence
	RankAnswer              // what an upstream said to this very question, positive or negative
)

// By says who had a question asked.
type By uint8

// Who has questions asked.
const (
	ByClient  By = iota // a client over DNS
	ByProber            // the MX tester
	ByBundle            // the bundle of an MX answer, ahead of the client
	ByRefresh           // the refresh of an answer that is asked for often
)

// Origin says where a response came from, and for whom it was asked.
type Origin struct {
	By       By
	Client   netip.Addr    // whom it was asked for; the zero Addr is mxglue itself
	Upstream string        // as configured
	CD       bool          // it was asked with CD: the upstream did not validate (RFC 4035 §3.2.2)
	UDP      bool          // it came in a datagram
	Size     int           // octets of the packed response
	RTT      time.Duration // the upstream's smoothed round trip
	Flushes  uint64        // what Cache.Flushes was when the question began
}

// Entry is one packed reply. What it says is immutable; only its hits and marks change. Each of the two is atomic by itself, and
// nothing depends on both. It is small: a million of them have to fit, and a hit is to touch few lines of memory.
type Entry struct {
	full form // for clients with DO
	facts
	hits  atomic.Uint32 // see hit; halved when a newer entry takes the place; of two hits at once one may be lost
	marks atomic.Uint32 // mark bits
}

// facts are what is known of an entry beside its message. They are a struct of their own because they are put together on the
// stack, and copied into a segment when the entry is kept: so storing costs no allocation of an Entry.
type facts struct {
	arrived time.Duration         // in the cache's time
	more    *more                 // what few entries have; nil for none
	source  unique.Handle[source] // equal sources are one
	rtt     uint16                // Origin.RTT in steps of rttStep
	rank    Rank
	by      By
	traits  trait
}

// more is what only some entries have.
type more struct {
	plain   *form        // for clients without DO, nil where it is the same
	options []byte       // of a failure: EDNS options that say why
	bundle  [3]wakeClock // of an MX answer: by Reason
}

// source is whom an entry is due to.
type source struct {
	client   netip.Addr
	upstream string
}

// trait is one of the yeses and noes that an entry is made with.
type trait uint8

const (
	authentic  trait = 1 << iota // the upstream set AD
	asDisabled                   // asked with CD: answers CD queries only
	mayBeStale                   // it may be given for staleFor beyond its end if upstream fails (RFC 8767)
	forAll                       // of glue: it answers every client, not only source.client
)

// is says whether an entry has a trait.
func (f *facts) is(t trait) bool { return f.traits&t != 0 }

// mark is one of the yeses and noes that an entry comes by later.
type mark uint32

const (
	asked     mark = 1 << iota // it has been asked for since it was put where it lies
	gone                       // it answers no more: evicted, replaced, flushed, or put elsewhere
	renewing                   // a refresh is under way: it may be given for the grace beyond its end
	refreshed                  // the resolver has been woken to refresh it
	credited                   // its first hit has been counted as saved
)

// marked says whether e has a mark.
func (e *Entry) marked(m mark) bool { return e.marks.Load()&uint32(m) != 0 }

// mark sets a mark and says whether it was new.
func (e *Entry) mark(m mark) bool { return !e.marked(m) && e.marks.Or(uint32(m))&uint32(m) == 0 }

// rttStep is the unit of what an entry remembers of a round trip, which is six seconds at most.
const rttStep = 100 * time.Microsecond

// expires returns the end of e in the cache's time.
func (e *Entry) expires() time.Duration { return e.arrived + time.Duration(e.full.ttl)*time.Second }

// lives says whether e has not ended.
func (e *Entry) lives(at time.Duration) bool { return at < e.expires() }

// wakeClock is an instant in the cache's time; 0 is never.
type wakeClock struct{ atomic.Int64 }

// Reason says why an entry wakes the resolver.
type Reason uint8

// The reasons.
const (
	WakeBundle      Reason = iota // an MX answer was given to the client it was fetched for, and addresses of its hosts have ended
	WakeBundleOther               // the same, to a client that its glue does not answer: another one, or one that asks for AD
	WakeBundleDO                  // the same, to a client with DO: glue does not answer it, and it will ask for TLSA
	WakeRefresh                   // the answer is asked for still, and is about to end
)

// Asker is what of a query decides which glue may answer it.
type Asker struct {
	Client netip.Addr
	DO, AD bool
}

// AskerOf returns who asks q.
func AskerOf(q *wire.Query) Asker { return Asker{q.Client, q.DO, q.AD()} }

// BundleReason returns for which reason an MX answer wakes when it is given to an asker.
func (c *Cache) BundleReason(mx *Entry, who Asker) Reason {
	switch {
	case who.DO:
		return WakeBundleDO
	case who.Client != mx.source.Value().client || who.AD && c.adSeen.Load():
		return WakeBundleOther
	}
	return WakeBundle
}

// slot returns the key under which the book has an entry of a rank; slot(slot(h, r), r) is h.
func slot(hash uint64, r Rank) uint64 { return hash ^ uint64(r)*0x9e3779b97f4a7c15>>8 }

// Rank returns what kind of knowledge e is.
func (e *Entry) Rank() Rank { return e.rank }

// AD says whether the upstream called the data authentic (RFC 4035 §3.2.3).
func (e *Entry) AD() bool { return e.is(authentic) }

// By returns who had the question asked.
func (e *Entry) By() By { return e.by }

// hash returns the hash of the question's key.
func (e *Entry) hash(seed maphash.Seed) uint64 { return e.full.hash(seed, e.is(asDisabled)) }

// question returns the packed question of e.
func (e *Entry) question() []byte { return e.full.asked() }

// staleUntil returns until when e may be given if upstream fails: not beyond its end unless it is of the kind for that.
func (e *Entry) staleUntil() time.Duration {
	if e.is(mayBeStale) {
		return e.expires() + staleFor
	}
	return e.expires()
}

// Name returns the question's name, in lower case.
func (e *Entry) Name() string {
	name, _, _ := dns.UnpackDomainName(e.full.msg(), wire.HeaderLen)
	return name
}

// Type returns the question's type.
func (e *Entry) Type() uint16 {
	q := e.question()
	return uint16(q[len(q)-4])<<8 | uint16(q[len(q)-3])
}

// Rcode returns the reply's RCODE.
func (e *Entry) Rcode() int { return int(wire.Flags(e.full.packed) & 0xf) }

// Expires returns the instant at which e ends.
func (c *Cache) Expires(e *Entry) time.Time { return c.start.Add(e.expires()) }

// Msg unpacks the reply as it was stored, for the cold paths.
func (e *Entry) Msg() (*dns.Msg, error) {
	m := new(dns.Msg)
	return m, m.Unpack(e.full.msg())
}

// Targets returns the exchangers of an MX response or the targets of an SRV response: those named by the last owner of
// the answer section's chain, in lower case, each once, best preference first, at most MaxTargets; and how many more there
// are.
func (e *Entry) Targets() (targets []string, more int) {
	m, err := e.Msg()
	if err != nil || len(m.Question) != 1 {
		return nil, 0
	}
	targets = targetsOf(m, lastOf(m))
	more = max(0, len(targets)-MaxTargets)
	return targets[:len(targets)-more], more
}
