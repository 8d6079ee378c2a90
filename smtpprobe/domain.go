package smtpprobe

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/idna"
)

// ParseDomain takes a domain or a mail address and returns the domain in A-labels (RFC 5891, Lookup), lower
// case, without a final dot. What has no MX RRset to ask for is an error that says so: address literals,
// addresses, host:port, URLs.
func ParseDomain(s string) (string, error) {
	domain, err := parseDomain(s)
	if err != nil {
		return "", fmt.Errorf("domain %.100q: %w", s, err)
	}
	return domain, nil
}

// maxDomainText is how long a domain may be in U-labels: four octets at most for each of its A-labels. Without a bound,
// Punycode takes time that grows with the square of a label's length, and a line of 64 KiB seconds.
const maxDomainText = 4 * 253

func parseDomain(s string) (string, error) {
	if !utf8.ValidString(s) { // or idna would make a label of the replacement character
		return "", errors.New("is not UTF-8")
	}
	s = strings.TrimSpace(s)
	at := strings.LastIndexByte(s, '@')
	if at == 0 {
		return "", errors.New("nothing stands before the @: want user@example.com or example.com")
	}
	s = s[at+1:]
	if _, err := netip.ParseAddr(strings.Trim(s, "[].")); err == nil || strings.HasPrefix(s, "[") {
		return "", errors.New("is an address, which has no MX: want a domain such as example.com")
	}
	switch {
	case strings.Trim(s, ".") == "":
		return "", errors.New("is empty: want a domain such as example.com")
	case strings.ContainsAny(s, "/:"):
		return "", errors.New("is a URL or has a port: want a domain such as example.com")
	}
	if len(s) > maxDomainText {
		return "", fmt.Errorf("has %d octets: a domain name has at most 253", len(s))
	}
	ascii, err := idna.Lookup.ToASCII(s)
	if err != nil {
		return "", fmt.Errorf("is not a domain name (%w): want letters, digits and hyphens between dots, as in example.com", err)
	}
	ascii = strings.TrimSuffix(ascii, ".")
	return ascii, checkLength(ascii)
}

// checkLength applies RFC 1035 2.3.4: labels of 1 to 63 octets, 253 octets in all when written out.
func checkLength(name string) error {
	if len(name) > 253 {
		return fmt.Errorf("has %d octets: a domain name has at most 253", len(name))
	}
	for label := range strings.SplitSeq(name, ".") {
		switch {
		case label == "":
			return errors.New("has an empty label: two dots in a row, or one at the front")
		case len(label) > 63:
			return fmt.Errorf("has a label of %d octets: at most 63", len(label))
		}
	}
	return nil
}
