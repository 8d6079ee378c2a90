package upstream

import (
	"net/netip"
	"slices"
)

// Trusted says whether what the upstream claims to have validated, its AD bit, can be believed: nobody on the way could
// have set it, because the way is encrypted or does not leave this host (RFC 4035 §4.9.3, RFC 7672 §2.1.1).
func (u *Upstream) Trusted() bool {
	return u.scheme == schemeTLS || u.scheme == schemeHTTPS || u.Loopback()
}

// Loopback says whether the upstream is on this host, so that no network lies between.
func (u *Upstream) Loopback() bool {
	return u.peer.Addr().IsLoopback() || slices.ContainsFunc(u.ips, netip.Addr.IsLoopback)
}

// StoppedValidating notes that the upstream does not set AD any more where it must.
func (u *Upstream) StoppedValidating() { u.validates.Store(false) }
