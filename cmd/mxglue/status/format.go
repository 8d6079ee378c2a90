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

// Count writes a number with its thousands apart: 1,234,567.
func Count[T int | uint64](n T) string {
	digits := strconv.FormatUint(uint64(max(n, 0)), 10)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

// Counted writes a number before words for several things, which become those for one: 2 queries were, 1 query was.
func Counted[T int | uint64](n T, many string) string {
	if n == 1 {
		many = singular.Replace(many)
	}
	return Count(n) + " " + many
}

// singular has the words that are counted.
var singular = strings.NewReplacer("queries were", "query was", "connections were", "connection was", "times", "time",
	"responses did not match their query and were", "response did not match its query and was",
	"exchangers", "exchanger", "results", "result", "domains are", "domain is", "routes", "route")

// Size writes octets with a binary unit: 512 B, 1.5 KiB, 12.3 MiB.
func Size(octets int) string {
	if octets < 1<<10 {
		return fmt.Sprintf("%d B", octets)
	}
	value := float64(octets) / (1 << 10)
	for _, unit := range []string{"KiB", "MiB"} {
		if value < 1<<10 {
			return fmt.Sprintf("%.1f %s", value, unit)
		}
		value /= 1 << 10
	}
	return fmt.Sprintf("%.1f GiB", value)
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
