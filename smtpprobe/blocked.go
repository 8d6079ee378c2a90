package smtpprobe

import (
	"net/netip"
	"slices"
)

// fewNetworks is how many independent networks have to be silent before it is our own.
const fewNetworks = 3

// BlockedHere tells whether the port seems blocked on our side: exchangers in three networks or more were
// connected to, and not one answered, with so much as a refusal. Hosting companies block port 25 outwards. The
// reports should be of a few minutes; one that was answered by the result of another counts for it.
func BlockedHere(reports []Report) bool {
	silent := make(map[netip.Prefix]bool)
	for _, r := range reports {
		for _, e := range r.MX {
			for _, a := range e.Attempts {
				switch {
				case a.Verdict == Skipped, a.Verdict == BlockedAddress:
				case a.Answered():
					return false
				default:
					silent[networkOf(a.Address)] = true
				}
			}
		}
	}
	return len(silent) >= fewNetworks
}

// Answered tells whether somebody at the address answered, with so much as a refusal.
func (a Attempt) Answered() bool {
	return !slices.Contains([]Verdict{Skipped, BlockedAddress, TimeoutConnect, Unreachable, LocalError}, a.Verdict)
}

// networkOf is the network of an address, as coarse as independent operators are apart.
func networkOf(addr netip.Addr) netip.Prefix {
	bits := 16
	if addr = addr.Unmap(); addr.Is6() {
		bits = 32
	}
	prefix, _ := addr.Prefix(bits) // fails for no address and for too many bits only
	return prefix
}
