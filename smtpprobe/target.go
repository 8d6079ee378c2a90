package smtpprobe

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// Target is what a probe is about: a domain, or a host that is tried without an MX question.
type Target struct {
	Name    string     // A-labels, lower case, no final dot; of an address literal, the literal
	Host    bool       // host:port or an address literal: no MX question (RFC 5321 5.1 has none for a literal)
	Address netip.Addr // of an address literal; else the zero Addr
	Port    uint16     // 0: none was given
}

// ParseTarget takes what a person may ask about: example.com, user@example.com, mx.example.com:25,
// [192.0.2.1], [IPv6:2001:db8::1], and a literal with a port. Names may be in U-labels.
func ParseTarget(s string) (Target, error) {
	text := strings.TrimSpace(s)
	text = text[strings.LastIndexByte(text, '@')+1:]
	if addr, err := netip.ParseAddr(text); err == nil {
		return Target{}, fmt.Errorf("target %.100q: is an address without brackets: want %s for that host", s, literal(addr.Unmap().WithZone("")))
	}
	switch host, port, hasPort := strings.Cut(text, ":"); {
	case strings.HasPrefix(text, "["):
		t, err := parseLiteral(text)
		if err != nil {
			return Target{}, fmt.Errorf("target %.100q: %w", s, err)
		}
		return t, nil
	case hasPort && !strings.ContainsAny(port, ":/"):
		number, err := parsePort(port)
		if err != nil {
			return Target{}, fmt.Errorf("target %.100q: %w", s, err)
		}
		if addr, err := netip.ParseAddr(host); err == nil {
			return Target{}, fmt.Errorf("target %.100q: is an address without brackets: want %s:%d for that host", s, literal(addr), number)
		}
		name, err := ParseDomain(host)
		return Target{Name: name, Host: true, Port: number}, err
	}
	name, err := ParseDomain(s)
	return Target{Name: name}, err
}

// parseLiteral reads an address literal (RFC 5321 4.1.3) and a port after it.
func parseLiteral(text string) (Target, error) {
	inside, rest, closed := strings.Cut(text[1:], "]")
	tag, isTagged := strings.CutPrefix(strings.ToLower(inside), "ipv6:")
	if isTagged {
		inside = tag
	}
	addr, err := netip.ParseAddr(inside)
	if err != nil || !closed || addr.Zone() != "" || isTagged && addr.Is4() {
		return Target{}, errors.New("is no address literal: want [192.0.2.1] or [IPv6:2001:db8::1]")
	}
	addr = addr.Unmap()
	t := Target{Name: literal(addr), Host: true, Address: addr}
	if port, ok := strings.CutPrefix(rest, ":"); ok {
		t.Port, err = parsePort(port)
	} else if rest != "" {
		err = errors.New("goes on after the address literal: want nothing, or a port as in [192.0.2.1]:25")
	}
	return t, err
}

// literal writes an address as RFC 5321 4.1.3 has it.
func literal(addr netip.Addr) string {
	if addr.Is4() {
		return "[" + addr.String() + "]"
	}
	return "[IPv6:" + addr.String() + "]"
}

// parsePort reads a port number.
func parsePort(s string) (uint16, error) {
	n, err := strconv.ParseUint(s, 10, 16)
	if err != nil || n == 0 {
		return 0, fmt.Errorf("port %.20q: want a number from 1 to 65535", s)
	}
	return uint16(n), nil
}
