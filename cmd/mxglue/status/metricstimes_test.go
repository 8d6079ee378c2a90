package status

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mxglue/mxglue/resolver/upstream"
)

func TestMetricsShowHowLongThingsTook(t *testing.T) {
	lines := strings.Split(get(t, func() Snapshot {
		s := busy()
		s.Resolver.Replies.Times = times(30*time.Millisecond, 90*time.Millisecond)
		s.Upstreams[0].Times = times(40*time.Millisecond, time.Minute)
		return s
	}, "/metrics"), "\n")
	for _, want := range []string{
		`# TYPE mxglue_resolver_reply_seconds histogram`,
		`mxglue_resolver_reply_seconds_bucket{le="0.025"} 0`,
		`mxglue_resolver_reply_seconds_bucket{le="0.05"} 1`,
		`mxglue_resolver_reply_seconds_bucket{le="+Inf"} 2`,
		`mxglue_resolver_reply_seconds_sum 0.12`,
		`mxglue_resolver_reply_seconds_count 2`,
		`mxglue_upstream_round_trip_seconds_bucket{upstream="udp://192.0.2.1:53",le="5"} 1`,
		`mxglue_upstream_round_trip_seconds_bucket{upstream="udp://192.0.2.1:53",le="+Inf"} 2`,
		`mxglue_upstream_round_trip_seconds_sum{upstream="udp://192.0.2.1:53"} 60.04`,
		`mxglue_upstream_round_trip_seconds_count{upstream="tcp://[2001:db8::1]:53"} 0`,
	} {
		if !slices.Contains(lines, want) {
			t.Errorf("no line %s", want)
		}
	}
}

func times(took ...time.Duration) upstream.Times {
	var h upstream.Histogram
	for _, d := range took {
		h.Observe(d)
	}
	return h.Times()
}
