package records

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/mxglue/mxglue/smtpprobe/lookup"
)

// maxURIs of a record are kept.
const maxURIs = 10

// lookTLSRPT finds the record at _smtp._tls.<domain>.
func lookTLSRPT(ctx context.Context, exchange lookup.Exchange, domain string) (TLSRPT, []Finding) {
	const code, rule = "tlsrpt", "RFC 8460 §3"
	owner := "_smtp._tls." + domain
	isRecord := func(text string) bool { return strings.HasPrefix(text, "v=TLSRPTv1;") }
	records, _, err := texts(ctx, exchange, owner, isRecord)
	switch {
	case err != nil:
		return TLSRPT{Status: Unknown}, []Finding{finding(UnknownSeverity, code, rule, domain, "The TXT question for %s failed (%s).", owner, lookup.Describe(err))}
	case len(records) == 0:
		return TLSRPT{Status: None}, []Finding{finding(Info, code, rule, domain, "No TLSRPT record at %s: nobody reports failed TLS.", owner)}
	case len(records) > 1:
		return TLSRPT{Status: Invalid}, []Finding{finding(Warning, code, rule, domain, "%d TLSRPT records at %s: senders use none of them.", len(records), owner)}
	}
	t := TLSRPT{Status: OK, Record: lookup.Clip(records[0], maxRecord)}
	if t.RUA, err = parseTLSRPT(records[0]); err != nil {
		t.Status = Invalid
		return t, []Finding{finding(Warning, code, rule, domain, "The TLSRPT record %q at %s cannot be used: %v.", lookup.Clip(records[0], 100), owner, err)}
	}
	return t, []Finding{finding(Info, code, rule, domain, "Reports about failed TLS go to %s.", strings.Join(t.RUA, ", "))}
}

// parseTLSRPT returns where a record wants its reports.
func parseTLSRPT(record string) (rua []string, err error) {
	tags, err := lookup.ParseTags(record)
	if err != nil {
		return nil, err
	}
	list, found := lookup.Find(tags, "rua")
	if !found {
		return nil, errors.New("it has no rua")
	}
	return parseURIs(list, "mailto", "https")
}

// parseURIs splits a list of URIs between commas. Commas and exclamation marks within one are percent-encoded.
// The error is about the first that cannot be used; the others are returned all the same.
func parseURIs(list string, schemes ...string) (uris []string, fault error) {
	bad := func(format string, args ...any) {
		if fault == nil {
			fault = fmt.Errorf(format, args...)
		}
	}
	for part := range strings.SplitSeq(list, ",") {
		part = strings.Trim(part, " \t")
		uri, err := url.Parse(part)
		switch {
		case err != nil:
			bad("its rua %q is no URI", lookup.Clip(part, 60))
		case !slices.Contains(schemes, uri.Scheme):
			bad("its rua %q has another scheme than %s", lookup.Clip(part, 60), strings.Join(schemes, " and "))
		case uri.Scheme == "mailto" && !strings.Contains(uri.Opaque, "@"), uri.Scheme == "https" && uri.Host == "":
			bad("its rua %q has nobody to go to", lookup.Clip(part, 60))
		case len(uris) < maxURIs:
			uris = append(uris, lookup.Clip(part, 256))
		}
	}
	return uris, fault
}
