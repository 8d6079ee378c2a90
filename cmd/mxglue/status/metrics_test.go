package status

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"github.com/mxglue/mxglue/resolver/upstream"
)

func TestMetricsShowTheFigures(t *testing.T) {
	lines := strings.Split(get(t, busy, "/metrics"), "\n")
	for _, want := range []string{
		`mxglue_build_info{version="1.2.3"} 1`,
		`mxglue_server_queries_total{transport="udp"} 1.234567e+06`,
		`mxglue_server_queries_total{transport="tcp"} 8`,
		`mxglue_server_dropped_total 5`,
		`mxglue_server_tcp_connections 4`,
		`mxglue_cache_entries 321`,
		`mxglue_cache_max_entries 100000`,
		`mxglue_cache_size_bytes 345678`,
		`mxglue_cache_stale_hits_total 23`,
		`mxglue_resolver_refreshes_total 47`,
		`mxglue_resolver_crowded_total 48`,
		`mxglue_resolver_private_dropped_total 49`,
		`mxglue_upstream_connections_total{upstream="tcp://[2001:db8::1]:53"} 2`,
		`mxglue_upstream_down{upstream="udp://192.0.2.1:53"} 0`,
		`mxglue_upstream_trusted{upstream="udp://192.0.2.1:53"} 0`,
		`mxglue_upstream_trusted{upstream="tcp://[2001:db8::1]:53"} 1`,
		`mxglue_upstream_ad_stripped{upstream="tcp://[2001:db8::1]:53"} 0`,
		`mxglue_cache_hits_total 900`,
		`mxglue_cache_glue_hits_total 210`,
		`mxglue_cache_glue_refused_total{reason="contradicts"} 35`,
		`mxglue_resolver_in_flight 11`,
		`mxglue_resolver_bundle_skipped_total{reason="rate"} 45`,
		`mxglue_upstream_queries_total{upstream="udp://192.0.2.1:53"} 40`,
		`mxglue_upstream_rtt_seconds{upstream="tcp://[2001:db8::1]:53"} 0.02`,
		`mxglue_upstream_failing{upstream="udp://192.0.2.1:53"} 1`,
		`mxglue_upstream_failing{upstream="tcp://[2001:db8::1]:53"} 0`,
		`mxglue_resolver_replies_total{type="MX"} 50`,
		`mxglue_resolver_rcodes_total{rcode="NOERROR"} 50`,
		`mxglue_resolver_rcodes_total{rcode="SERVFAIL"} 0`,
		`mxglue_saved_queries_total 430`,
		`mxglue_saved_wait_seconds_total 21.5505`,
	} {
		if !slices.Contains(lines, want) {
			t.Errorf("no line %s", want)
		}
	}
	for _, prefix := range []string{"go_goroutines ", "process_open_fds ", "go_cpu_classes_gc_total_cpu_seconds_total ", "go_cpu_classes_total_cpu_seconds_total ", "go_cpu_classes_idle_cpu_seconds_total "} {
		if !slices.ContainsFunc(lines, func(line string) bool { return strings.HasPrefix(line, prefix) }) {
			t.Errorf("no metric %s", prefix)
		}
	}
}

func TestMetricsShowWhoIsDownAndWhoseADIsStripped(t *testing.T) {
	text := get(t, func() Snapshot {
		return Snapshot{DNSSEC: "strip", Upstreams: []upstream.Stats{{Address: "udp://192.0.2.1:53", Queries: 1, Validates: true, Down: true}}}
	}, "/metrics")
	for _, want := range []string{"down", "failing", "ad_stripped"} {
		if line := "mxglue_upstream_" + want + `{upstream="udp://192.0.2.1:53"} 1` + "\n"; !strings.Contains(text, line) {
			t.Errorf("no line %s", line)
		}
	}
}

// The conventions of https://prometheus.io/docs/practices/naming/.
func TestMetricsAreNamedByTheConventions(t *testing.T) {
	problems, err := promlint.New(strings.NewReader(get(t, busy, "/metrics"))).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		if strings.HasPrefix(p.Metric, "mxglue_") {
			t.Errorf("%s: %s", p.Metric, p.Text)
		}
	}
}

// A daemon that has done nothing shows its counters, at zero: an alert on one that is absent would be silent.
func TestMetricsAreThereFromTheStart(t *testing.T) {
	names := func(snapshot func() Snapshot) []string {
		found := map[string]bool{}
		for line := range strings.Lines(get(t, snapshot, "/metrics")) {
			name, _, _ := strings.Cut(strings.TrimSpace(line), " ")
			name, _, _ = strings.Cut(name, "{")
			if strings.HasPrefix(name, "mxglue_") {
				found[name] = true
			}
		}
		return slices.Sorted(maps.Keys(found))
	}
	want := slices.DeleteFunc(names(busy), func(name string) bool { // these have one per reason, once there is one
		return name == "mxglue_cache_glue_refused_total" || name == "mxglue_resolver_bundle_skipped_total"
	})
	if got := names(idle); !slices.Equal(got, want) {
		t.Errorf("at the start there are %v, want %v", got, want)
	}
}
