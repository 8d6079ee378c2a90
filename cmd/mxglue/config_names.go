package main

import (
	"net/netip"
	"strings"
	"unicode"

	"github.com/miekg/dns"

	"github.com/mxglue/mxglue/smtpprobe"
)

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

// domainName accepts the name of a zone or of anything in the DNS that a mail server asks for: underscores too, and
// umlauts. It yields the name in A-labels, lower case and with a final dot. The root is none.
func domainName() kind[string] {
	return kind[string]{
		want: "a domain name such as example.com",
		parse: func(text string) (string, bool) {
			if strings.ContainsFunc(text, func(r rune) bool { return r > unicode.MaxASCII }) {
				ascii, err := smtpprobe.ParseDomain(text)
				if err != nil || strings.Contains(text, "@") {
					return "", false
				}
				text = ascii
			}
			// An underscore is good wherever a letter is (RFC 8552).
			name := strings.ReplaceAll(strings.TrimSuffix(text, "."), "_", "x")
			return dns.CanonicalName(text), isHostName(name)
		},
	}
}

// mailDomain accepts a domain that mail may go to, and yields its A-labels, lower case, without a final dot.
func mailDomain() kind[string] {
	return kind[string]{
		want: "a mail domain such as example.com",
		parse: func(text string) (string, bool) {
			domain, err := smtpprobe.ParseDomain(text)
			return domain, err == nil && !strings.Contains(text, "@")
		},
	}
}
