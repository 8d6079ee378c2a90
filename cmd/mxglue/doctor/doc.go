// Package doctor looks at the machine that mxglue serves, and says in a line each what is well, what could be better and
// what is wrong, and what to do about it.
//
// The way through:
//
//  1. cmd/mxglue fills in a [Doctor]: where mxglue listens, its upstreams, the way to ask a question, the running daemon.
//  2. [Doctor.Examine] looks at the mail server's settings first (postfix.go), because other checks need them, then runs
//     all groups of checks at once and hands over the [Finding] values in a fixed order:
//  3. daemon.go: does the daemon run, is it asked, and by this machine?
//  4. resolvconf.go, postfix.go, othermta.go: do the files of this machine lead its mail server to us?
//  5. upstream.go, dnssec.go, truth.go: one upstream after the other, each asked directly;
//  6. dnsbl.go: blocklists, asked as the mail server would ask;
//  7. port25.go: one SMTP connection for each test domain and address family, through smtpprobe;
//  8. ownname.go: does the name that we say in HELO lead to our address, and back?
//  9. [Write] and [WriteJSON] show the findings (text.go).
//
// Invariants:
//
//   - It changes nothing. It sends DNS questions, and to each exchanger of a test domain at most one greeting's worth of
//     SMTP.
//   - Every check ends within seconds. What could not be looked at is a warning that begins "could not find out", never a
//     failure: only what was seen to be wrong is one.
//   - Everything that was read from outside is escaped and clipped before it stands in a Finding.
//
// Sources: resolv.conf(5), postconf(5), RFC 1035 §4.2 (UDP, TCP, truncation), RFC 4035 §3.2 (AD, CD), RFC 5782 §5 (test points
// of DNSBLs), RFC 6891 (EDNS), RFC 7766 §5 (TCP is not optional), RFC 5321 §4.1.1.1 (HELO), RFC 8020 (NXDOMAIN).
package doctor
