package sts

import "strings"

// Covers tells whether the policy lists the exchanger. A wildcard stands for exactly one label, the left-most
// (RFC 8461 4.1). It is false where there is no policy.
func (r Result) Covers(mx string) bool {
	mx = strings.ToLower(strings.TrimSuffix(mx, "."))
	label, parent, _ := strings.Cut(mx, ".")
	for _, pattern := range r.MX {
		if suffix, isWildcard := strings.CutPrefix(pattern, "*."); pattern == mx || isWildcard && label != "" && suffix == parent {
			return true
		}
	}
	return false
}
