// Package cache keeps upstream responses packed, and answers queries out of them: aged, and addressed to the client that asks.
//
// The way in:
//
//  1. [Cache.Store] takes an upstream's response, drops what is off the chain that starts at QNAME (chain.go), and
//     decides how long it may live (lifetime.go).
//  2. It is packed once (pack.go), in the form for clients with DO and, where that differs, in the form without. Where
//     the TTLs lie and where the message may end is noted then (form.go).
//     [Cache.StorePlain] does all that without unpacking, for responses that are as plain as most (plain.go).
//  3. The entry goes into the shard of its key at rank answer: into a segment, with others and their messages (segment.go), and
//     into the book, which says where it lies and what has to make room (shard.go). A million fit into 256 MiB.
//  4. If it answers an MX or SRV question, each address RRset of its additional section that passes every guard of
//     promote.go becomes an entry of its own, at rank glue: a packed reply to a question that nobody has asked yet.
//
// The way out, in answer.go and front.go:
//
//  5. [Cache.Answer] folds the question into the key, finds the entry in the table before the book (front.go), which is read
//     without a lock, or else in the book, and asks whether it lives and fits this client. [Cache.Near] has looked for those
//     of the whole batch before, so that their memory comes at once. An answer that has ended is still given while a failure of
//     its question is remembered, or while it is fetched anew (stale.go).
//  6. The reply is a prefix of the packed message with ID, flags, spelling and TTLs stamped on it.
//
// [Cache.Reconfigure] changes the rules for what comes in, and the room; [Cache.Rerouted] forgets what others are asked about now.
//
// Words. An RRset is the records of one name and type. Glue here is an address RRset that came in the additional section
// of a response, for a name that the response's answer section names: wider than RFC 9499's glue, which sits at a zone
// cut. Rank says what may answer: answer before glue before a remembered failure; everything else in a response is an
// echo, given back inside the message it came with and never by itself.
//
// Glue served as answers deviates from RFC 2181 §5.4.1, which says that additional data should never be. The deviation
// is what mxglue is for, and promote.go is its fence: a client is told nothing that it had not been sent already.
//
// Invariants: what an entry says is immutable once inserted; beside it stand its hits, and the instants at which it wakes the
// resolver. Time is a parameter. The sections of a packed message lie in order and compression points backwards only, so a
// prefix that ends between two records is a message once its counts are right: that serves small buffers, and authority or
// additional records that expired before the answer did.
//
// RFC 1035 §4, RFC 2181 §5, RFC 2308 (negative answers), RFC 4035 §3.2 (DO, AD, CD), RFC 9520 (failures).
package cache
