package lookup

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/miekg/dns"
)

// maxTags is how many tags of a record are read.
const maxTags = 64

// Texts returns the TXT records among rrs, the strings of each joined.
func Texts(rrs []dns.RR) []string {
	var texts []string
	for _, rr := range rrs {
		if txt, ok := rr.(*dns.TXT); ok {
			texts = append(texts, strings.Join(txt.Txt, ""))
		}
	}
	return texts
}

// Tag is one tag=value pair of a record.
type Tag struct{ Name, Value string }

// ParseTags splits a record of tag=value pairs between semicolons (RFC 6376 3.2, as RFC 9989 4.7, RFC 8460 3
// and RFC 8461 3.1 use it). White space around tags and values does not count; a last semicolon is allowed.
func ParseTags(record string) ([]Tag, error) {
	var tags []Tag
	fields := strings.Split(strings.Trim(record, " \t"), ";")
	if fields[len(fields)-1] == "" {
		fields = fields[:len(fields)-1]
	}
	if len(fields) > maxTags {
		return nil, fmt.Errorf("more than %d tags", maxTags)
	}
	for _, field := range fields {
		name, value, found := strings.Cut(field, "=")
		name, value = strings.Trim(name, " \t"), strings.Trim(value, " \t")
		if !found || name == "" {
			return tags, fmt.Errorf("%q where tag=value is wanted", Clip(field, 60))
		}
		tags = append(tags, Tag{name, value})
	}
	return tags, nil
}

// Find returns the value of the first tag of that name, and whether there is one.
func Find(tags []Tag, name string) (value string, found bool) {
	for _, tag := range tags {
		if tag.Name == name {
			return tag.Value, true
		}
	}
	return "", false
}

// Clip shortens s to at most limit bytes, the mark of the cut included, and never within a character.
func Clip(s string, limit int) string {
	const mark = "…"
	if len(s) <= limit {
		return s
	}
	cut := max(limit-len(mark), 0)
	for cut > 0 && !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + mark
}

// Describe is an error's text, fit for a report: printable and short.
func Describe(err error) string {
	if late := net.Error(nil); errors.As(err, &late) && late.Timeout() { // context.DeadlineExceeded is one too
		return "timed out"
	}
	quoted := strconv.Quote(err.Error())
	return Clip(quoted[1:len(quoted)-1], 256)
}

// Addresses returns the addresses among rrs, each once, in their order.
func Addresses(rrs []dns.RR) []netip.Addr {
	var found []netip.Addr
	for _, rr := range rrs {
		var address netip.Addr
		switch rr := rr.(type) {
		case *dns.A:
			address, _ = netip.AddrFromSlice(rr.A.To4())
		case *dns.AAAA:
			address, _ = netip.AddrFromSlice(rr.AAAA)
		}
		if address.IsValid() && !slices.Contains(found, address) {
			found = append(found, address)
		}
	}
	return found
}
