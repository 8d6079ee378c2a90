package records

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/net/publicsuffix"

	"github.com/mxglue/mxglue/smtpprobe/lookup"
)

var (
	dmarcPattern = regexp.MustCompile(`^v[ \t]*=[ \t]*DMARC1[ \t]*(;|$)`) // RFC 7489 6.4
	policies     = []string{"none", "quarantine", "reject"}
)

// lookDMARC finds the record at _dmarc.<domain>, else at the organizational domain (RFC 7489 6.6.3).
func lookDMARC(ctx context.Context, exchange lookup.Exchange, domain string) (DMARC, []Finding) {
	const code, rule = "dmarc", "RFC 7489 §6.6.3"
	places := []string{domain}
	if org, err := publicsuffix.EffectiveTLDPlusOne(domain); err == nil && org != domain {
		places = append(places, org)
	}
	for _, place := range places {
		records, _, err := texts(ctx, exchange, "_dmarc."+place, dmarcPattern.MatchString)
		switch {
		case err != nil:
			return DMARC{Status: Unknown}, []Finding{finding(UnknownSeverity, code, rule, domain, "The TXT question for _dmarc.%s failed (%s).", place, lookup.Describe(err))}
		case len(records) > 1:
			return DMARC{Status: Invalid, Domain: place}, []Finding{finding(Warning, code, rule, domain, "%d DMARC records at _dmarc.%s: receivers use none of them.", len(records), place)}
		case len(records) == 1:
			return readDMARC(records[0], domain, place)
		}
	}
	return DMARC{Status: None}, []Finding{finding(Info, code, rule, domain, "No DMARC record at _dmarc.%s.", strings.Join(places, " and _dmarc."))}
}

// readDMARC reads the record that stands at place and holds for domain.
func readDMARC(record, domain, place string) (DMARC, []Finding) {
	d := DMARC{Status: OK, Record: lookup.Clip(record, maxRecord), Domain: place}
	tags, err := lookup.ParseTags(record)
	if err != nil {
		d.Status = Invalid
		return d, []Finding{finding(Warning, "dmarc", "RFC 7489 §6.4", domain, "The DMARC record %q at _dmarc.%s cannot be used: %v.", lookup.Clip(record, 100), place, err)}
	}
	var findings []Finding
	if rua, found := lookup.Find(tags, "rua"); found {
		if d.RUA, err = parseURIs(rua, "mailto", "https", "http"); err != nil {
			findings = append(findings, finding(Warning, "dmarc_rua", "RFC 7489 §6.2", domain, "DMARC at _dmarc.%s: %v.", place, err))
		}
	}
	d.Policy, err = dmarcPolicy(tags, domain != place)
	switch {
	case err == nil:
		findings = append(findings, finding(Info, "dmarc", "RFC 7489 §6.3", domain, "DMARC policy %s, from _dmarc.%s.", d.Policy, place))
	case len(d.RUA) > 0:
		d.Policy = "none" // RFC 7489 6.6.3, step 6
		findings = append(findings, finding(Warning, "dmarc", "RFC 7489 §6.6.3", domain, "DMARC at _dmarc.%s: %v; receivers take it for none.", place, err))
	default:
		d.Status = Invalid
		findings = append(findings, finding(Warning, "dmarc", "RFC 7489 §6.6.3", domain, "DMARC at _dmarc.%s: %v; receivers ignore the record.", place, err))
	}
	return d, findings
}

// dmarcPolicy is p or, for a subdomain, sp where there is one (RFC 7489 6.3).
func dmarcPolicy(tags []lookup.Tag, isSubdomain bool) (string, error) {
	for _, name := range []string{"p", "sp"} {
		value, found := lookup.Find(tags, name)
		switch {
		case name == "p" && !found:
			return "", errors.New("it has no p")
		case found && !slices.Contains(policies, strings.ToLower(value)):
			return "", fmt.Errorf("its %s is %q, not none, quarantine or reject", name, lookup.Clip(value, 60))
		}
	}
	policy, _ := lookup.Find(tags, "p")
	if sub, found := lookup.Find(tags, "sp"); found && isSubdomain {
		policy = sub
	}
	return strings.ToLower(policy), nil
}
