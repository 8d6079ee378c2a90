// Package smtpprobe finds out which mail exchangers of a domain say 220.
//
// The way of a probe:
//
//  1. [Prober.Probe] parses the domain (user@domain and IDN too) into A-labels.
//  2. select.go asks for the MX RRset through [Prober.Exchange]: null MX, implicit MX, CNAME chains,
//     duplicates, illegal exchangers; shuffles, then sorts by preference.
//  3. address.go asks for A and AAAA of each exchanger, in parallel, when its turn comes; special.go refuses
//     special-use addresses.
//  4. visit.go makes one connection per address and port a minute, and shares its result with every
//     other name that leads there.
//  5. dialogue.go dials, reads the greeting, says EHLO (HELO where that is refused) and QUIT; reply.go
//     reads the replies.
//  6. verdict.go judges each connection and each exchanger; conclude.go puts the whole in one [Report].
//
// Invariants:
//
//   - Not one byte is sent before the last line of the greeting has been read.
//   - Once that line has been read, QUIT is sent, whatever happens in between; when it has not, nothing is
//     (the reasons stand at session.quit).
//   - A deadline holds for a whole reply, never for one read: a peer that drips gains nothing.
//   - A reply is bounded by 2048 octets a line, 100 lines, 64 KiB; a domain by 10 exchangers of 2 IPv4
//     and 2 IPv6 addresses each; what is kept of a peer's words by the limits in text.go.
//   - Everything a peer said is free of control characters when it enters a Report (text.go).
//   - Within one domain there is one connection at a time, in order of preference: never a backup first.
//
// net/textproto cannot read the replies: it refuses the legal bare "220" (RFC 5321 4.2) and waits for ever
// on "220-a" followed by "220", and on "SSH-2.0-...".
//
// RFCs: 5321 (SMTP; 3.1 and 4.3 the greeting, 4.2 replies, 4.1.1.10 QUIT, 4.5.3 limits and timeouts,
// 5.1 MX selection), 7505 (null MX), 7504 (521), 2181 10.3 (an exchanger is no alias), 5891 (IDNA),
// 6890 (special-use addresses).
package smtpprobe
