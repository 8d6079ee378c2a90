package records

import (
	"fmt"
	"net/netip"
	"regexp"
	"strings"

	"github.com/mxglue/mxglue/smtpprobe/lookup"
)

// term is a mechanism or a modifier of an SPF record, its name in lower case (RFC 7208 4.6).
type term struct {
	qualifier string // "+", "-", "?", "~"; "" for a modifier
	name      string
	domain    string // what stands behind the colon or the equals sign, without prefix lengths; "": the domain of the record
}

var (
	termPattern = regexp.MustCompile(`^([+?~-]?)([A-Za-z][A-Za-z0-9_.-]*)([:=/].*)?$`)
	cidrPattern = regexp.MustCompile(`(/(0|[1-9][0-9]?))?(//(0|[1-9][0-9]{0,2}))?$`)
)

// isSPF tells whether a TXT record is one of SPF (RFC 7208 4.5).
func isSPF(text string) bool {
	version, _, _ := strings.Cut(text, " ")
	return strings.EqualFold(version, "v=spf1")
}

// parseSPF splits a record into its terms. One that is not known or not well-formed makes the whole record an
// error, whatever stands before it (RFC 7208 4.6).
func parseSPF(record string) ([]term, error) {
	var terms []term
	seen := make(map[string]bool)
	for _, word := range strings.Fields(record)[1:] {
		t, err := parseTerm(word)
		if err != nil {
			return nil, err
		}
		if t.qualifier == "" && (t.name == "redirect" || t.name == "exp") {
			if seen[t.name] {
				return nil, fmt.Errorf("%s= stands there twice", t.name)
			}
			seen[t.name] = true
		}
		terms = append(terms, t)
	}
	return terms, nil
}

// parseTerm reads one word.
func parseTerm(word string) (term, error) {
	fault := func(why string) (term, error) { return term{}, fmt.Errorf("%q %s", lookup.Clip(word, 60), why) }
	parts := termPattern.FindStringSubmatch(word)
	if parts == nil {
		return fault("is no term")
	}
	t := term{qualifier: parts[1], name: strings.ToLower(parts[2])}
	value := parts[3]
	if strings.HasPrefix(value, "=") {
		t.domain = value[1:]
		if t.qualifier != "" || t.domain == "" && (t.name == "redirect" || t.name == "exp") {
			return fault("is no modifier")
		}
		return t, nil
	}
	if t.qualifier == "" {
		t.qualifier = "+" // RFC 7208 4.6.2
	}
	switch t.name {
	case "all":
		if value != "" {
			return fault("has a value, and all takes none")
		}
	case "include", "exists":
		if t.domain = strings.TrimPrefix(value, ":"); t.domain == "" || t.domain == value {
			return fault("names no domain")
		}
	case "a", "mx", "ptr":
		if t.name != "ptr" {
			value = cidrPattern.ReplaceAllString(value, "")
		}
		if t.domain = strings.TrimPrefix(value, ":"); value != "" && (t.domain == "" || t.domain == value) {
			return fault("has something else than a domain and a prefix length behind it")
		}
	case "ip4", "ip6":
		if !isNetwork(strings.TrimPrefix(value, ":"), t.name == "ip4") {
			return fault("has no " + t.name + " address or network")
		}
	default:
		return fault("is no mechanism that RFC 7208 knows")
	}
	return t, nil
}

// isNetwork tells whether s is an address, or a network, of the family.
func isNetwork(s string, is4 bool) bool {
	address, err := netip.ParseAddr(s)
	if err != nil {
		var network netip.Prefix
		network, err = netip.ParsePrefix(s)
		address = network.Addr()
	}
	return err == nil && address.Is4() == is4 && address.Zone() == ""
}
