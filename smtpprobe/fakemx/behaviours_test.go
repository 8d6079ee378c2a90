package fakemx

import (
	"fmt"
	"strings"
	"testing"
)

// What is wrong with a script is told with what would be right.
func TestParseErrors(t *testing.T) {
	for names, want := range map[string]string{
		"tease":              `behaviour "tease" is unknown; there are delay, teaser, dribble`,
		"":                   `behaviour "" is unknown`,
		"421=3s":             `behaviour "421=3s": 421 takes no duration`,
		"delay=soon":         `behaviour "delay=soon": "soon" is not a duration above 0 and up to 5m0s, such as 6s`,
		"delay=0s":           `"0s" is not a duration`,
		"delay=1h":           `"1h" is not a duration`,
		"421 554":            "behaviours 421 and 554 exclude each other",
		"delay=1s delay=2s":  "behaviours delay and delay exclude each other",
		"bad-tls teaser ssh": "",
		"no-ehlo ehlo-421":   "behaviours no-ehlo and ehlo-421 exclude each other",
	} {
		_, err := Parse(strings.Split(names, " ")...)
		if got := fmt.Sprint(err); (err == nil) != (want == "") || !strings.Contains(got, want) && want != "" {
			t.Errorf("%q: %v, want %q", names, err, want)
		}
	}
}
