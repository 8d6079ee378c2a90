package status

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

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
		{"follow-ups saved", Count(s.Saved.Queries), "address queries for mail hosts that no upstream had to answer"},
		{"waiting spared", Duration(milliseconds(s.Saved.WaitMS)), "what these would have waited, at the measured round trip"},
		{"asked upstream", Count(s.Upstream.Queries), "of which " + Count(s.Upstream.Failures) + " failed"},
	}
}

// Sections are the other figures, but those of the single upstreams.
func (s Snapshot) Sections() []Section {
	return []Section{
		{"Queries", s.queries()},
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
		{"answered SERVFAIL", Count(s.Resolver.ServFail), "no upstream had a usable answer in time"},
		{"waiting for an upstream now", Count(s.Resolver.InFlight), "different questions"},
		{"joined", Count(s.Resolver.Joined), "waited for an equal question that was being asked already"},
	}
}

func (s Snapshot) cache() []Figure {
	return []Figure{
		{"hits", Count(s.Cache.Hits), ""},
		{"misses", Count(s.Cache.Misses), "had to be asked upstream"},
		{"expired", Count(s.Cache.Expired), "misses that were hits until their TTL ran out"},
		{"entries", Count(s.Cache.Entries) + " of " + Count(s.Cache.Capacity), "replies kept: cache.entries"},
		{"evicted", Count(s.Cache.Evicted), "replies that made room for others"},
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
			notes = append(notes, Count(count)+" "+text)
		}
	}
	if trouble := s.Trouble(); trouble != "" {
		notes = append(notes, "Not answering what is not cached: "+trouble+".")
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

// Count writes a number with its thousands apart: 1,234,567.
func Count[T int | uint64](n T) string {
	digits := strconv.FormatUint(uint64(max(n, 0)), 10)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

// Duration writes a duration with its two largest units: 3 d 4 h, 5 min 6 s, 7.8 s, 9 ms.
func Duration(d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d >= day:
		return fmt.Sprintf("%d d %d h", d/day, d%day/time.Hour)
	case d >= time.Hour:
		return fmt.Sprintf("%d h %d min", d/time.Hour, d%time.Hour/time.Minute)
	case d >= time.Minute:
		return fmt.Sprintf("%d min %d s", d/time.Minute, d%time.Minute/time.Second)
	case d >= time.Second:
		return fmt.Sprintf("%.1f s", d.Truncate(100*time.Millisecond).Seconds())
	}
	return fmt.Sprintf("%d ms", d.Round(time.Millisecond)/time.Millisecond)
}

func milliseconds(ms float64) time.Duration {
	return time.Duration(ms * float64(time.Millisecond))
}

func percent(share float64) string {
	return fmt.Sprintf("%.1f %%", 100*share)
}

func sum(counts map[string]uint64) string {
	var all uint64
	for _, count := range counts {
		all += count
	}
	return Count(all)
}

// reasons continues a sentence with the counts by reason, the largest first.
func reasons(counts map[string]uint64) string {
	order := slices.SortedFunc(maps.Keys(counts), func(a, b string) int {
		return cmp.Or(cmp.Compare(counts[b], counts[a]), cmp.Compare(a, b))
	})
	var parts []string
	for _, reason := range order {
		if counts[reason] > 0 {
			parts = append(parts, reason+" "+Count(counts[reason]))
		}
	}
	if parts == nil {
		return ""
	}
	return ": " + strings.Join(parts, ", ")
}
