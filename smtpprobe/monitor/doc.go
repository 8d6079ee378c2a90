// Package monitor probes a list of domains again and again, and remembers what it saw.
//
// The way through:
//
//  1. [OpenStore] opens the history; [New] reads what it knows of each domain, so that a restart neither
//     forgets an alarm nor probes everything at once.
//  2. [Monitor.Run] spreads the first probes over the interval, and from then on gives each domain its own
//     time: the interval (15 min) give or take 10 %, 30 min and up to 10 % more once an address failed (schedule.go),
//     and the end of the hold where a primary that failed was not to be met again yet (record.go).
//  3. depth.go chooses how far to go: mostly to the greeting; every 6th time, after a bad result, after a change
//     of the records and when a certificate or a TLSA signature ends soon, to the certificate. One connection
//     an address in either case.
//  4. standing.go weighs the results: two bad ones raise an alarm, two good ones clear it, and a domain that
//     keeps changing is named flapping. A result that rests on connections of before the last one, which the
//     prober does not repeat yet, is no evidence of its own. best.go makes it critical that the most preferred
//     exchangers are down for more than four results in a row, although a backup takes the mail.
//  5. known.go holds the MX set, the TLSA records, the certificate keys and the MTA-STS policy against those
//     known: a change is an event of its own, alarm or not.
//  6. blocked.go looks at all domains together: when nobody answers at all, the network here is to blame.
//     That is one event, and no domain's fault.
//  7. The store has result, events and state before a reader sees them; [Monitor.States], [Monitor.State],
//     [Monitor.History], [Monitor.Events] and [Monitor.Blocked] tell them to the status page and to /metrics.
//  8. [Monitor.Reconfigure] changes list, times and probe while it runs; states, history and counts go on.
//
// Invariants:
//
//   - Reading never makes a connection, nor a DNS question: only Run probes.
//   - A domain has one probe under way at most, and a probe is of the whole domain, in order of preference. Where
//     Probe has smtpprobe.Pace.InOrder, as mxglue's has, a backup is never asked alone, which to its operator is what
//     spammers do (POSTSCREEN_README): while the prober leaves a primary alone, it leaves those behind it alone too.
//   - What a reader has seen, or the log has said, is in the store, and survives a kill -9. A store that fails is
//     logged and counted, and the monitor goes on without.
//   - Everything has an end: domains, results and events of each by number and age, probes by time.
//
// The store is go.etcd.io/bbolt, because it is pure Go, one file, without a server, kept by the etcd project,
// and has each transaction synced to disk before it is acknowledged: a kill -9 loses nothing but the
// result that was being written. Its price is one fsync a result, of which there are a few a minute.
//
// RFC 5321 4.5.4.1 gives the 30 minutes after a failure. The rest is custom: the two bad results of every
// monitor since Nagios, whose states of flapping these are too.
package monitor
