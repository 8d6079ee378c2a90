package cache

import "github.com/miekg/dns"

// Reconfigure makes the cache go by other options from now on; Log stays. What was stored lives on as it was, but glue,
// which is gone where other rules hold for it. If there is less room than before, what has not been asked for of late goes at
// once; there are never more entries than New has made room for.
func (c *Cache) Reconfigure(o Options) {
	o = o.withDefaults()
	o.Entries = min(o.Entries, c.made)
	old := c.options.Load()

	c.claims.deciding.Lock() // what is being considered now is done by the old rules, and gone
	c.options.Store(&o)
	if old.Glue != o.Glue || old.GlueForAll != o.GlueForAll || old.GluePrivate != o.GluePrivate || old.GlueMaxTTL > o.GlueMaxTTL {
		c.remove(func(e *Entry) bool { return e.rank == RankGlue })
	}
	c.claims.deciding.Unlock()

	c.claims.resize(o.claims())
	n := len(c.shards)
	for i := range c.shards {
		c.shards[i].resize(max(1, share(o.Entries, n, i)), o.Memory/n)
	}
}

// Rerouted forgets what is known at or below the given zones (in lower case, with a final dot), because others are asked about
// them from now on, and every remembered failure: whoever failed may not be asked any more. Answers that are on their way are
// not kept. It returns how many entries that were.
func (c *Cache) Rerouted(zones map[string]bool) int {
	c.flushes.Add(1)
	var questions []uint64
	removed := c.remove(func(e *Entry) bool {
		if within(zones, e.Name()) {
			questions = append(questions, e.hash(c.seed))
			return true
		}
		return e.rank == RankFailure
	})
	for _, hash := range questions {
		c.claims.forget(hash)
	}
	return removed
}

// within says whether a name is at or below one of the zones.
func within(zones map[string]bool, name string) bool {
	for off, end := 0, false; !end; off, end = dns.NextLabel(name, off) {
		if zones[name[off:]] {
			return true
		}
	}
	return zones["."]
}
