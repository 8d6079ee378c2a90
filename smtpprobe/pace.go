package smtpprobe

import (
	"slices"
	"time"

	"golang.org/x/net/publicsuffix"
)

// mostHold is how long a result stands at most, unless Options.Hold says otherwise.
const mostHold = 6 * time.Hour

// holds is how long the result of a connection that went wrong stands for the next one, and to what it
// doubles while the result stays bad. What is not here stands for Options.Reuse.
var holds = []struct {
	verdicts    []Verdict
	first, most time.Duration
}{
	{[]Verdict{Greeting4xx, Greeting5xx}, 30 * time.Minute, mostHold},
	{[]Verdict{TimeoutConnect, Unreachable}, 5 * time.Minute, time.Hour},
	{[]Verdict{GreetingTimeout}, 30 * time.Minute, 30 * time.Minute},
	{[]Verdict{Refused, Reset, ClosedBeforeGreeting, NotSMTP, BadGreeting, TLSFailed}, 5 * time.Minute, 5 * time.Minute},
}

// hold returns how many bad results in a row this is after a number of them, and how long it stands, at most. A 421
// after the greeting counts as one in its place.
func (a Attempt) hold(strikes int, most time.Duration) (int, time.Duration) {
	verdict := a.Verdict
	if a.told421 {
		verdict = Greeting4xx
	}
	for _, h := range holds {
		if slices.Contains(h.verdicts, verdict) {
			return strikes + 1, min(h.first<<min(strikes, 10), h.most, most)
		}
	}
	return 0, 0
}

// groupOf names the operator of an exchanger: its registered domain, or itself where there is none.
func groupOf(exchanger string) string {
	if domain, err := publicsuffix.EffectiveTLDPlusOne(exchanger); err == nil {
		return domain
	}
	return exchanger
}
