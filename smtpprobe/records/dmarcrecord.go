package records

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/mxglue/mxglue/smtpprobe/lookup"
)

// The grammar of DMARC records (RFC 9989 4.8).
var (
	dmarcPattern = regexp.MustCompile(`^[vV][ \t]*=[ \t]*DMARC1[ \t]*(;|$)`) // first, and the value in this case only
	sizePattern  = regexp.MustCompile(`![0-9]+[kmgtKMGT]?([ \t]*(?:,|$))`)   // behind a URI, obsolete
	policies     = []string{"none", "quarantine", "reject"}
	lesser       = map[string]string{"reject": "quarantine", "quarantine": "none"} // what t=y makes of a policy (4.7)
	// The tags whose values are letters, and these.
	dmarcFlags = []lookup.Tag{{Name: "adkim", Value: "rs"}, {Name: "aspf", Value: "rs"}, {Name: "psd", Value: "ynu"}, {Name: "t", Value: "yn"}}
	// RFC 7489 had these (RFC 9989 C.5.2), and those values as their defaults: who wrote one of them loses nothing.
	dmarcGone = map[string]string{"pct": "100", "rf": "afrf", "ri": "86400"}
)

// readDMARC reads the record that stands at place and holds for domain.
func readDMARC(record, domain, place string) (DMARC, []Finding) {
	d := DMARC{Status: OK, Record: lookup.Clip(record, maxRecord), Domain: place}
	var findings []Finding
	say := func(severity, code, rule, format string, args ...any) {
		findings = append(findings, finding(severity, code, rule, domain, "DMARC at _dmarc.%s: "+format, append([]any{place}, args...)...))
	}
	tags, bad := splitDMARC(record)
	if bad != "" {
		say(Warning, "dmarc_tags", "RFC 9989 §4.8", "%q is no tag=value: receivers ignore it.", lookup.Clip(bad, 60))
	}
	judgeTags(tags, say)
	if rua, found := lookup.Find(tags, "rua"); found {
		var err error
		if d.RUA, err = parseURIs(sizePattern.ReplaceAllString(rua, "$1"), "mailto", "https", "http"); err != nil {
			say(Warning, "dmarc_rua", "RFC 9989 §4.7", "%v.", err)
		}
		if sizePattern.MatchString(rua) {
			say(Info, "dmarc_tags", "RFC 9989 §4.8", "the size limit in its rua is no longer used.")
		}
	}
	var err error
	d.Policy, err = dmarcPolicy(tags, domain != place)
	d.Testing = flag(tags, "t") == "y"
	switch weaker := lesser[d.Policy]; {
	case err != nil && len(d.RUA) > 0:
		d.Policy = "none"
		say(Warning, "dmarc", "RFC 9989 §4.10.1", "%v; receivers take it for none.", err)
	case err != nil:
		d.Status = Invalid
		say(Warning, "dmarc", "RFC 9989 §4.10.1", "%v, and there is no rua to use: receivers ignore the record.", err)
	case d.Testing && weaker != "":
		say(Info, "dmarc", "RFC 9989 §4.7", "policy %s, under test (t=y): receivers are asked for no more than %s.", d.Policy, weaker)
	default:
		say(Info, "dmarc", "RFC 9989 §4.7", "policy %s.", d.Policy)
	}
	return d, findings
}

// splitDMARC splits a record into its tags. What is no tag=value is left out, and the first such piece returned:
// unlike in other records of this kind it does not make the whole void (RFC 9989 4.8).
func splitDMARC(record string) (tags []lookup.Tag, bad string) {
	for field := range strings.SplitSeq(record, ";") {
		tag, err := lookup.ParseTags(field)
		if err != nil && bad == "" {
			bad = strings.Trim(field, " \t")
		}
		tags = append(tags, tag...)
	}
	return tags, bad
}

// judgeTags tells of tags that stand there twice, are no longer used and would have changed something, or have a
// value that receivers do not know. Tags that nobody knows are ignored (RFC 9989 4.7).
func judgeTags(tags []lookup.Tag, say func(severity, code, rule, format string, args ...any)) {
	var gone []string
	seen := make(map[string]bool)
	twice := ""
	for _, tag := range tags {
		meant, isGone := dmarcGone[tag.Name]
		switch {
		case seen[tag.Name] && twice == "":
			twice = tag.Name
		case !seen[tag.Name] && isGone && !strings.EqualFold(tag.Value, meant):
			gone = append(gone, tag.Name)
		}
		seen[tag.Name] = true
	}
	if twice != "" {
		// RFC 9989 4.8 lets receivers pass over errors, the rule for all such lists makes the record void. The first is read here.
		say(Warning, "dmarc_tags", "RFC 6376 §3.2", "its %s stands there twice: receivers may ignore the record.", lookup.Clip(twice, 60))
	}
	if len(gone) > 0 {
		say(Info, "dmarc_tags", "RFC 9989 §C.5.2", "RFC 9989 no longer has %s: receivers that follow it ignore that.", strings.Join(gone, ", "))
	}
	for _, known := range dmarcFlags {
		if value, found := lookup.Find(tags, known.Name); found && flag(tags, known.Name) == "" {
			say(Warning, "dmarc_tags", "RFC 9989 §4.8", "its %s is %q, not one of %s: receivers take the default.", known.Name, lookup.Clip(value, 60), strings.Join(strings.Split(known.Value, ""), ", "))
		}
	}
}

// flag returns the value of a tag whose values are letters, or "" where that is none of them.
func flag(tags []lookup.Tag, name string) string {
	letters, _ := lookup.Find(dmarcFlags, name)
	value, _ := lookup.Find(tags, name)
	if value = strings.ToLower(value); len(value) != 1 || !strings.Contains(letters, value) {
		return ""
	}
	return value
}

// psd returns what a record says of its domain: "y" for a public suffix, "n" for an organizational domain.
func psd(record string) string {
	tags, _ := splitDMARC(record)
	return flag(tags, "psd")
}

// dmarcPolicy is p or, for a subdomain, sp where there is one. All three must be valid where they are (RFC 9989
// 4.10.1); np is for domains that do not exist.
func dmarcPolicy(tags []lookup.Tag, isSubdomain bool) (string, error) {
	policy := ""
	for _, name := range []string{"p", "sp", "np"} {
		value, found := lookup.Find(tags, name)
		value = strings.ToLower(value)
		switch {
		case name == "p" && !found:
			return "", errors.New("it has no p")
		case found && !slices.Contains(policies, value):
			return "", fmt.Errorf("its %s is %q, not none, quarantine or reject", name, lookup.Clip(value, 60))
		case name == "p", name == "sp" && found && isSubdomain:
			policy = value
		}
	}
	return policy, nil
}
