package smtpprobe

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// Plan is the list of addresses that a sender would try, in order, made from DNS alone.
type Plan struct {
	Domain  string   `json:"domain"`
	As      string   `json:"as"`
	Outcome Outcome  `json:"outcome,omitempty"` // set where there is nothing to try: bounce, or defer
	Steps   []Step   `json:"steps"`
	Rules   []string `json:"rules"`    // how the order came about; sentences
	LeftOut []string `json:"left_out"` // what is not tried, and by which limit; sentences
}

// Step is one address.
type Step struct {
	Exchanger  string     `json:"exchanger"`
	Preference uint16     `json:"preference"`
	Address    netip.Addr `json:"address"`
	Family     string     `json:"family"` // IPv4, IPv6
	Source     string     `json:"source"` // of the address: glue, bundle, cache, upstream
	TTL        uint32     `json:"ttl"`    // seconds left of its RRset
	AD         bool       `json:"ad"`
}

// sender is how one kind of sender orders and cuts.
type sender struct {
	name    string
	toIP    bool // connects to an exchanger that is an address
	arrange func(*run, *Plan)
}

// planners are the senders that Plan knows. What they do is what they do out of the box: Postfix 3.3 and newer
// (smtp_addr.c and smtp_connect.c), Exim 4 (its specification, chapters 17 and 30), and RFC 5321 5.1 to the letter.
var planners = []sender{
	{"postfix", true, arrangePostfix},
	{"exim", false, arrangeExim},
	{"rfc5321", false, arrangeRFC},
}

// Plan tells which addresses a sender would try for a domain, in order: "postfix", "exim" or "rfc5321". Where the
// sender shuffles, it is one order of several. The error names what is wrong with domain or as, or why the MX
// question failed.
func (p *Prober) Plan(ctx context.Context, domain, as string) (Plan, error) {
	i := slices.IndexFunc(planners, func(s sender) bool { return s.name == as })
	if i < 0 {
		return Plan{}, fmt.Errorf("sender %.40q: want postfix, exim or rfc5321", as)
	}
	opt := p.Options
	opt.AllAddresses, opt.MXToIP, opt.Validates = true, planners[i].toIP, false
	r, err := p.newRun(domain, opt)
	if err != nil {
		return Plan{}, err
	}
	plan := Plan{Domain: r.report.Domain, As: as, Steps: []Step{}, Rules: []string{}, LeftOut: []string{}}
	if err := r.check(); err != nil {
		return plan, err
	}
	switch err := r.selectMX(ctx); {
	case errors.Is(err, errNullMX), err == nil && r.mixedNull && as == "postfix":
		plan.Outcome = OutcomeBounce
		plan.LeftOut = append(plan.LeftOut, "A null MX: the message is returned at once (RFC 7505 section 4.1).")
		return plan, nil
	case errors.Is(err, errNXDomain):
		plan.Outcome = OutcomeBounce
		plan.LeftOut = append(plan.LeftOut, "The domain does not exist: the message is returned at once (RFC 5321 section 5.1).")
		return plan, nil
	case err != nil:
		return plan, fmt.Errorf("the MX question for %s failed (%s): a sender keeps the message and asks again", r.report.Domain, describe(err))
	}
	r.resolve(ctx)
	r.fill(&plan)
	planners[i].arrange(r, &plan)
	return plan, nil
}

// fill lists all addresses, by exchanger in the order of report.MX, as DNS gives them.
func (r *run) fill(plan *Plan) {
	verdicts := make(map[Verdict]bool)
	for i, e := range r.report.MX {
		if e.Verdict != "" {
			verdicts[e.Verdict] = true
			plan.LeftOut = append(plan.LeftOut, fmt.Sprintf("%s (preference %d): %s.", e.Name, e.Preference, e.Detail))
			continue
		}
		for _, t := range r.targets[i] {
			plan.Steps = append(plan.Steps, Step{e.Name, e.Preference, t.address, family(t.address), t.source, t.ttl, t.ad})
		}
	}
	switch {
	case len(plan.Steps) > 0:
	case verdicts[DNSFail] || verdicts[LocalError]:
		plan.Outcome = OutcomeDefer
	default:
		plan.Outcome = OutcomeBounce
	}
}

// family names the family of an address.
func family(addr netip.Addr) string {
	if addr.Unmap().Is4() {
		return "IPv4"
	}
	return "IPv6"
}

// keep drops the steps for which a limit is named.
func (p *Plan) keep(limit func(Step) string) {
	p.Steps = slices.DeleteFunc(p.Steps, func(s Step) bool {
		by := limit(s)
		if by != "" {
			p.LeftOut = append(p.LeftOut, s.leftOut(by))
		}
		return by != ""
	})
}

// leftOut says by which limit a step is.
func (s Step) leftOut(limit string) string {
	return fmt.Sprintf("%s %s (preference %d): %s.", s.Exchanger, s.Address, s.Preference, strings.TrimSuffix(limit, "."))
}
