package main

import (
	"net/netip"
	"strings"

	"github.com/mxglue/mxglue/resolver/upstream"
)

// upstreamAddress reads every form of an upstream and yields one for each transport: udp://ip:port, tcp://ip:port,
// tls://ip:port, tls://ip:port#name, and an https URL as it is.
func upstreamAddress() kind[string] {
	return kind[string]{
		want: "an IP address with or without port, udp://IP:PORT, tcp://IP:PORT, tls://IP:PORT#NAME or https://HOST/PATH?ip=IP",
		parse: func(text string) (string, bool) {
			scheme, rest, found := strings.Cut(text, "://")
			if !found {
				scheme, rest = "udp", text
			}
			ports := map[string]uint16{"udp": 53, "tcp": 53, "tls": 853} // RFC 1035 §4.2, RFC 7858 §3.1
			if port, ok := ports[scheme]; ok {
				at, name, named := strings.Cut(rest, "#")
				address, ok := hostAt(at, port)
				if !ok {
					return "", false
				}
				text = scheme + "://" + address.String()
				if named {
					text += "#" + name
				}
			}
			_, err := upstream.New(text) // the last word is with the one who will ask it
			return text, err == nil
		},
	}
}

// hostAt reads ip, ip:port, [ip] or [ip]:port of one host; it has the given port if it says none.
func hostAt(text string, port uint16) (netip.AddrPort, bool) {
	at, err := netip.ParseAddrPort(text)
	if err != nil {
		if strings.HasPrefix(text, "[") && strings.HasSuffix(text, "]") {
			text = text[1 : len(text)-1]
		}
		var addr netip.Addr
		addr, err = netip.ParseAddr(text)
		at = netip.AddrPortFrom(addr, port)
	}
	addr := at.Addr().Unmap()
	oneHost := !addr.IsUnspecified() && !addr.IsMulticast()
	return netip.AddrPortFrom(addr, at.Port()), err == nil && at.Port() != 0 && oneHost
}

// upstreamAddrPort is the address in an upstream of the form that upstreamAddress yields; the zero AddrPort, which is no
// one's listener, for an https URL.
func upstreamAddrPort(upstream string) netip.AddrPort {
	_, address, _ := strings.Cut(upstream, "://")
	address, _, _ = strings.Cut(address, "#")
	at, _ := netip.ParseAddrPort(address)
	return at
}
