package smtpprobe

import "net/netip"

// special is a block of addresses that no exchanger on the public Internet can have (RFC 6890, and the
// IANA registries that grew from it). Connecting there on a stranger's word would make the probe a port
// scanner inside our own network.
type special struct {
	block   netip.Prefix
	class   string
	private bool // AllowPrivate lifts it
}

var specials = []special{
	{netip.MustParsePrefix("0.0.0.0/8"), "unspecified", false},
	{netip.MustParsePrefix("127.0.0.0/8"), "loopback", true},
	{netip.MustParsePrefix("10.0.0.0/8"), "private, RFC 1918", true},
	{netip.MustParsePrefix("172.16.0.0/12"), "private, RFC 1918", true},
	{netip.MustParsePrefix("192.168.0.0/16"), "private, RFC 1918", true},
	{netip.MustParsePrefix("100.64.0.0/10"), "carrier-grade NAT, RFC 6598", false},
	{netip.MustParsePrefix("169.254.0.0/16"), "link-local", false},
	{netip.MustParsePrefix("192.0.0.0/24"), "IETF protocol assignments", false},
	{netip.MustParsePrefix("192.0.2.0/24"), "documentation, RFC 5737", false},
	{netip.MustParsePrefix("192.88.99.0/24"), "6to4 relay, RFC 7526", false},
	{netip.MustParsePrefix("198.18.0.0/15"), "benchmarking, RFC 2544", false},
	{netip.MustParsePrefix("198.51.100.0/24"), "documentation, RFC 5737", false},
	{netip.MustParsePrefix("203.0.113.0/24"), "documentation, RFC 5737", false},
	{netip.MustParsePrefix("224.0.0.0/4"), "multicast", false},
	{netip.MustParsePrefix("255.255.255.255/32"), "broadcast", false},
	{netip.MustParsePrefix("240.0.0.0/4"), "reserved", false},
	{netip.MustParsePrefix("::/128"), "unspecified", false},
	{netip.MustParsePrefix("::1/128"), "loopback", true},
	{netip.MustParsePrefix("64:ff9b:1::/48"), "local-use translation, RFC 8215", false},
	{netip.MustParsePrefix("100::/64"), "discard-only, RFC 6666", false},
	{netip.MustParsePrefix("2001:db8::/32"), "documentation, RFC 3849", false},
	{netip.MustParsePrefix("3fff::/20"), "documentation, RFC 9637", false},
	{netip.MustParsePrefix("fc00::/7"), "unique local, RFC 4193", true},
	{netip.MustParsePrefix("fe80::/10"), "link-local", false},
	{netip.MustParsePrefix("fec0::/10"), "site-local, RFC 3879", false},
	{netip.MustParsePrefix("ff00::/8"), "multicast", false},
	{netip.MustParsePrefix("5f00::/16"), "segment routing, RFC 9602", false},
}

// embedding is an IPv6 block whose addresses lead to the IPv4 address inside: that one is judged.
type embedding struct {
	block netip.Prefix
	at    int  // octet where the IPv4 address begins
	flip  byte // XOR over each of its octets
}

var embeddings = []embedding{
	{netip.MustParsePrefix("::/96"), 12, 0},           // IPv4-compatible, RFC 4291 2.5.5.1
	{netip.MustParsePrefix("::ffff:0:0:0/96"), 12, 0}, // IPv4-translated, RFC 2765
	{netip.MustParsePrefix("64:ff9b::/96"), 12, 0},    // NAT64, RFC 6052
	{netip.MustParsePrefix("2002::/16"), 2, 0},        // 6to4, RFC 3056
	{netip.MustParsePrefix("2001::/32"), 12, 0xff},    // Teredo, RFC 4380 4
}

// PrivateAddress tells whether Options.AllowPrivate is what lets a probe connect to an address.
func PrivateAddress(addr netip.Addr) bool {
	return Options{}.blockedClass(addr) != "" && Options{AllowPrivate: true}.blockedClass(addr) == ""
}

// blockedClass names the special-use block of addr, or returns "" where a probe may connect.
func (o Options) blockedClass(addr netip.Addr) string {
	addr = addr.Unmap().WithZone("") // a prefix contains no address with a zone
	for _, allowed := range o.Allow {
		if allowed.Contains(addr) {
			return ""
		}
	}
	for _, s := range specials {
		if s.block.Contains(addr) {
			if s.private && o.AllowPrivate {
				return ""
			}
			return s.class
		}
	}
	for _, e := range embeddings {
		if e.block.Contains(addr) {
			octets := addr.As16()
			var inner [4]byte
			for i := range inner {
				inner[i] = octets[e.at+i] ^ e.flip
			}
			return o.blockedClass(netip.AddrFrom4(inner))
		}
	}
	return ""
}
