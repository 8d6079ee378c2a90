// Package wire reads and patches packed DNS messages in place.
//
// The way through:
//
//  1. Parse takes the one question and the OPT record out of a query, and says in a [Verdict] what is to be done with it.
//  2. [AppendKey] folds a packed question into the key that the cache and the resolver both use.
//  3. [Records] walks the records of a packed reply, so that the cache can note once where TTLs and sections lie.
//  4. [AppendError] makes the replies that hold nothing but a header, the question and an OPT.
//
// Invariants: nothing here allocates, waits or knows the time; nothing here imports miekg/dns, so that nothing on the
// way of a cached answer can come to unpack a message. Every cursor stops at the end of the slice it was given.
//
// RFC 1035 §4 (format), RFC 6891 (EDNS), RFC 9619 (one question), RFC 4343 (case).
package wire
