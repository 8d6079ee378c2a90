// Package querylog writes down who asked what, from where it was answered, and how long that took.
//
// The way through:
//
//  1. [Open] opens the file, or leaves a socket to the writer; whoever answers queries asks [Log.Chosen] whether this one is in
//     the sample, and if so hands it to [Log.Add].
//  2. Add copies the query into the batch that is being filled (batch.go), under a lock that nobody holds for longer than
//     such a copy. A batch that is full takes no more: what comes then is dropped and counted.
//  3. The writer (writer.go) takes the batch when it is half full or a tenth of a second old, and leaves an empty one. What
//     cannot be written it tries again each second, while the other batch fills.
//  4. A stream (stream.go) is the open file or connection. It is written to in pieces of 64 KiB, each with a deadline; a piece
//     that did not get through whole is taken back out of a file, and ends a connection.
//  5. encode.go makes JSON lines, or dnstap's CLIENT_RESPONSE messages, of the queries.
//  6. [Log.Reopen] opens the file anew after somebody has moved it away; [Log.Close] writes what is there still.
//
// Invariants: Add neither waits nor allocates, whatever the disk or the reader of the socket does. Two batches are all the
// memory there is. What was dropped is told, once it is over.
//
// What comes twice: after a connection broke, the piece that was under way is sent again to the next reader. What is not
// logged: queries that never got as far as an answer, which server's counters tell (refused clients, no queries, no room).
//
// dnstap: https://dnstap.info, by github.com/dnstap/golang-dnstap; Frame Streams: https://github.com/farsightsec/fstrm.
// RFC 8259 (JSON), RFC 1035 §5.1 (names as text), RFC 3339 (time). RFC 9076 §6.1 says what such a log gives away.
package querylog
