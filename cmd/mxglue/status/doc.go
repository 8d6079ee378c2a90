// Package status is the HTTP side of mxglue: the figures of a running daemon, for programs and for people.
//
// The way through:
//
//  1. cmd/mxglue collects the Stats of the packages that count into a [Snapshot], anew for each request.
//  2. [Handler] guards (Host, security headers), routes, and hands the Snapshot to one of four renderings:
//  3. GET /stats: JSON, the fields of the Stats structs as they are;
//  4. GET /metrics: the Prometheus text format (metrics.go);
//  5. GET /healthz: 200 or 503, decided by [Snapshot.Trouble];
//  6. GET /: a page. It and "mxglue stats" ([WriteText]) show the same [Snapshot.Sections] and [Snapshot.Notes].
//  7. [Serve] is the HTTP server around it, with every limit set.
//
// Invariants: nothing here counts, and nothing here changes what the daemon does. No request has an effect, so there is
// nothing to forge; there is no password either, so the address belongs on loopback or behind a firewall. A request that
// names a foreign host is refused: a web page cannot read the figures through the browser of whoever runs mxglue (DNS
// rebinding). The page needs no script and no asset but itself, and its Content-Security-Policy forbids any.
//
// Sources: RFC 9110 (HTTP), https://prometheus.io/docs/practices/naming/, https://www.w3.org/TR/CSP3/.
package status
