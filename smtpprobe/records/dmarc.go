package records

import (
	"context"
	"slices"
	"strings"

	"github.com/miekg/dns"

	"github.com/mxglue/mxglue/smtpprobe/lookup"
)

// maxParentLabels is how long a parent may be that is asked for. With the domain itself that makes at most 8
// questions, however long its name is (RFC 9989 4.10, step 4).
const maxParentLabels = 7

// placed is a DMARC record and the domain at which it stands.
type placed struct{ domain, text string }

// lookDMARC finds the record at _dmarc.<domain>, else at the organizational domain, else at the public suffix
// domain (RFC 9989 4.10.1), without a list of public suffixes.
func lookDMARC(ctx context.Context, exchange lookup.Exchange, domain string) (DMARC, []Finding) {
	var found []placed // from the longest name to the shortest
	var findings []Finding
	none := DMARC{Status: None}
	places := dmarcPlaces(domain)
	for _, place := range places {
		named, _, err := texts(ctx, exchange, "_dmarc."+place, namesDMARC)
		if err != nil { // whatever stands at the others, this one could hold, or end the walk: RFC 9989 5.3.6
			return DMARC{Status: Unknown}, append(findings, finding(UnknownSeverity, "dmarc", "RFC 9989 §5.3.6", domain, "The TXT question for _dmarc.%s failed (%s): which DMARC policy %s has is not known.", place, lookup.Describe(err), domain))
		}
		records := slices.DeleteFunc(slices.Clone(named), func(text string) bool { return !dmarcPattern.MatchString(text) })
		if len(records) != 1 { // RFC 9989 4.10, steps 2 and 6
			if len(named) > 0 {
				findings = append(findings, discarded(named, records, domain, place))
				none = DMARC{Status: Invalid, Domain: place}
			}
			continue
		}
		found = append(found, placed{place, records[0]})
		if place == domain || slices.Contains([]string{"y", "n"}, psd(records[0])) {
			break // a record of its own holds whatever stands above it
		}
	}
	if len(found) == 0 {
		return none, append(findings, finding(Info, "dmarc", "RFC 9989 §4.10.1", domain, "No DMARC record to go by at _dmarc.%s.", strings.Join(places, ", _dmarc.")))
	}
	holds := choose(found)
	d, more := readDMARC(holds.text, domain, holds.domain)
	return d, append(findings, more...)
}

// dmarcPlaces are the domains that are asked, in their order (RFC 9989 4.10, steps 3, 4 and 7). The last has one label.
func dmarcPlaces(domain string) []string {
	places := []string{domain}
	labels := dns.SplitDomainName(domain)
	for i := max(1, len(labels)-maxParentLabels); i < len(labels); i++ {
		places = append(places, strings.Join(labels[i:], "."))
	}
	return places
}

// choose picks the record that holds among those found from the longest name to the shortest: that of the
// organizational domain, which is the shortest name, or stands one label below a public suffix domain. Without
// a record there, that of the public suffix domain holds (RFC 9989 4.10.1, 4.10.2).
func choose(found []placed) placed {
	last := len(found) - 1
	if last > 0 && psd(found[last].text) == "y" && dns.CountLabel(found[last-1].domain) == dns.CountLabel(found[last].domain)+1 {
		return found[last-1]
	}
	return found[last]
}

// namesDMARC tells whether a TXT record is one of DMARC, or means to be.
func namesDMARC(text string) bool { return strings.Contains(strings.ToUpper(text), "DMARC1") }

// discarded tells why nothing of what stands at a place is used: there are several records, or none that begins as it must.
func discarded(named, records []string, domain, place string) Finding {
	if len(records) > 1 {
		return finding(Warning, "dmarc", "RFC 9989 §4.10", domain, "%d DMARC records at _dmarc.%s: receivers use none of them.", len(records), place)
	}
	return finding(Warning, "dmarc", "RFC 9989 §4.7", domain, "The TXT record %q at _dmarc.%s does not begin with v=DMARC1 and a semicolon: receivers ignore it.", lookup.Clip(named[0], 100), place)
}
