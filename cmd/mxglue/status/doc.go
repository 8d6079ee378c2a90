// Package status is the HTTP side of mxglue: the figures of a running daemon, for programs and for people.
//
// The way through:
//
//  1. cmd/mxglue hands over a [Daemon]: the Stats of the packages that count as a [Snapshot], anew for each request, and
//     what flushes and dumps the cache.
//  2. [Daemon.Handler] guards (Host, security headers), routes, and hands the Snapshot to one of four renderings:
//  3. GET /stats: JSON, the fields of the Stats structs as they are;
//  4. GET /metrics: the Prometheus text format (metrics.go);
//  5. GET /healthz: 200 or 503, decided by [Snapshot.Trouble];
//  6. GET /: a page. It and "mxglue stats" ([WriteText]) show the same [Snapshot.Sections] and [Snapshot.Notes].
//  7. POST /flush?name=DOMAIN and GET /dump?name=DOMAIN (control.go): JSON, for clients on loopback and for those with
//     the token. "mxglue dump" shows it with [WriteDump].
//  8. [Serve] is the HTTP server around it, with every limit set.
//
// Invariants: nothing here counts. One request has an effect, POST /flush, and no web page can send it through the
// browser of whoever runs mxglue: Sec-Fetch-Site and Origin tell. The figures have no password, so the address belongs on
// loopback or behind a firewall. A request that names a foreign host is refused: a web page cannot read the figures
// either (DNS rebinding). The page needs no script and no asset but itself, and its Content-Security-Policy forbids any.
//
// Sources: RFC 6750 (Bearer), RFC 9110 (HTTP), https://prometheus.io/docs/practices/naming/, https://www.w3.org/TR/CSP3/.
package status
