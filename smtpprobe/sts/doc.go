// Package sts finds a domain's MTA-STS policy and reads it.
//
//  1. [Fetcher.Look] asks for the TXT records at _mta-sts.<domain>; record.go takes the one that counts.
//  2. memory.go answers where the fetch for this record failed within the last five minutes.
//  3. fetch.go gets https://mta-sts.<domain>/.well-known/mta-sts.txt; dial.go finds the host's addresses
//     through the same resolver, refuses special-use ones and connects.
//  4. policy.go reads the text: version, mode, max_age, mx.
//  5. [Result.Covers] (match.go) tells whether an exchanger is in the policy. What follows from that for a
//     sender is the caller's to say, as are the certificates of the exchangers.
//
// Invariants:
//
//   - A policy comes from a server with a certificate of a known CA for the policy host, over TLS 1.2 or later,
//     with status 200, without a redirect, a proxy or a cache, within 64 KiB and [Fetcher.Timeout].
//   - Its host's addresses come from [Fetcher.Exchange] and pass [Fetcher.Blocked]: a stranger's record cannot
//     make us connect to our own network.
//   - The policy of a parent domain is never used (RFC 8461 3.4).
//   - Failures are remembered for at most 1024 domains.
//   - Every text of a Result is printable.
//
// Deviations: policies are not kept for max_age, for a tester wants what stands there now. So a sender that
// still holds an older policy may act otherwise than told here.
//
// RFCs: 8461 (MTA-STS; 3.1 the record, 3.2 the policy, 3.3 fetching, 4.1 matching, 5 modes), 8460 4.3 (names of
// failures).
package sts
