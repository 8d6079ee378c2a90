// Package resolver turns questions that the cache cannot answer into replies: it joins, forwards, fails over, stores,
// and asks ahead.
//
// The way through:
//
//  1. [Resolver.Resolve] takes a query that missed; [Resolver.Exchange] is the same door for the MX tester, the cache
//     in front of it.
//  2. flight.go joins a question that is already in flight, whoever asked it: a client, the tester, or a bundle.
//  3. forward.go asks the upstreams in turn inside one time budget, and goes on listening to those already asked.
//  4. The response goes into the cache, and everybody who waits is answered from the entry, just as a hit would be.
//  5. An MX response starts its bundle (bundle.go): the addresses of its hosts that are not cached are asked for at
//     once and in parallel, because a mail server is about to ask for them one after the other.
//
// Invariants: a question is upstream once at a time. A client that gives up does not end a question that others wait
// for. Every question ends within its budget, with an answer or with a SERVFAIL that is remembered for seconds.
//
// RFC 1034 §5.3.1 (forwarding), RFC 4035 §3.2 (DO, AD, CD), RFC 5321 §5.1 (MX), RFC 9520 (failures).
package resolver
