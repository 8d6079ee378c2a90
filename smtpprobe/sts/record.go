package sts

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/miekg/dns"

	"github.com/mxglue/mxglue/smtpprobe/lookup"
)

// recordVersion begins every record that counts (RFC 8461 3.1).
const recordVersion = "v=STSv1;"

var idPattern = regexp.MustCompile(`^[A-Za-z0-9]{1,32}$`)

// record asks for the record of a domain. The result is final unless its status is OK; then it has the ID.
func record(ctx context.Context, exchange lookup.Exchange, domain string) Result {
	var r Result
	const rule = "RFC 8461 §3.1"
	owner := "_mta-sts." + domain
	ans, err := lookup.Ask(ctx, exchange, owner, dns.TypeTXT)
	if err != nil {
		return r.settle(Unknown, rule, "The TXT question for %s failed (%s): a sender without a policy in its cache does without.", owner, lookup.Describe(err))
	}
	var records, others []string
	for _, text := range lookup.Texts(ans.RRs) {
		switch {
		case strings.HasPrefix(text, recordVersion):
			records = append(records, text)
		case strings.HasPrefix(strings.ToLower(strings.TrimSpace(text)), "v=sts"):
			others = append(others, lookup.Clip(text, 60)) // meant to count, perhaps
		}
	}
	switch {
	case len(records) > 1:
		r.Code = codePolicy
		return r.settle(RecordInvalid, rule, "%s has %d records that begin with %q: senders use none of them.", owner, len(records), recordVersion)
	case len(records) == 0 && len(others) > 0:
		r.Code = codePolicy
		return r.settle(RecordInvalid, rule, "The record %q at %s does not begin with %q: senders ignore it.", others[0], owner, recordVersion)
	case len(records) == 0:
		return r.settle(None, rule, "There is no MTA-STS record at %s.", owner)
	}
	if r.ID, err = parseRecord(records[0]); err != nil {
		r.Code = codePolicy
		return r.settle(RecordInvalid, rule, "The record %q at %s cannot be used: %v.", lookup.Clip(records[0], 100), owner, err)
	}
	return r.settle(OK, rule, "There is an MTA-STS record at %s.", owner)
}

// parseRecord returns the id of a record that begins with recordVersion. Other fields are for the future.
func parseRecord(record string) (id string, err error) {
	tags, err := lookup.ParseTags(record)
	if err != nil {
		return "", err
	}
	id, found := lookup.Find(tags, "id")
	switch {
	case !found:
		return "", errors.New("it has no id")
	case !idPattern.MatchString(id):
		return "", fmt.Errorf("its id %q is not 1 to 32 letters and digits", lookup.Clip(id, 40))
	}
	return id, nil
}
