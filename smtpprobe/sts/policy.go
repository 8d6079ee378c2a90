package sts

import (
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/mxglue/mxglue/smtpprobe/lookup"
)

// maxMaxAge is about a year, in seconds (RFC 8461 3.2).
const maxMaxAge = 31557600

// shortMaxAge is a max_age that leaves little of a policy's protection: it is expected to be weeks (RFC 8461 3.2).
const shortMaxAge = 86400

var agePattern = regexp.MustCompile(`^[0-9]{1,10}$`)

// mxPattern takes 90 KiB, as it counts letters: a daemon that probes nothing does without it.
var mxPattern = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^(\*\.)?[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$`)
})

// policy is what a policy file says.
type policy struct {
	mode   string
	maxAge int
	mx     []string
}

// parsePolicy reads a policy file: lines of "key: value" that end with CRLF or LF (RFC 8461 3.2). Of a key that
// stands there twice the first counts, mx apart; unknown keys are ignored, whatever their values.
func parsePolicy(text string) (policy, error) {
	var p policy
	seen := make(map[string]string)
	for number, line := range slices.All(strings.Split(text, "\n")) {
		line = strings.TrimRight(line, " \t\r")
		if line == "" { // not in the grammar, but nobody minds: the last line ends with CRLF, or with two
			continue
		}
		key, value, found := strings.Cut(line, ":")
		if !found {
			return p, fmt.Errorf("line %d, %q, is not of the form key: value", number+1, lookup.Clip(line, 60))
		}
		value = strings.Trim(value, " \t")
		if key == "mx" {
			name, err := parseMX(value)
			if err != nil {
				return p, err
			}
			p.mx = append(p.mx, name)
		} else if _, twice := seen[key]; !twice {
			seen[key] = value
		}
	}
	return p, p.check(seen)
}

// check takes version, mode and max_age, which every policy has once.
func (p *policy) check(seen map[string]string) error {
	for _, key := range []string{"version", "mode", "max_age"} {
		if _, found := seen[key]; !found {
			return fmt.Errorf("it has no %s", key)
		}
	}
	p.mode = seen["mode"]
	age := seen["max_age"]
	p.maxAge, _ = strconv.Atoi(age)
	switch {
	case seen["version"] != "STSv1":
		return fmt.Errorf("its version is %q, not STSv1", lookup.Clip(seen["version"], 60))
	case p.mode != ModeEnforce && p.mode != ModeTesting && p.mode != ModeNone:
		return fmt.Errorf("its mode is %q, not enforce, testing or none", lookup.Clip(p.mode, 60))
	case !agePattern.MatchString(age) || p.maxAge > maxMaxAge:
		return fmt.Errorf("its max_age is %q, not a number of seconds from 0 to %d", lookup.Clip(age, 60), maxMaxAge)
	case len(p.mx) == 0 && p.mode != ModeNone:
		return errors.New("it has no mx")
	}
	return nil
}

// parseMX reads a host name, or "*." and one. An address is an error: senders compare names.
func parseMX(value string) (string, error) {
	name := strings.ToLower(value)
	switch _, err := netip.ParseAddr(strings.Trim(name, "[]")); {
	case err == nil:
		return "", fmt.Errorf("its mx %q is an address, not a name", lookup.Clip(value, 60))
	case len(name) > 253 || !mxPattern().MatchString(name):
		return "", fmt.Errorf("its mx %q is neither a host name in A-labels nor %q and one", lookup.Clip(value, 60), "*.")
	}
	return name, nil
}
