// Package status is the HTTP side of mxglue: the figures of a running daemon, for programs and for people.
//
// The way through:
//
//  1. cmd/mxglue hands over a [Daemon]: the Stats of the packages that count as a [Snapshot], anew for each request,
//     what flushes and dumps the cache, what probes ([Probes]), and the monitor.
//  2. [Daemon.Handler] guards (Host, security headers), routes, and hands the Snapshot to one of four renderings:
//  3. GET /stats: JSON, the fields of the Stats structs as they are;
//  4. GET /metrics: the Prometheus text format (metrics.go, metricstimes.go), docs/metrics.md;
//  5. GET /healthz: 200 or 503, decided by [Snapshot.Trouble];
//  6. GET /: a page (page.go, view.go, web/). It and "mxglue stats" ([WriteText]) show the same [Snapshot.Sections] and
//     [Snapshot.Notes]. Its scripts read GET /live (live.go: server-sent events, one a second), GET /series (series.go:
//     what [Series] remembers of ten minutes and of a day) and GET /busiest, and of the paths below those that are there.
//  7. POST /flush?name=DOMAIN and GET /dump?name=DOMAIN (control.go): JSON, for clients on loopback and for those with
//     the token. "mxglue dump" shows it with [WriteDump].
//     GET /explain?name=DOMAIN is for them, too (explain.go): an [Explanation] of where the domain's mail would go, by
//     what is known. POST asks upstream first for what is not. "mxglue explain" shows it with [WriteExplanation].
//  8. GET /monitor (monitor.go, monitortext.go): JSON of what the monitor knows. It, /metrics, /stats and the page only
//     read: none of them makes a connection.
//  9. GET /probe?target=DOMAIN&module=NAME (probe.go) does, as blackbox_exporter's: probed.go renders the report as metrics,
//     reports.go has what these share with /metrics.
//  10. [Serve] is the HTTP server around it, with every limit set.
//
// Invariants: nothing here counts. Four requests have an effect, POST /flush, /reload and /explain and GET /probe, and no web
// page can send one through the browser of whoever runs mxglue: Sec-Fetch-Site and Origin tell. GET /probe takes domains,
// never an address or a port, and makes 16 probes at one time at most; which domains, ports and addresses, the configuration
// says. The figures have no password, so the address belongs on loopback or behind a firewall. A request that names a foreign
// host is refused: a web page cannot read the figures either (DNS rebinding). The page needs no script to show its figures,
// no asset from elsewhere and no build, and its Content-Security-Policy forbids everything but its own files, and markup made
// of text. At most 16 listen to /live, each for an hour at a time, and they end with the daemon.
//
// Sources: RFC 6750 (Bearer), RFC 9110 (HTTP), https://prometheus.io/docs/practices/naming/, https://www.w3.org/TR/CSP3/,
// https://www.w3.org/TR/fetch-metadata/, https://www.w3.org/TR/WCAG22/, https://github.com/prometheus/blackbox_exporter,
// https://html.spec.whatwg.org/multipage/server-sent-events.html.
package status
