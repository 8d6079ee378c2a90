// Package resolver turns questions that the cache cannot answer into replies: it joins, forwards, fails over, stores,
// and asks ahead.
//
// The way through:
//
//  1. [Resolver.Resolve] takes a query that missed; [Resolver.Exchange] is the same door for the MX tester, the cache
//     in front of it.
//  2. flight.go joins a question that is already in flight, whoever asked it: a client, the tester, or a bundle.
//  3. Configured records (records.go) answer for their names. For all others route.go finds the upstreams of the longest
//     matching zone, in the order of their policy, those that are down last (health.go).
//  4. quick.go asks the first of them on the goroutine at hand, for what is answered at once by one plain datagram, which
//     most questions are. All else is left to forward.go, where it has got to: that asks them in turn inside one time
//     budget, and goes on listening to those already asked.
//  5. The response, less what its way here does not vouch for (AD, private addresses), goes into the cache, and everybody
//     who waits is answered from the entry, just as a hit would be. Where it takes too long or fails, an old answer serves.
//  6. An MX response starts its bundle (bundle.go): the addresses of its hosts that are not cached are asked for at
//     once and in parallel, because a mail server is about to ask for them one after the other.
//  7. In the background: what is asked for still is fetched anew when it ends (refresh.go), what is down is probed, and
//     each upstream is watched, whether it still validates (health.go).
//  8. [Resolver.Reconfigure] replaces options and upstreams while all this goes on (reconfigure.go): health, figures and
//     connections of the upstreams that stay are kept.
//
// Beside the way stands [Resolver.Explain], which tells people what is known of a domain's mail hosts (explain.go, memory.go).
//
// Invariants: a question is upstream once at a time, but around a Reconfigure. A client that gives up does not end a
// question that others wait for. Every question ends within its budget, with an answer or with a SERVFAIL that is
// remembered for seconds.
//
// RFC 1034 §5.3.1 (forwarding), RFC 4035 §3.2 (DO, AD, CD), RFC 5321 §5.1 (MX), RFC 8482 (ANY),
// RFC 8767 (stale answers), RFC 8914 (extended errors), RFC 9520 (failures).
package resolver
