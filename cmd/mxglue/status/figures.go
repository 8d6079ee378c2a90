package status

import "time"

// A Section is a group of figures under one title.
type Section struct {
	Title   string
	Figures []Figure
}

// A Figure is one thing that was counted, ready to be read.
type Figure struct {
	Label string
	Value string
	Help  string // a sentence for who does not know the word
}

// Tiles are the figures that say what mxglue is good for: what the cache, the glue and the bundle saved.
func (s Snapshot) Tiles() []Figure {
	return []Figure{
		{"hit rate", s.hitRate(), "queries answered from memory"},
		{"follow-ups saved", Count(s.Saved.Queries), "address queries for mail hosts whose answer was here, or on its way, before they came"},
		{"waiting spared", Duration(milliseconds(s.Saved.WaitMS)), "what these would have waited, at the measured round trip"},
		{"asked upstream", Count(s.Upstream.Queries), "of which " + Count(s.Upstream.Failures) + " failed"},
	}
}

// Sections are the other figures, but those of the single upstreams.
func (s Snapshot) Sections() []Section {
	return []Section{
		{"Queries", s.queries()},
		{"Asked upstream", s.asked()},
		{"Cache", s.cache()},
		{"Glue", s.glue()},
		{"Bundle", s.bundle()},
	}
}

func (s Snapshot) queries() []Figure {
	return []Figure{
		{"over UDP", Count(s.Server.UDPQueries), ""},
		{"over TCP", Count(s.Server.TCPQueries), ""},
		{"TCP connections open", Count(s.Server.TCPConnections), ""},
		{"TCP connections turned away", Count(s.Server.TCPRejected), "a cap was reached: server.tcp_connections or server.tcp_per_client"},
		{"dropped", Count(s.Server.Dropped), "too many were waiting for an upstream: server.max_waiting"},
		{"refused", Count(s.Server.Refused), "from clients that server.allow does not name"},
		{"malformed", Count(s.Server.Malformed), "no DNS queries at all"},
	}
}

func (s Snapshot) asked() []Figure {
	return []Figure{
		{"answered SERVFAIL", Count(s.Resolver.ServFail), "no upstream had a usable answer in time"},
		{"waiting for an upstream now", Count(s.Resolver.InFlight), "different questions"},
		{"joined", Count(s.Resolver.Joined), "waited for an equal question that was being asked already"},
		{"crowded out", Count(s.Resolver.Crowded), "not looked up: too many questions were in flight: resolver.max_inflight"},
		{"joins refused", Count(s.Resolver.JoinsRefused), "not looked up: 256 waited for the same question"},
		{"refreshed", Count(s.Resolver.Refreshes), "answers fetched anew because they are asked for still"},
		{"private addresses dropped", Count(s.Resolver.PrivateDropped), "taken out of answers: rebind_protection"},
	}
}

func (s Snapshot) cache() []Figure {
	return []Figure{
		{"hits", Count(s.Cache.Hits), ""},
		{"misses", Count(s.Cache.Misses), "had to be asked upstream"},
		{"expired", Count(s.Cache.Expired), "misses that were hits until their TTL ran out"},
		{"old answers", Count(s.Cache.StaleHits), "given past their TTL, as upstream was late or failed: resolver.stale_after"},
		{"entries", Count(s.Cache.Entries) + " of " + Count(s.Cache.Capacity), "replies kept: cache.entries"},
		{"memory", Size(s.Cache.Octets), "that they take up, about: cache.memory"},
		{"evicted", Count(s.Cache.Evicted), "replies that made room for others"},
		{"evicted by size", Count(s.Cache.EvictedMemory), "of these, because of cache.memory"},
		{"not kept", Count(s.Cache.NotKept), "replies too long to keep: more than 256 records, or cut short"},
	}
}

func (s Snapshot) glue() []Figure {
	return []Figure{
		{"hits", Count(s.Cache.GlueHits), "answered from the additional section of an MX answer"},
		{"stored", Count(s.Cache.GlueStored), "address sets taken from additional sections"},
		{"not stored", sum(s.Cache.GlueRefused), "address sets that a safeguard refused" + reasons(s.Cache.GlueRefused)},
		{"differed", Count(s.Cache.GlueDiffers), "glue that a later answer contradicted"},
	}
}

func (s Snapshot) bundle() []Figure {
	return []Figure{
		{"hits", Count(s.Cache.BundleHits), "answered from what was fetched ahead of the mail server"},
		{"joined", Count(s.Resolver.BundleJoined), "arrived while the bundle was already asking"},
		{"bundles", Count(s.Resolver.Bundles), "MX answers whose hosts were asked for at once"},
		{"queries", Count(s.Resolver.BundleQueries), "questions these asked"},
		{"left out", sum(s.Resolver.BundleSkipped), "questions they did not ask" + reasons(s.Resolver.BundleSkipped)},
	}
}

// Notes are what an operator should look at, in sentences; none is the normal state.
func (s Snapshot) Notes() (notes []string) {
	note := func(count uint64, text string) {
		if count > 0 {
			notes = append(notes, Counted(count, text))
		}
	}
	if trouble := s.Trouble(); trouble != "" {
		notes = append(notes, "Not answering what is not cached: "+trouble+".")
	}
	for _, u := range s.Upstreams {
		if s.stripped(u) {
			notes = append(notes, "AD of "+u.Address+" is not passed on, so DANE is off: the way there is neither loopback nor "+
				"encrypted, and anybody on it could set that bit. Use a validating resolver on this host, or tls://; or set resolver.dnssec.")
		}
	}
	if s.Monitor != nil {
		notes = append(notes, s.Monitor.notes()...)
	}
	note(s.Server.Dropped, "queries were dropped, as server.max_waiting others were waiting for an upstream: is one slow?")
	note(s.Server.Refused, "queries were refused: their clients are not in server.allow.")
	note(s.Server.TCPRejected, "TCP connections were turned away: more than server.tcp_connections or server.tcp_per_client were open.")
	note(s.Upstream.Mismatched, "responses did not match their query and were thrown away: a broken upstream, or forgeries.")
	note(s.Cache.GlueDiffers, "times glue was not what the answer said later: consider cache.glue: verify.")
	return notes
}

func (s Snapshot) hitRate() string {
	rate, ok := s.HitRate()
	if !ok {
		return "–"
	}
	return percent(rate)
}

// Uptime is how long the daemon has been running.
func (s Snapshot) Uptime() string {
	return Duration(time.Duration(s.UptimeSeconds * float64(time.Second)))
}
