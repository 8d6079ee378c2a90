package records

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/miekg/dns"

	"github.com/mxglue/mxglue/smtpprobe/lookup"
)

// The limits of RFC 7208 4.6.4, and ours.
const (
	maxLookups   = 10
	maxVoid      = 2
	maxExchanges = 10       // names that an mx term may lead to
	maxQuestions = 40       // that we ask for one domain
	maxOctets    = 64 << 10 // of all records that are read, so that 40 of the longest do not cost seconds
)

// spfWalk counts what a receiver would have to ask. Its first problem makes the record one that cannot be used.
type spfWalk struct {
	exchange  lookup.Exchange
	spf       SPF
	questions int
	octets    int      // of the records read
	path      []string // domains whose records are being read, to find loops
	hasPTR    bool
	problem   string
	rule      string
}

// lookSPF finds the record of a domain and follows it.
func lookSPF(ctx context.Context, exchange lookup.Exchange, domain string) (SPF, []Finding) {
	const code = "spf"
	w := &spfWalk{exchange: exchange}
	records, _, err := texts(ctx, exchange, domain, isSPF)
	w.questions++
	switch {
	case err != nil:
		return SPF{Status: Unknown}, []Finding{finding(UnknownSeverity, code, "RFC 7208 §4.4", domain, "The TXT question for %s failed (%s).", domain, lookup.Describe(err))}
	case len(records) == 0:
		return SPF{Status: None}, []Finding{finding(Info, code, "RFC 7208 §4.5", domain, "No SPF record at %s.", domain)}
	case len(records) > 1:
		return SPF{Status: Invalid}, []Finding{finding(Warning, code, "RFC 7208 §4.5", domain, "%d SPF records at %s: receivers take that for an error.", len(records), domain)}
	}
	w.spf = SPF{Status: OK, Record: lookup.Clip(records[0], maxRecord)}
	w.follow(ctx, dns.CanonicalName(domain), records[0], true)
	findings := w.findings(domain) // settles the status too
	return w.spf, findings
}

// follow goes through the terms of the record that stands at domain. An all that counts for the whole is one of
// the first record, or of one that redirect leads to.
func (w *spfWalk) follow(ctx context.Context, domain, record string, isMain bool) {
	if w.octets += len(record); w.octets > maxOctets {
		w.spf.Cut = true
		return
	}
	terms, err := parseSPF(record)
	if err != nil {
		w.fail("RFC 7208 §4.6", "%v, in the record of %s", err, lookup.Host(domain))
		return
	}
	w.path = append(w.path, domain)
	defer func() { w.path = w.path[:len(w.path)-1] }()
	redirect := ""
	for _, t := range terms {
		switch {
		case t.qualifier == "" && t.name == "redirect":
			redirect = t.domain
		case t.qualifier == "":
		case t.name == "all": // what stands behind it is never looked at, redirect is ignored: RFC 7208 5.1
			if isMain {
				w.spf.All = t.qualifier + t.name
			}
			return
		default:
			w.mechanism(ctx, domain, t)
		}
	}
	if redirect != "" {
		w.spf.Lookups++
		w.other(ctx, "redirect", redirect, isMain)
	}
}

// mechanism counts a term, and asks what it asks. The ip4 and ip6 mechanisms ask nothing.
func (w *spfWalk) mechanism(ctx context.Context, domain string, t term) {
	target := t.domain
	if target == "" {
		target = domain
	}
	switch t.name {
	case "include":
		w.spf.Lookups++
		w.other(ctx, t.name, target, false)
	case "a": // an IPv6 client has the receiver ask for AAAA: void is what is void for both
		w.spf.Lookups++
		w.ask(ctx, target, dns.TypeA, dns.TypeAAAA)
	case "exists": // A for an IPv6 client too: RFC 7208 5.7
		w.spf.Lookups++
		w.ask(ctx, target, dns.TypeA)
	case "mx":
		w.spf.Lookups++
		if ans := w.ask(ctx, target, dns.TypeMX); len(ans.RRs) > maxExchanges {
			w.fail("RFC 7208 §4.6.4", "the mx term of %s leads to %d names, and %d are allowed", lookup.Host(target), len(ans.RRs), maxExchanges)
		}
	case "ptr":
		w.spf.Lookups++
		w.hasPTR = true
	}
}

// other reads the record of another domain, for include or redirect.
func (w *spfWalk) other(ctx context.Context, name, target string, isMain bool) {
	domain := dns.CanonicalName(target)
	if slices.Contains(w.path, domain) {
		w.fail("RFC 7208 §4.6.4", "%s of %s leads round in a circle", name, lookup.Host(domain))
		return
	}
	ans := w.ask(ctx, target, dns.TypeTXT)
	if ans.Name == "" {
		return // not known: ask said so
	}
	records := slices.DeleteFunc(lookup.Texts(ans.RRs), func(text string) bool { return !isSPF(text) })
	if len(records) != 1 {
		rule := "RFC 7208 §5.2"
		if name == "redirect" {
			rule = "RFC 7208 §6.1"
		}
		w.fail(rule, "%s of %s finds %d SPF records, and needs one", name, lookup.Host(domain), len(records))
		return
	}
	w.follow(ctx, domain, records[0], isMain)
}

// ask asks for one type after the other until there is something, and counts it as void if there is not. An
// answer without a name: it could not be known.
func (w *spfWalk) ask(ctx context.Context, name string, qtypes ...uint16) (ans lookup.Answer) {
	if _, isName := dns.IsDomainName(name); strings.Contains(name, "%") || !isName || w.questions >= maxQuestions {
		w.spf.Cut = true
		return lookup.Answer{}
	}
	for _, qtype := range qtypes {
		if w.questions >= maxQuestions {
			break
		}
		w.questions++
		var err error
		if ans, err = lookup.Ask(ctx, w.exchange, name, qtype); err != nil {
			w.spf.Cut = true
			return lookup.Answer{}
		}
		if len(ans.RRs) > 0 || ans.NXDomain {
			break
		}
	}
	if len(ans.RRs) == 0 {
		w.spf.Void++
	}
	return ans
}

// fail notes what makes the record an error for receivers; the first counts.
func (w *spfWalk) fail(rule, format string, args ...any) {
	if w.problem == "" {
		w.problem, w.rule = fmt.Sprintf(format, args...), rule
	}
}

// findings tells what was counted.
func (w *spfWalk) findings(domain string) []Finding {
	var found []Finding
	say := func(severity, code, rule, format string, args ...any) {
		found = append(found, finding(severity, code, rule, domain, format, args...))
	}
	if w.problem != "" {
		w.spf.Status = Invalid
		say(Warning, "spf", w.rule, "The SPF record of %s is an error for receivers: %s.", domain, w.problem)
	}
	if w.spf.Lookups > maxLookups {
		w.spf.Status = Invalid
		say(Warning, "spf_lookups", "RFC 7208 §4.6.4", "SPF of %s costs up to %d lookups, and receivers make %d at most.", domain, w.spf.Lookups, maxLookups)
	}
	if w.spf.Void > maxVoid {
		w.spf.Status = Invalid
		say(Warning, "spf_void", "RFC 7208 §4.6.4", "SPF of %s has %d lookups without an answer, and receivers bear %d.", domain, w.spf.Void, maxVoid)
	}
	if w.hasPTR {
		say(Info, "spf_ptr", "RFC 7208 §5.5", "SPF of %s uses ptr, which should not be used.", domain)
	}
	switch {
	case w.spf.All == "+all":
		say(Warning, "spf_all", "RFC 7208 §5.1", "SPF of %s ends with +all: everybody may send.", domain)
	case w.spf.All == "" && w.spf.Status == OK && !w.spf.Cut:
		say(Info, "spf_all", "RFC 7208 §4.7", "SPF of %s has no all and no redirect: who is not named is neutral.", domain)
	}
	if w.spf.Status == OK {
		say(Info, "spf", "RFC 7208 §4.6.4", "SPF of %s: %s, up to %d of %d lookups.", domain, orNothing(w.spf.All), w.spf.Lookups, maxLookups)
	}
	return found
}

// orNothing is s, or a word for its absence.
func orNothing(s string) string {
	if s == "" {
		return "no all"
	}
	return s
}
