// Package server takes queries off UDP and TCP sockets and puts replies on them. It works on packed messages only.
//
// The way through:
//
//  1. [Server.Listen] opens the sockets, or takes over those that [Adopt] was handed; [Server.Serve] runs them until its
//     context ends and then drains.
//  2. udp.go: one goroutine per socket takes the datagrams that are there in one call (batch_linux.go; single.go where there
//     is no such call), parses each, and looks the reply up with Answer, which waits for nothing and writes over the query.
//     The hits among them are put back in one call, through a socket that the poller does not watch (outlet_linux.go).
//  3. A miss takes a copy of its datagram and a place among those who wait, and calls Resolve on a goroutine that is kept for
//     the next (waiter.go); its reply leaves by the same socket. If no place is free the query is dropped and counted: a mail
//     server asks again.
//  4. tcp.go: the same for the messages of a connection, which are answered in whatever order the answers come
//     (RFC 7766 §6.2.1.1).
//
// [Server.Reconfigure] replaces what queries are answered by, whole, while sockets and connections stay: a query goes by what was
// there when its batch was taken.
//
// Invariants: only clients that Allow names are answered, others are refused; what is no query is never answered. Every
// connection has an idle and a reading deadline, and there is a cap on all of them and on each client's.
//
// RFC 1035 §4.2 (transport), RFC 7766 (TCP), RFC 6891 (EDNS), RFC 9619 (one question).
package server
