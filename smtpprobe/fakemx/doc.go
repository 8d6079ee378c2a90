// Package fakemx is a mail exchanger that misbehaves on purpose, and keeps count of clients that do. It is for tests of
// whatever talks SMTP to strangers: our own prober, and, as "mxglue fakemx", anybody's mail server.
//
// The way of a connection:
//
//  1. [Parse] makes a [Script] of behaviours by name (behaviours.go lists them); a test may fill one in itself.
//  2. [Server.Serve] accepts, bounds and counts (server.go, counts.go), and gives each connection to [Server.Converse].
//  3. greeting.go waits, teases, dribbles or falls silent as the script says, and listens while it does: a client that
//     talks before the greeting's last line is told 521 and hung up on, as postscreen does.
//  4. session.go takes commands until QUIT; tls.go does STARTTLS, rightly or wrongly.
//  5. The [Visit] goes to [Server.Done] and into [Counts].
//
// Invariants:
//
//   - It never takes a mail: MAIL and RCPT are accepted, DATA is always refused. So it relays nothing and loses nothing.
//   - The number of connections, the time of each, its commands and the length of a line are bounded.
//   - A client is blamed for a missing QUIT only where it could have said it: the greeting had ended, and neither we nor a
//     failed TLS handshake ended the dialogue.
//
// RFCs: 5321 (SMTP; 3.1 the greeting, 4.1.1.10 QUIT, 4.2 replies, 4.3.1 waiting for the greeting), 3207 (STARTTLS),
// 7504 (521), 8314 3 (implicit TLS).
package fakemx
