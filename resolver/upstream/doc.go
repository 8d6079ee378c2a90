// Package upstream asks one upstream resolver one question and tells whether a response is the answer to it.
//
// The way through:
//
//  1. [New] reads an address as the configuration has it: udp://ip:port (repeated over TCP where needed) or tcp://ip:port.
//  2. [Upstream.Exchange] packs a query with an ID of its own, DO set and an EDNS size of 1232 octets.
//  3. udp.go sends it from a socket of its own, so from a port that nobody can foretell, and goes on reading until a
//     response matches in address, ID and question (match.go); what does not match is thrown away and counted.
//  4. A truncated response, or a third that does not match, sends the question over TCP (tcp.go).
//  5. A FORMERR from a server that does not know EDNS is asked once more without it.
//
// Invariants: every wait ends with the context. A response is returned as the upstream sent it; what it is worth is the
// resolver's to say.
//
// RFC 1035 §4.2, RFC 5452 (what must match), RFC 6891 (EDNS), RFC 7766 (TCP).
package upstream
