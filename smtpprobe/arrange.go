package smtpprobe

import (
	"cmp"
	"fmt"
	"slices"
)

// Limits of the senders, as they come.
const (
	postfixAddresses = 5  // smtp_mx_address_limit
	postfixSessions  = 2  // smtp_mx_session_limit
	eximTries        = 5  // hosts_max_try
	eximHardLimit    = 50 // hosts_max_try_hardlimit
)

// arrangePostfix puts all addresses of equal preference in random order, whichever host they are of, so that a
// host of many addresses is tried more often (RFC 5321 5.1 would keep them in the order of the response).
func arrangePostfix(r *run, plan *Plan) {
	plan.Rules = append(plan.Rules,
		"Addresses of equal preference are shuffled, whichever exchanger they are of (smtp_randomize_addresses); no family goes first (smtp_address_preference = any).",
		fmt.Sprintf("At most %d addresses are tried (smtp_mx_address_limit), and at most %d of those that greet (smtp_mx_session_limit).", postfixAddresses, postfixSessions))
	r.shuffle(len(plan.Steps), func(i, j int) { plan.Steps[i], plan.Steps[j] = plan.Steps[j], plan.Steps[i] })
	byPreference(plan.Steps)
	four, six := postfixTargets(plan.Steps)
	left := map[string]int{"IPv4": four, "IPv6": six}
	plan.keep(func(s Step) string {
		if left[s.Family]--; left[s.Family] >= 0 {
			return ""
		}
		return "smtp_mx_address_limit, shared between the families by smtp_balance_inet_protocols"
	})
	for i := range plan.Steps[:max(0, len(plan.Steps)-postfixAddresses)] {
		s := plan.Steps[postfixAddresses+i]
		plan.LeftOut = append(plan.LeftOut, s.leftOut("smtp_mx_address_limit"))
	}
	plan.Steps = plan.Steps[:min(len(plan.Steps), postfixAddresses)]
}

// postfixTargets is how many addresses of each family Postfix keeps: all, unless both are there and too many
// between them; then a family of few keeps all of its own, or each has half, the first one's the greater.
func postfixTargets(steps []Step) (four, six int) {
	for _, s := range steps {
		if s.Family == "IPv4" {
			four++
		} else {
			six++
		}
	}
	const limit = postfixAddresses
	switch {
	case four == 0 || six == 0 || four+six <= limit:
		return four, six
	case six <= limit/2:
		return limit - six, six
	case four <= limit/2:
		return four, limit - four
	case steps[0].Family == "IPv4":
		return (limit + 1) / 2, limit / 2
	}
	return limit / 2, (limit + 1) / 2
}

// arrangeExim puts the addresses of each host in random order, IPv6 first, and hosts of equal preference too.
// After hosts_max_try addresses it goes on with one of each worse preference.
func arrangeExim(r *run, plan *Plan) {
	plan.Rules = append(plan.Rules,
		"Exchangers of equal preference are shuffled, and so are the addresses of each within a family; IPv6 goes before IPv4.",
		fmt.Sprintf("After %d addresses (hosts_max_try) only the first address of each worse preference is tried; %d addresses are the most (hosts_max_try_hardlimit).", eximTries, eximHardLimit))
	var arranged []Step
	for _, group := range byExchanger(plan.Steps) {
		r.shuffle(len(group), func(i, j int) { group[i], group[j] = group[j], group[i] })
		slices.SortStableFunc(group, func(a, b Step) int { return cmp.Compare(b.Family, a.Family) })
		arranged = append(arranged, group...)
	}
	plan.Steps = arranged
	tried, all, last := 0, 0, -1
	plan.keep(func(s Step) string {
		switch {
		case all >= eximHardLimit:
			return "hosts_max_try_hardlimit"
		case tried >= eximTries && int(s.Preference) == last:
			return "hosts_max_try"
		}
		tried, all, last = tried+1, all+1, int(s.Preference)
		return ""
	})
}

// arrangeRFC shuffles exchangers of equal preference and keeps the addresses of each in the order of the response.
// Between the families IPv6 goes first, as the default policy of RFC 6724 has it; RFC 5321 says nothing of it.
func arrangeRFC(_ *run, plan *Plan) {
	plan.Rules = append(plan.Rules,
		"Exchangers of equal preference are shuffled; the addresses of each are tried in the order of the response (RFC 5321 section 5.1), IPv6 before IPv4 (RFC 6724).",
		"There is no limit: a sender tries two addresses at least (RFC 5321 section 5.1).")
	for _, group := range byExchanger(plan.Steps) {
		slices.SortStableFunc(group, func(a, b Step) int { return cmp.Compare(b.Family, a.Family) })
	}
}

// byPreference sorts, and keeps the order within a preference.
func byPreference(steps []Step) {
	slices.SortStableFunc(steps, func(a, b Step) int { return cmp.Compare(a.Preference, b.Preference) })
}

// byExchanger cuts the steps into runs of one exchanger.
func byExchanger(steps []Step) [][]Step {
	var groups [][]Step
	for begin, i := 0, 1; i <= len(steps); i++ {
		if i == len(steps) || steps[i].Exchanger != steps[begin].Exchanger {
			groups = append(groups, steps[begin:i])
			begin = i
		}
	}
	return groups
}
