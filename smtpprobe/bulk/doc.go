// Package bulk probes many domains: bounded, grouped by who takes their mail, and resumable.
//
// The way through:
//
//  1. [ReadDomains] reads a list, one domain a line, and names the lines that are none.
//  2. [Done] reads what a former run wrote, and tells which domains need no second probe.
//  3. [Runner.Run] asks for the group of each domain: in practice the registered domain of its first
//     exchanger ([FirstExchanger] takes it from a report that needed DNS only).
//  4. It goes group by group, the largest first, several at a time. In each the first domain is probed alone;
//     once it is done the others run, and share its connections while these are fresh (see smtpprobe's
//     visits). So a big provider is met once, and nobody waits in line for one slow host.
//  5. Each report goes out as soon as it is there; a [Summary] counts them at the end.
//
// Invariants:
//
//   - No more than Width probes, or lookups of groups, are under way at once.
//   - The callbacks run on the goroutine that called Run, one at a time: they need no locks, and a slow one
//     slows the run down instead of filling memory.
//   - Of reports none is kept: memory holds the names alone.
//   - When ctx ends, nothing is begun any more, and what was under way then is left out: it counts as not
//     probed, so that a resumed run probes it whole.
//
// The exchanger rules are those of RFC 5321 5.1, the domain rules those of RFC 5891; both are smtpprobe's.
package bulk
