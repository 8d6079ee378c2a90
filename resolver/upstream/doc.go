// Package upstream asks one upstream resolver one question and tells whether a response is the answer to it.
//
// The way through:
//
//  1. [New] reads an address as the configuration has it (address.go), whose scheme is the transport.
//  2. [Upstream.Exchange] packs a query with DO set and an EDNS size of 1232 octets.
//  3. udp: udp.go sends it with a fresh ID from a socket of its own, so from a port that nobody can foretell, and goes on
//     reading until a response matches in address, ID, question, spelling (case.go) and cookie (cookie.go); what does not
//     match (match.go) is thrown away and counted. A truncated response, a third that does not match, or one that may be
//     forged sends the question over TCP.
//     quick.go does the same without unpacking, over sockets that are used again with another port (socket_linux.go), as
//     long as nothing but a plain response comes; whatever else happens goes on in udp.go: [Asked.Resume].
//  4. tcp, tls: pool.go chooses one of a few connections, conn.go pipelines queries on it and hands out the responses in
//     whatever order they come, waiter.go is a query meanwhile. tls.go connects, proves who the server is, and pads.
//  5. https: https.go posts it over HTTP/2, whose connections net/http keeps.
//  6. A FORMERR from a server that does not know EDNS is asked once more without it.
//
// Invariants: every wait ends with the context. A connection that was lost while idle costs no query an error; one that
// died without a word gets no more queries after a second (https: three). Nothing is said to an encrypted upstream before
// it has proved who it is. A response is returned as the upstream sent it, but for a spelling of ours (case.go) and the
// time it spent in an HTTP cache; what it is worth is the resolver's to say, with [Upstream.Trusted].
//
// What is not here: the keep-alive option of RFC 7828 (a server that wants a connection back closes it, which costs nothing),
// the choice of HTTP/3 or QUIC, and opportunistic encryption (RFC 8310 §5): what cannot be verified is not used.
//
// RFC 1035 §4.2, RFC 5452 (what must match), RFC 6891 (EDNS), RFC 7766 (TCP), RFC 7858 and 8310 (TLS), RFC 8484 (HTTPS),
// RFC 7830 and 8467 (padding), RFC 7873 and 9018 (cookies), draft-vixie-dnsext-dns0x20.
package upstream
