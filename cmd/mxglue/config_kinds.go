package main

import (
	"fmt"
	"log/slog"
	"math"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
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

// orZero lets 0s mean none.
func orZero(k kind[time.Duration]) kind[time.Duration] {
	return kind[time.Duration]{
		want: k.want + ` (or 0s for none)`,
		parse: func(text string) (time.Duration, bool) {
			if d, err := time.ParseDuration(text); err == nil && d == 0 {
				return 0, true
			}
			return k.parse(text)
		},
	}
}

// size reads octets with a binary unit.
func size(least, most uint64) kind[int] {
	units := []struct {
		name  string
		shift int
	}{{"KiB", 10}, {"MiB", 20}, {"GiB", 30}}
	return kind[int]{
		want: fmt.Sprintf("a size from %dMiB to %dGiB, written with its unit (KiB, MiB, GiB)", least>>20, most>>30),
		parse: func(text string) (int, bool) {
			for _, u := range units {
				if digits, ok := strings.CutSuffix(text, u.name); ok {
					n, err := strconv.ParseUint(digits, 10, 32)
					octets := n << u.shift
					return int(octets), err == nil && octets >= least && octets <= min(most, math.MaxInt)
				}
			}
			return 0, false
		},
	}
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

// fileName accepts what can stand in a log line and a system call; whether the file is there is for its user to see.
func fileName() kind[string] {
	return kind[string]{
		want:  "a file name without control characters",
		parse: func(text string) (string, bool) { return text, !strings.ContainsFunc(text, unicode.IsControl) },
	}
}

// token is a token68 (RFC 9110 §11.2, RFC 6750 §2.1) that is not guessed.
func token() kind[string] {
	const least, most = 16, 256
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/="
	return kind[string]{
		want: fmt.Sprintf("%d to %d letters, digits or -._~+/= (openssl rand -hex 16 makes some)", least, most),
		parse: func(text string) (string, bool) {
			return text, len(text) >= least && len(text) <= most && strings.Trim(text, alphabet) == ""
		},
	}
}
