// Package e2e tests the built mxglue as a mail operator meets it: as the nameserver of a real Postfix, in front of a real
// Unbound, with smtp-sink as the exchangers; and in front of Unbounds that validate what a real NSD signs, that freeze and
// die, that speak DNS over TLS. Nothing in it is imported by anybody.
//
// Run it with "make e2e", or
//
//	go test -count=1 -tags e2e ./cmd/mxglue/e2e/...
//
// It needs Linux, root, and Debian's postfix, unbound, nsd, iproute2, systemd, strace, prometheus (for promtool) and chromium, and
// in /var/cache/mxglue-e2e the packages of Exim and OpenSMTPD, which cannot be installed beside Postfix; .ci/run sees to it. The package
// under test is the one in dist, which "make deb" makes, and "make e2e" before anything else. With -race the binary under
// test is built with the race detector too, and a race fails the test that saw it. "make soak" runs TestSoak alone, for a
// minute instead of ten seconds.
//
// The way through:
//
//  1. TestMain builds mxglue, then runs its own test binary again in new network, mount and process namespaces
//     (namespace_test.go). The second run has a loopback of its own, with the exchangers' addresses on it, and an
//     /etc/resolv.conf of its own that names 127.0.0.1.
//
//  2. A test starts what it needs (mxglue_test.go, postfix_test.go, unbound_test.go, nsd_test.go, upstream_test.go,
//     flapping_test.go), one of:
//
//     Postfix → mxglue 127.0.0.1:53 → upstream 127.0.0.1:5354, slow and counting → Unbound 127.0.0.1:5353
//     Postfix → smtp-sink 10.77.0.11 to 13, port 25
//
//     client → mxglue → Unbound 127.0.0.1:5353, 10.77.0.53:5353 or, over TLS, 10.77.0.53:8853 → NSD 127.0.0.53:53
//     client → Unbound 127.0.0.1:5355, its twin → NSD
//
//     clients → mxglue → two Unbounds or two flapping upstreams, 127.0.0.1:5361 and 5362
//
//     The package is installed in a root directory of its own (debian_test.go), and what its unit starts is started as the
//     unit would; systemd is asked what it thinks of the unit, and played where it would have to run (unit_test.go,
//     supervised_test.go).
//
//  3. It asserts what an operator would see: where the mail went, how long Postfix says it waited, what was asked upstream,
//     /stats, what the commands print and their exit codes.
//
// The invariants:
//
//   - No packet leaves the machine: the namespace has a loopback and nothing else.
//   - Nothing outlives the run, whichever way it ends: the test binary is process 1 of its namespace, so the kernel ends
//     every daemon with it, and takes down the namespaces, addresses and mounts.
//   - Nothing waits without a deadline.
//   - The tests share ports, so none of them is parallel.
package e2e
