package main

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"

	"github.com/miekg/dns"
)

// systemUpstreams are the name servers of a resolv.conf(5) as upstreams, in its order and without those that are our
// own listeners: mxglue is meant to be named there, and must not ask itself. The error says what to set instead.
func systemUpstreams(path string, listen []netip.AddrPort) ([]string, error) {
	const remedy = "set resolver.upstreams in config.yaml, or --upstream, to the resolvers to ask"
	file, err := dns.ClientConfigFromFile(path)
	if err != nil {
		return nil, fmt.Errorf("no upstream to ask: %w; %s", err, remedy)
	}
	var upstreams, left []string
	for _, server := range file.Servers {
		// The system's resolver knows no port here, so neither an odd entry with one is taken.
		addr, err := netip.ParseAddr(server)
		if err != nil {
			left = append(left, fmt.Sprintf("%q is not an IP address", server))
			continue
		}
		upstream, ok := upstreamAddress().parse(addr.String())
		if !ok {
			left = append(left, fmt.Sprintf("%s is not the address of one host", addr))
		} else if listener, own := ownListener(listen, upstreamAddrPort(upstream)); own {
			left = append(left, fmt.Sprintf("%s is our own listener %s", addr, listener))
		} else if !slices.Contains(upstreams, upstream) {
			upstreams = append(upstreams, upstream)
		}
	}
	if upstreams != nil {
		return upstreams, nil
	}
	if left == nil {
		left = []string{"it names no server"}
	}
	return nil, fmt.Errorf("no upstream to ask in %s: %s; %s", path, strings.Join(left, ", "), remedy)
}

// ownListener finds the listener that would get what is sent to an address. A wildcard listener (0.0.0.0, ::) gets what
// is sent to its port at any address of this host; of both families, as Go opens wildcards for both.
func ownListener(listen []netip.AddrPort, at netip.AddrPort) (listener netip.AddrPort, own bool) {
	for _, listener := range listen {
		if listener == at || listener.Port() == at.Port() && listener.Addr().IsUnspecified() && isLocal(at.Addr()) {
			return listener, true
		}
	}
	return netip.AddrPort{}, false
}

// isLocal tells whether an address is one of this host.
func isLocal(addr netip.Addr) bool {
	if addr.IsLoopback() {
		return true
	}
	own, err := net.InterfaceAddrs()
	if err != nil {
		return false // without interfaces there is only loopback
	}
	return slices.ContainsFunc(own, func(a net.Addr) bool {
		prefix, err := netip.ParsePrefix(a.String())
		return err == nil && prefix.Addr().Unmap() == addr.WithZone("")
	})
}
