// Package records reads what a domain says of itself beside its MX: TLSRPT, SPF, DMARC, and the reverse names
// of addresses. Nothing here decides delivery; what is found are sentences for the owner.
//
//  1. [Look] (look.go) asks for the three records at once.
//  2. tlsrpt.go reads a record of tag=value pairs; dmarc.go walks up the tree of names to the one that holds, and
//     dmarcrecord.go reads it.
//  3. spf.go reads the terms of an SPF record, spfwalk.go follows include and redirect and counts questions.
//  4. [FCrDNS] (ptr.go) asks for the names of an address and whether one leads back.
//
// Invariants:
//
//   - A broken record is a warning, everything else that is known is information, a failed question is unknown.
//   - A domain costs at most 40 questions for SPF, 8 for DMARC, 1 for TLSRPT; an address 6.
//   - What is kept of a record is clipped; lookup.Texts has made it printable.
//
// Deviations: SPF is not evaluated for a client: the counts are those of a message that no term matches before
// the last, so they are the most that a receiver meets. Terms with macros are counted and not asked. That
// another domain agrees to get reports (RFC 9990 4) is not asked either. DMARC's np, for domains that do not
// exist, is checked and never applied: nobody asks for such a domain's records. Its ruf and fo are not read.
//
// RFCs: 8460 3 (TLSRPT), 7208 (SPF), 9989 (DMARC), 1912 2.1 (PTR records match A records), 8601 3 (iprev).
package records
