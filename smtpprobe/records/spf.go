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

// macro is what SPF has receivers fill in (RFC 7208 7.1).
const macro = `%(?:[%_-]|\{[slodiphcrtvSLODIPHCRTV][0-9]*[rR]?[-.+,/_=]*\})`

var (
	termPattern = regexp.MustCompile(`^([+?~-]?)([A-Za-z][A-Za-z0-9_.-]*)([:=/].*)?$`)
	cidrPattern = regexp.MustCompile(`(/([12]?[0-9]|3[0-2]))?(//([1-9]?[0-9]|1[01][0-9]|12[0-8]))?$`) // 5.6

	// The domain-spec of RFC 7208 7.1: it ends with a dot and a label that is no number, or with a macro.
	domainPattern = regexp.MustCompile(`^(` + macro + `|[!-$&-~])*(\.([A-Za-z0-9]*[A-Za-z][A-Za-z0-9]*|[A-Za-z0-9]+-[A-Za-z0-9-]*[A-Za-z0-9])\.?|` + macro + `)$`)
)

// noDomain is what parseTerm says of a domain that is none: an address, a name without a dot, one with a prefix length that cannot be.
const noDomain = "names no domain such as mail.example.com"

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
		isKnown := t.name == "redirect" || t.name == "exp"
		switch {
		case t.qualifier != "" || t.domain == "" && isKnown:
			return fault("is no modifier")
		case isKnown && !domainPattern.MatchString(t.domain):
			return fault(noDomain)
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
	if t.domain != "" && !domainPattern.MatchString(t.domain) {
		return fault(noDomain)
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
