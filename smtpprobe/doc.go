// Package smtpprobe finds out what the mail exchangers of a domain do to mail: who says 220, over what TLS,
// and what a plain, a DANE and an MTA-STS sender would make of it now.
//
// The way of a probe:
//
//  1. [Prober.Probe] parses the target: a domain, user@domain, host:port or an address literal (target.go).
//  2. select.go asks for the MX RRset through [Prober.Exchange]: null MX, implicit MX, CNAME chains,
//     duplicates, illegal exchangers; shuffles, then sorts by preference.
//  3. address.go asks for A and AAAA of all exchangers in parallel, and then, where those are authentic, for
//     TLSA (package dane); self.go leaves out what is ourselves.
//  4. policy.go asks beside the connections for MTA-STS (package sts), for TLSRPT, SPF, DMARC and reverse
//     names (package records).
//  5. special.go refuses special-use addresses. visit.go makes one connection for all who ask about an address
//     and a port, and lets its result stand for a while; gates.go keeps the pauses and
//     the limits, together with other Probers if they share [Gates]; pace.go says how long a failure stands, and spare.go
//     leaves backups alone with their primaries.
//  6. dial.go connects; dialogue.go reads the greeting, says EHLO (HELO where that is refused), STARTTLS
//     (starttls.go), EHLO again, and QUIT; session.go sends and reads, reply.go knows what a reply is.
//  7. verdict.go judges each greeting, judge.go and certificate.go each handshake, senders.go what each kind of
//     sender does; findtls.go and findpolicy.go make findings of it, each with the rule and the evidence.
//  8. conclude.go puts the whole in one [Report]; raise.go makes its status worse where plain senders deliver
//     and others defer, or a certificate ends soon.
//
// [Prober.Plan] goes as far as step 3 and orders the addresses as Postfix, Exim or RFC 5321 would (arrange.go).
//
// Invariants:
//
//   - Not one byte is sent before the last line of the greeting has been read.
//   - Once that line has been read, QUIT is sent, whatever happens in between, but for a TLS handshake that
//     fails; when it has not, nothing is (the reasons stand at session.quit).
//   - A deadline holds for a whole reply, never for one read: a peer that drips gains nothing.
//   - A reply is bounded by 2048 octets a line, 100 lines, 64 KiB; a domain by 10 exchangers and 50 addresses,
//     2 IPv4 and 2 IPv6 of each host unless all are asked for; a served chain by 10 certificates and 64 KiB;
//     what is kept of a peer's words by the limits in text.go.
//   - Everything a peer said is free of control characters when it enters a Report (text.go).
//   - Within one domain there is one connection at a time, in order of preference: never a backup first. To one
//     address there is one at a time and one a minute, whatever the domain and the port; to one operator two at
//     a time, to all 16. After a refusal an address is left alone for longer (pace.go).
//   - What was seen on a connection is kept apart from what it means: the same connection can be good for one
//     domain and not for another, which publishes a policy.
//   - One handshake serves all verdicts: any certificate is taken, and then held against every demand. Nobody's
//     trust depends on it, for no mail is sent.
//
// net/textproto cannot read the replies: it refuses the legal bare "220" (RFC 5321 4.2) and waits for ever
// on "220-a" followed by "220", and on "SSH-2.0-...". net/smtp, built on it, drops what is injected behind the
// 220 of STARTTLS without a word.
//
// RFCs: 5321 (SMTP; 3.1 and 4.3 the greeting, 4.2 replies, 4.1.1.10 QUIT, 4.5.3 limits and timeouts,
// 5.1 MX selection), 7505 (null MX), 7504 (521), 2181 10.3 (an exchanger is no alias), 5891 (IDNA),
// 6890 (special-use addresses), 3207 (STARTTLS), 7435 (opportunistic security), 7672 (DANE), 8461 (MTA-STS),
// 8460 4.3 (the names of TLS failures), 8314 (implicit TLS).
package smtpprobe
