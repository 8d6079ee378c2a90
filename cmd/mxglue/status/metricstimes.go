package status

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/mxglue/mxglue/resolver"
	"github.com/mxglue/mxglue/resolver/upstream"
)

// replies sends what became of the queries that the cache could not answer. A hit takes microseconds, and to look at its type
// or at the clock would be a good part of that: hits are counted, and no more.
func (m sink) replies(r resolver.Replies) {
	for qtype, n := range r.ByType {
		m.counter("resolver_replies_total", "Replies to queries that the cache could not answer, by the type of the question.", n, "type", qtype)
	}
	for rcode, n := range r.ByRcode {
		m.counter("resolver_rcodes_total", "Replies to queries that the cache could not answer, by RCODE.", n, "rcode", rcode)
	}
	m.histogram("resolver_reply_seconds", "From a query that the cache could not answer to its reply.", r.Times)
}

// histogram sends the times of one thing.
func (m sink) histogram(name, help string, times upstream.Times, label ...string) {
	upTo, all := times.Buckets()
	m <- prometheus.MustNewConstHistogram(desc(name, help, label), all, times.Total.Seconds(), upTo)
}
