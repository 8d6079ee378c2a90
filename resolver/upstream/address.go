package upstream

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// The transports, by the scheme of an address.
const (
	schemeUDP   = "udp"
	schemeTCP   = "tcp"
	schemeTLS   = "tls"
	schemeHTTPS = "https"
)

// The ports of encrypted transports that an address need not name (RFC 7858 §3.1, RFC 9110 §4.2.2).
const (
	portTLS   = 853
	portHTTPS = 443
)

// The forms of an address, as errors tell them.
const (
	formsAll   = "udp://ip:port, tcp://ip:port, tls://ip[:port][#name] or https://host[:port]/path[?ip=address]"
	formPlain  = "udp://ip:port or tcp://ip:port"
	formTLS    = "tls://ip[:port][#name], the name being the one in the server's certificate"
	formHTTPS  = "https://host[:port]/path[?ip=address], such as https://dns.example/dns-query?ip=192.0.2.1"
	maxHostLen = 253 // octets of a host name in text form (RFC 1035 §2.3.4)
)

// target is where an upstream is and how it is spoken to.
type target struct {
	address string         // as configured
	scheme  string         // the transport
	peer    netip.AddrPort // of udp, tcp and tls
	name    string         // of tls and https: whom the certificate must be for, a host name or an IP address
	url     string         // of https: where queries are posted to
	port    uint16         // of https
	ips     []netip.Addr   // of https: the server's addresses; none: its name is looked up
}

// parseAddress reads an address as the configuration has it. Its error names the address and what would be right.
func parseAddress(address string) (target, error) {
	scheme, rest, _ := strings.Cut(address, "://")
	t := target{address: address, scheme: scheme}
	var err error
	switch scheme {
	case schemeUDP, schemeTCP:
		if t.peer, err = netip.ParseAddrPort(rest); err != nil {
			err = errors.New("want " + formPlain)
		}
	case schemeTLS:
		err = t.parseTLS(rest)
	case schemeHTTPS:
		err = t.parseHTTPS(address)
	default:
		err = errors.New("want " + formsAll)
	}
	if err != nil {
		return target{}, fmt.Errorf("upstream %q: %w", address, err)
	}
	t.peer = netip.AddrPortFrom(t.peer.Addr().Unmap(), t.peer.Port())
	return t, nil
}

// parseTLS reads ip[:port][#name]. The certificate must be for the name (RFC 8310 §8.1) or, where there is none, for the IP
// address (RFC 5280 §4.2.1.6), which is not in RFC 8310.
func (t *target) parseTLS(rest string) error {
	at, name, named := strings.Cut(rest, "#")
	peer, err := netip.ParseAddrPort(at)
	if err != nil {
		var addr netip.Addr
		if addr, err = netip.ParseAddr(unbracket(at)); err != nil {
			return errors.New("want " + formTLS)
		}
		peer = netip.AddrPortFrom(addr, portTLS)
	}
	if peer.Port() == 0 {
		return errors.New("want a port from 1 to 65535, as in " + formTLS)
	}
	t.peer, t.name = peer, strings.TrimSuffix(name, ".")
	if !named {
		t.name = certificateIP(peer.Addr())
	} else if !isHostName(t.name) {
		return fmt.Errorf("%q is no host name; want %s", name, formTLS)
	}
	return nil
}

// parseHTTPS reads https://host[:port]/path. The parameter ip, which may stand several times, names the server's own
// addresses and is not sent. A URI template's {?dns} is for GET; a POST leaves it out (RFC 8484 §4.1).
func (t *target) parseHTTPS(address string) error {
	u, err := url.Parse(strings.Replace(address, "{?dns}", "", 1))
	if err != nil || u.User != nil || u.Fragment != "" || u.Path == "" {
		return errors.New("want " + formHTTPS)
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return errors.New("want " + formHTTPS)
	}
	for _, text := range query["ip"] {
		ip, err := netip.ParseAddr(unbracket(text))
		if err != nil {
			return fmt.Errorf("ip=%s is no IP address; want %s", text, formHTTPS)
		}
		t.ips = append(t.ips, ip.Unmap())
	}
	query.Del("ip")
	u.RawQuery = query.Encode()
	t.url, t.port = u.String(), portHTTPS
	if text := u.Port(); text != "" {
		port, err := strconv.ParseUint(text, 10, 16)
		if err != nil || port == 0 {
			return errors.New("want a port from 1 to 65535, as in " + formHTTPS)
		}
		t.port = uint16(port)
	}
	t.name = strings.TrimSuffix(u.Hostname(), ".")
	if ip, err := netip.ParseAddr(t.name); err == nil {
		t.name = certificateIP(ip)
		if t.ips == nil {
			t.ips = []netip.Addr{ip.Unmap()}
		}
	} else if !isHostName(t.name) {
		return fmt.Errorf("%q is no host name; want %s", t.name, formHTTPS)
	}
	return nil
}

// certificateIP writes an IP address as certificates are checked for it.
func certificateIP(ip netip.Addr) string { return ip.Unmap().WithZone("").String() }

func unbracket(text string) string {
	if strings.HasPrefix(text, "[") && strings.HasSuffix(text, "]") {
		return text[1 : len(text)-1]
	}
	return text
}

// isHostName accepts what may stand in a certificate: letters, digits, hyphens and, because they occur, underscores.
func isHostName(text string) bool {
	for label := range strings.SplitSeq(text, ".") {
		rest := strings.Trim(strings.ToLower(label), "abcdefghijklmnopqrstuvwxyz0123456789-_")
		if label == "" || len(label) > 63 || rest != "" {
			return false
		}
	}
	return len(text) <= maxHostLen
}
