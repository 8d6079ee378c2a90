package status

import (
	"regexp"
	"slices"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

// registry holds our metrics and those of Go and the process, and no others.
func (d Daemon) registry() *prometheus.Registry {
	// Seconds of CPU: those of the garbage collector, beside all that there were and those that nobody used.
	collectorCPU := collectors.GoRuntimeMetricsRule{Matcher: regexp.MustCompile(`^/cpu/classes/(gc/total|total|idle):`)}
	r := prometheus.NewRegistry()
	r.MustRegister(
		collector(d.Snapshot),
		collectors.NewGoCollector(collectors.WithGoCollectorRuntimeMetrics(collectorCPU)),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	if d.Monitor != nil {
		r.MustRegister(watcher{d.Monitor})
	}
	return r
}

// A collector renders a Snapshot on each scrape.
type collector func() Snapshot

// Describe announces nothing: what is collected, by reason and by upstream, depends on the Snapshot. The registry checks
// it on each scrape instead.
func (collector) Describe(chan<- *prometheus.Desc) {}

// Collect sends every figure of one Snapshot.
func (c collector) Collect(metrics chan<- prometheus.Metric) {
	s, m := c(), sink(metrics)
	m.gauge("build_info", "Always 1; the label says which mxglue runs.", 1, "version", s.Version)
	m.server(s)
	m.cache(s)
	m.resolver(s)
	m.replies(s.Resolver.Replies)
	m.upstreams(s)
	m.counter("saved_queries_total", "Follow-up queries whose answer was here, or on its way, before they came.", s.Saved.Queries)
	m.send(prometheus.CounterValue, "saved_wait_seconds_total", "Waiting that the saved queries would have cost.", s.Saved.WaitMS/1000)
}

// A sink takes the metrics of one scrape.
type sink chan<- prometheus.Metric

func (m sink) server(s Snapshot) {
	const queries = "Well-formed DNS queries received."
	m.counter("server_queries_total", queries, s.Server.UDPQueries, "transport", "udp")
	m.counter("server_queries_total", queries, s.Server.TCPQueries, "transport", "tcp")
	m.counter("server_dropped_total", "Queries left unanswered: too many were waiting for an upstream.", s.Server.Dropped)
	m.counter("server_malformed_total", "Datagrams and messages that were no DNS query.", s.Server.Malformed)
	m.counter("server_refused_total", "Queries of clients that server.allow does not name.", s.Server.Refused)
	m.gauge("server_tcp_connections", "TCP connections open now.", float64(s.Server.TCPConnections))
	m.counter("server_tcp_rejected_total", "TCP connections closed at once: a cap was reached.", s.Server.TCPRejected)
	m.counter("server_tcp_rejected_client_total", "Of the rejected, those of a client that had too many already.", s.Server.TCPRejectedClient)
}

func (m sink) cache(s Snapshot) {
	m.gauge("cache_entries", "Replies in the cache.", float64(s.Cache.Entries))
	m.gauge("cache_size_bytes", "Memory that the replies in the cache take up, about.", float64(s.Cache.Octets))
	m.gauge("cache_max_entries", "Replies the cache has room for.", float64(s.Cache.Capacity))
	m.counter("cache_hits_total", "Queries answered from the cache, glue and bundle included.", s.Cache.Hits)
	m.counter("cache_misses_total", "Queries the cache had no live reply for.", s.Cache.Misses)
	m.counter("cache_glue_hits_total", "Queries answered from an additional section.", s.Cache.GlueHits)
	m.counter("cache_bundle_hits_total", "Queries answered from what a bundle had fetched.", s.Cache.BundleHits)
	m.counter("cache_stale_hits_total", "Queries answered past the TTL, as upstream was late or failed.", s.Cache.StaleHits)
	m.counter("cache_expired_total", "Misses on a reply whose TTL had run out.", s.Cache.Expired)
	m.counter("cache_evicted_total", "Replies that made room for others.", s.Cache.Evicted)
	m.counter("cache_evicted_memory_total", "Of the evicted, those that made room for the size of others.", s.Cache.EvictedMemory)
	m.counter("cache_not_kept_total", "Replies passed on and not kept: too many records, or truncated.", s.Cache.NotKept)
	m.counter("cache_glue_stored_total", "Address RRsets promoted to glue.", s.Cache.GlueStored)
	m.byReason("cache_glue_refused_total", "Address RRsets not promoted to glue.", s.Cache.GlueRefused)
	m.counter("cache_glue_differs_total", "Glue that a later answer contradicted.", s.Cache.GlueDiffers)
}

func (m sink) resolver(s Snapshot) {
	m.gauge("resolver_in_flight", "Questions being asked upstream now.", float64(s.Resolver.InFlight))
	m.counter("resolver_joined_total", "Queries that waited for an equal question in flight.", s.Resolver.Joined)
	m.counter("resolver_bundle_joined_total", "Queries that joined a question of a bundle.", s.Resolver.BundleJoined)
	m.counter("resolver_bundles_total", "MX answers whose hosts were asked for.", s.Resolver.Bundles)
	m.counter("resolver_bundle_queries_total", "Questions that bundles asked.", s.Resolver.BundleQueries)
	m.byReason("resolver_bundle_skipped_total", "Questions that bundles left out.", s.Resolver.BundleSkipped)
	m.counter("resolver_refreshes_total", "Answers fetched anew because they are asked for still.", s.Resolver.Refreshes)
	m.counter("resolver_crowded_total", "Queries not looked up because too many questions were in flight.", s.Resolver.Crowded)
	m.counter("resolver_joins_refused_total", "Queries not looked up because too many waited for the same question.", s.Resolver.JoinsRefused)
	m.counter("resolver_private_dropped_total", "Addresses taken out of answers by rebind_protection.", s.Resolver.PrivateDropped)
	m.counter("resolver_servfail_total", "Queries looked up and answered SERVFAIL.", s.Resolver.ServFail)
}

func (m sink) upstreams(s Snapshot) {
	for _, u := range s.Upstreams {
		m.counter("upstream_queries_total", "Queries sent, repeats over TCP included.", u.Queries, "upstream", u.Address)
		m.counter("upstream_failures_total", "Queries without a usable response.", u.Failures, "upstream", u.Address)
		m.counter("upstream_mismatched_total", "Responses thrown away: wrong address, ID or question.", u.Mismatched, "upstream", u.Address)
		m.counter("upstream_tcp_queries_total", "Queries sent over TCP.", u.TCP, "upstream", u.Address)
		m.gauge("upstream_rtt_seconds", "Smoothed round trip; 0 before the first response.", u.RTTms/1000, "upstream", u.Address)
		m.histogram("upstream_round_trip_seconds", "From a query to its response.", u.Times, "upstream", u.Address)
		m.counter("upstream_connections_total", "TCP and TLS connections opened.", u.Connections, "upstream", u.Address)
		m.gauge("upstream_failing", "1 if the latest query had no usable response, or it is down.", oneIf(state(u) == failing || state(u) == down), "upstream", u.Address)
		m.gauge("upstream_down", "1 if it does not answer and is asked last.", oneIf(u.Down), "upstream", u.Address)
		m.gauge("upstream_validates", "1 if it has been seen to validate DNSSEC.", oneIf(u.Validates), "upstream", u.Address)
		m.gauge("upstream_trusted", "1 if nobody on the way there can set AD.", oneIf(u.Trusted), "upstream", u.Address)
		m.gauge("upstream_ad_stripped", "1 if it validates and its AD is not passed on (resolver.dnssec).", oneIf(s.stripped(u)), "upstream", u.Address)
	}
}

func (m sink) byReason(name, help string, counts map[string]uint64) {
	for reason, count := range counts {
		m.counter(name, help, count, "reason", reason)
	}
}

func (m sink) counter(name, help string, count uint64, label ...string) {
	m.send(prometheus.CounterValue, name, help, float64(count), label...)
}

func (m sink) gauge(name, help string, value float64, label ...string) {
	m.send(prometheus.GaugeValue, name, help, value, label...)
}

// send sends one metric.
func (m sink) send(kind prometheus.ValueType, name, help string, value float64, label ...string) {
	m <- prometheus.MustNewConstMetric(desc(name, help, label), kind, value)
}

// desc describes a metric; label is names and values in turns. Names are ours but for those of blackbox_exporter, which begin
// with probe_.
func desc(name, help string, label []string) *prometheus.Desc {
	labels := prometheus.Labels{}
	for pair := range slices.Chunk(label, 2) {
		labels[pair[0]] = pair[1]
	}
	if !strings.HasPrefix(name, "probe_") {
		name = "mxglue_" + name
	}
	return prometheus.NewDesc(name, help, nil, labels)
}

func oneIf(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
