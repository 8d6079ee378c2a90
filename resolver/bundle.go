package resolver

import (
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/miekg/dns"

	"github.com/mxglue/mxglue/cache"
	"github.com/mxglue/mxglue/cache/wire"
)

// maxBundleFailures ends a bundle early: its domain's servers are down, and the mail server will find out by itself.
const maxBundleFailures = 3

// bundleAgain is the least time between two rounds for one cached MX answer.
const bundleAgain = 5 * time.Second

// round is one round of a bundle: the questions for the addresses of one MX answer's hosts.
type round struct {
	*Resolver
	mx       *cache.Entry
	who      cache.Asker // was told the MX, and will ask for the addresses
	why      cache.Reason
	started  time.Time
	waiting  sync.WaitGroup
	failures atomic.Int32

	dueMu sync.Mutex
	due   time.Time // when the first of the addresses ends
}

// bundleReasons are the reasons for which a cached MX answer begins a round.
var bundleReasons = [...]cache.Reason{cache.WakeBundle, cache.WakeBundleOther, cache.WakeBundleDO}

// round begins a round for an MX answer that somebody was told, or is about to be. It returns when all the questions are
// in flight, so that the address queries that come next join them.
func (r *Resolver) round(mx *cache.Entry, who cache.Asker) {
	hosts, more := mx.Targets()
	hosts = slices.DeleteFunc(hosts, isAddress)
	if len(hosts) == 0 {
		return
	}
	r.stats.bundles.Add(1)
	b := &round{Resolver: r, mx: mx, who: who, why: r.cache.BundleReason(mx, who), started: time.Now()}
	for range more {
		b.skip("hosts")
	}
	for _, host := range hosts { // best preference first
		b.ask(host, dns.TypeA)
		b.ask(host, dns.TypeAAAA)
	}
	go b.finish()
}

// isAddress says whether an IP address stands where a host's name should, in brackets or not: no name ends in a number
// (RFC 3696 §2), so nothing could come of asking for it.
func isAddress(host string) bool {
	name := strings.TrimSuffix(host, ".")
	last := name[strings.LastIndexByte(name, '.')+1:]
	return strings.Trim(last, "0123456789]") == "" || strings.Contains(last, ":")
}

// ask puts the question for one name of the bundle in flight, unless it is cached or the budget is spent.
func (b *round) ask(name string, qtype uint16) {
	q, ok := newQuery(name, qtype, b.who.DO)
	if !ok {
		return
	}
	q.Client = b.who.Client // glue is for some
	if b.who.AD {
		q.Flags |= wire.FlagAD
	}
	if e := b.cache.Peek(q, b.started); e != nil {
		b.skip("cached")
		b.learn(name, qtype, e)
		return
	}
	switch {
	case b.failures.Load() >= maxBundleFailures:
		b.skip("failures")
		return
	case b.busy():
		b.skip("busy")
		return
	case !b.bucket.Allow():
		b.skip("rate")
		return
	}
	f := b.start(q, cache.ByBundle)
	if f == nil {
		return
	}
	b.stats.bundleQueries.Add(1)
	b.waiting.Go(func() {
		<-b.waits(f)
		b.learn(name, qtype, f.entry)
	})
}

// learn takes in one answer. A host whose address is authentic is asked for its TLSA records, for a client with DO only;
// one without DNSSEC never is, because some of those fail such a question (RFC 7672 §2.2.2).
func (b *round) learn(name string, qtype uint16, e *cache.Entry) {
	if e == nil || e.Rank() == cache.RankFailure {
		b.failures.Add(1)
		b.endsAt(b.started)
		return
	}
	b.endsAt(b.cache.Expires(e))
	if b.who.DO && e.AD() && qtype == dns.TypeA {
		b.ask("_25._tcp."+name, dns.TypeTLSA)
	}
}

func (b *round) endsAt(at time.Time) {
	b.dueMu.Lock()
	defer b.dueMu.Unlock()
	if b.due.IsZero() || at.Before(b.due) {
		b.due = at
	}
}

// finish waits for the answers and names the instant from which a client that is told the MX begins the next round.
func (b *round) finish() {
	b.waiting.Wait()
	due := b.due
	if least := b.started.Add(bundleAgain); due.Before(least) {
		due = least
	}
	if b.why != cache.WakeBundleDO {
		b.cache.SetWake(b.mx, b.why, due)
		return
	}
	for _, why := range bundleReasons { // what one with DO got is good for everybody
		b.cache.SetWake(b.mx, why, due)
	}
}

func (b *round) skip(why string) {
	b.stats.mu.Lock()
	defer b.stats.mu.Unlock()
	b.stats.skipped[why]++
}
