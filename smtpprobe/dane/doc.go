// Package dane tells what the TLSA records of a mail exchanger ask of a sender, and whether the certificates
// that it serves answer to them.
//
//  1. The caller asks for the MX records and the addresses first, and fills in a [Host] with what was authentic.
//  2. [Lookup] (lookup.go) chooses the base domains: the end of the alias first where everything on the way is
//     secure, then the name; none where the addresses are not signed.
//  3. It asks for _25._tcp.<base>. A denial leads to the next base, an error ends it.
//  4. record.go decides of each record whether a sender can use it.
//  5. [Result.Match] (match.go) holds the served chain against the usable records: the server's own certificate
//     (usage 3), then the issuers in the chain (usage 2) with path, dates and names.
//  6. [Result.Advise] (advise.go) says what will go wrong later.
//
// Invariants:
//
//   - Without a resolver that may be believed the word is "unknown", never "none".
//   - TLSA records are asked for only where the addresses are authentic, or the name is an authentic alias.
//   - A failed question is an error, which defers mail; it is never taken for a denial.
//   - dns.TLSA.Verify is not used: it ignores usage, dates and names. Bytes are compared.
//   - At most 64 records, 20 certificates and three questions; texts are printable and at most 512 octets.
//
// Deviations: usages 0 and 1 are unusable, as RFC 7672 3.1.3 allows (Postfix takes 1 for 3). A public key that
// is published whole as a trust anchor (2 1 0) matches only where the server sends the certificate of it, which is
// less than RFC 7671 5.2.3 recommends.
//
// RFCs: 6698 (TLSA), 7671 (operations; 5.2 DANE-TA, 7 aliases, 8.1 roll-over, 9 digest agility), 7672 (SMTP;
// 2.2 when DANE applies, 3 authentication), 8460 4.3 (names of failures).
package dane
