package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/mxglue/mxglue/resolver"
)

// A Route is an element of resolver.routes. It has a policy and a protection of its own: those of resolver are for what
// no route is for.
type Route struct {
	Zone             string   // lower case, with a final dot; never the root
	Upstreams        []string // at least one, as upstreamAddress yields them
	Policy           string
	RebindProtection bool
}

// policy names the orders in which upstreams are asked.
func policy() kind[string] {
	return word(string(resolver.InOrder), string(resolver.Fastest), string(resolver.Race))
}

// settings is the table of a route's keys. A key without a default must be there.
func (r *Route) settings() []setting {
	return []setting{
		{"zone", nil, one(&r.Zone, domainName())},
		{"upstreams", nil, list(&r.Upstreams, upstreamAddress(), 1)},
		{"policy", string(resolver.InOrder), one(&r.Policy, policy())},
		{"rebind_protection", false, one(&r.RebindProtection, boolean())},
	}
}

// routes is the setter of a list of routes. A variable of the environment, which is a string, cannot hold one.
func routes(dst *[]Route) setter {
	return to(dst, func(raw any) (wrong []string) {
		items, ok := raw.([]any)
		if !ok {
			return []string{show(raw) + " is not a list of routes, each with zone and upstreams; such a list can stand in config.yaml only"}
		}
		*dst = []Route{}
		for i, item := range items {
			var r Route
			for _, text := range setKeys(item, r.settings(), "a route: it needs the keys zone and upstreams") {
				wrong = append(wrong, fmt.Sprintf("route %d: %s", i+1, text))
			}
			if slices.ContainsFunc(*dst, func(other Route) bool { return other.Zone == r.Zone && r.Zone != "" }) {
				wrong = append(wrong, fmt.Sprintf("route %d: zone: %q has a route already; list all its upstreams there", i+1, r.Zone))
			}
			*dst = append(*dst, r)
		}
		return wrong
	})
}

// records is the setter of zone-file lines: a list of them, or one text, which the environment can hold as well. They
// are told apart by their line ends: a record has blanks and may have commas.
func records(dst *resolver.Records) setter {
	return to(dst, func(raw any) (wrong []string) {
		var lines []string
		for _, item := range texts(raw) {
			text, ok := item.(string)
			if !ok {
				wrong = append(wrong, show(item)+` is no zone-file line such as "mail.example.com. 3600 IN A 192.0.2.1"`)
			}
			for line := range strings.Lines(text) {
				line = strings.TrimSpace(line)
				if line == "" || line[0] == ';' || slices.Contains(lines, line) {
					continue
				}
				if bad := badRecord(line); bad != "" {
					wrong = append(wrong, bad)
				}
				lines = append(lines, line)
			}
		}
		if wrong == nil {
			*dst, _ = resolver.ParseRecords(lines) // each has been read before
		}
		return wrong
	})
}

// badRecord says on one line what is wrong with a zone-file line.
func badRecord(line string) string {
	if line[0] == '$' { // $INCLUDE and $GENERATE make more records than one
		return show(line) + ` is a directive; write the records themselves, such as "mail.example.com. 3600 IN A 192.0.2.1"`
	}
	if _, err := resolver.ParseRecords([]string{line}); err != nil {
		return strings.Join(strings.Fields(err.Error()), " ")
	}
	return ""
}

// texts are the elements of a list, or the one thing that is none.
func texts(raw any) []any {
	if list, ok := raw.([]any); ok {
		return list
	}
	return []any{raw}
}
