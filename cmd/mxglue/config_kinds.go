package main

import (
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

func number[T int | uint16](least, most T) kind[T] {
	return kind[T]{
		want: fmt.Sprintf("a number from %d to %d", least, most),
		parse: func(text string) (T, bool) {
			n, err := strconv.ParseInt(text, 10, 64)
			return T(n), err == nil && n >= int64(least) && n <= int64(most)
		},
	}
}

func duration(least, most time.Duration) kind[time.Duration] {
	return kind[time.Duration]{
		want: fmt.Sprintf("a duration from %s to %s, written with its unit (1500ms, 4s, 5m, 1h)", short(least), short(most)),
		parse: func(text string) (time.Duration, bool) {
			d, err := time.ParseDuration(text)
			return d, err == nil && d >= least && d <= most
		},
	}
}

// short writes 24h0m0s as 24h, and 1m0s as 1m.
func short(d time.Duration) string {
	text := d.String()
	if d%time.Minute == 0 {
		text = strings.TrimSuffix(text, "0s")
	}
	if d%time.Hour == 0 {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

func word(words ...string) kind[string] {
	return kind[string]{
		want:  "one of " + strings.Join(words, ", "),
		parse: func(text string) (string, bool) { return text, slices.Contains(words, text) },
	}
}

func boolean() kind[bool] {
	return kind[bool]{
		want: "true or false",
		parse: func(text string) (bool, bool) {
			b, err := strconv.ParseBool(text)
			return b, err == nil
		},
	}
}

// logLevel knows the names of slog.Level, without its offsets: INFO+2 is for programs.
func logLevel() kind[slog.Level] {
	names := word("debug", "info", "warn", "error")
	return kind[slog.Level]{
		want: names.want,
		parse: func(text string) (level slog.Level, ok bool) {
			if _, ok = names.parse(strings.ToLower(text)); ok {
				ok = level.UnmarshalText([]byte(text)) == nil
			}
			return level, ok
		},
	}
}

// listenAddress allows port 0, any free one: tests need it. 4-in-6 addresses are unmapped, so that equal addresses are equal.
func listenAddress() kind[netip.AddrPort] {
	return kind[netip.AddrPort]{
		want: `an address and port such as 127.0.0.1:53, "[::1]:53" or 0.0.0.0:53`,
		parse: func(text string) (netip.AddrPort, bool) {
			at, err := netip.ParseAddrPort(text)
			return netip.AddrPortFrom(at.Addr().Unmap(), at.Port()), err == nil && !at.Addr().IsMulticast()
		},
	}
}

// orEmpty lets "" mean none.
func orEmpty[T any](k kind[T]) kind[T] {
	return kind[T]{
		want: k.want + ` (or "" for none)`,
		parse: func(text string) (none T, ok bool) {
			if text == "" {
				return none, true
			}
			return k.parse(text)
		},
	}
}

// network refuses host bits: 10.0.0.1/8 could be meant as 10.0.0.0/8 or as 10.0.0.1/32, and the
// difference is who may use this server.
func network() kind[netip.Prefix] {
	return kind[netip.Prefix]{
		want: "a network such as 192.0.2.0/24 or 2001:db8::/32 without host bits, or an address",
		parse: func(text string) (netip.Prefix, bool) {
			if addr, err := netip.ParseAddr(text); err == nil && addr.Zone() == "" {
				addr = addr.Unmap()
				return netip.PrefixFrom(addr, addr.BitLen()), true
			}
			prefix, err := netip.ParsePrefix(text)
			return prefix, err == nil && prefix == prefix.Masked() && !prefix.Addr().Is4In6()
		},
	}
}

// upstreamAddress reads every form and yields one: udp://ip:port or tcp://ip:port.
func upstreamAddress() kind[string] {
	return kind[string]{
		want: "an IP address with or without port, udp://IP:PORT or tcp://IP:PORT",
		parse: func(text string) (string, bool) {
			scheme, at, found := strings.Cut(text, "://")
			if !found {
				scheme, at = "udp", text
			}
			address, ok := addressAt53(at)
			return scheme + "://" + address.String(), ok && (scheme == "udp" || scheme == "tcp")
		},
	}
}

// addressAt53 reads ip, ip:port, [ip] or [ip]:port of one host; without a port it is 53.
func addressAt53(text string) (netip.AddrPort, bool) {
	at, err := netip.ParseAddrPort(text)
	if err != nil {
		if strings.HasPrefix(text, "[") && strings.HasSuffix(text, "]") {
			text = text[1 : len(text)-1]
		}
		var addr netip.Addr
		addr, err = netip.ParseAddr(text)
		at = netip.AddrPortFrom(addr, 53)
	}
	addr := at.Addr().Unmap()
	oneHost := !addr.IsUnspecified() && !addr.IsMulticast()
	return netip.AddrPortFrom(addr, at.Port()), err == nil && at.Port() != 0 && oneHost
}

// heloName accepts what EHLO may say: a domain or an address literal (RFC 5321 §4.1.1.1, §4.1.3). It becomes part of
// a command line, so nothing else may get through.
func heloName() kind[string] {
	return kind[string]{
		want: "a host name such as mail.example.com or an address literal such as [192.0.2.1] or [IPv6:2001:db8::1]",
		parse: func(text string) (string, bool) {
			return text, text == "" || isHostName(text) || isAddressLiteral(text)
		},
	}
}

func isAddressLiteral(text string) bool {
	if !strings.HasPrefix(text, "[") || !strings.HasSuffix(text, "]") {
		return false
	}
	inner, v6 := strings.CutPrefix(text[1:len(text)-1], "IPv6:")
	addr, err := netip.ParseAddr(inner)
	return err == nil && addr.Is6() == v6 && addr.Zone() == ""
}

// isHostName knows letters, digits and inner hyphens (RFC 5321 §4.1.2, Domain).
func isHostName(text string) bool {
	notLDH := func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-'
	}
	for label := range strings.SplitSeq(text, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' ||
			strings.ContainsFunc(label, notLDH) {
			return false
		}
	}
	return len(text) <= 253
}
