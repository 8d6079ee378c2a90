package monitor

import (
	"testing"
	"time"

	"github.com/mxglue/mxglue/smtpprobe"
)

var letters = map[byte]smtpprobe.Status{
	'o': smtpprobe.StatusOK, 'w': smtpprobe.StatusWarning, 'u': smtpprobe.StatusUnknown, 'c': smtpprobe.StatusCritical,
}

// Each result, and below it the status after it: "-" is none yet, B a result of a blocked port.
func TestStatusAfterResults(t *testing.T) {
	for _, test := range []struct{ name, results, want string }{
		{"good from the beginning", "ooo", "ooo"},
		{"bad from the beginning", "ccc", "-cc"},
		{"bad at first only", "coo", "-oo"},
		{"one bad result is none", "ococooo", "ooooooo"},
		{"two raise, two clear", "oocccoo", "oooccco"},
		{"as far as both agree", "ocwww", "oowww"},
		{"from bad to worse", "owwcc", "oowwc"},
		{"and back by steps", "occwwoo", "ooccwwo"},
		{"one good result clears nothing", "occococ", "ooccccc"},
		{"cannot be looked at", "ouuoo", "oouuo"},
		{"worse than cannot be looked at", "oucc", "oouc"},
		{"a blocked port is neither good nor bad", "ocBcoo", "oooooo"},
		{"nor does it clear", "occoBoo", "oocccco"},
	} {
		var s Standing
		got := ""
		for i := range len(test.results) {
			r := Result{Status: letters[test.results[i]]}
			if test.results[i] == 'B' {
				r = Result{Status: smtpprobe.StatusUnknown, Blocked: true}
			}
			s = s.after(r)
			letter := "-"
			for l, status := range letters {
				if status == s.Status {
					letter = string(l)
				}
			}
			got += letter
		}
		if got != test.want {
			t.Errorf("%s: %s: got %s, want %s", test.name, test.results, got, test.want)
		}
	}
}

// Each result, and below it whether the domain is flapping after it.
func TestFlapping(t *testing.T) {
	for _, test := range []struct{ results, want string }{
		{"ococoooooooooo", "....fffffff..."},
		{"occoocco", ".......f"},
		{"oooooocccccc", "............"},
	} {
		var s Standing
		got := ""
		for i := range len(test.results) {
			s = s.after(Result{Status: letters[test.results[i]]})
			if s.Flapping {
				got += "f"
			} else {
				got += "."
			}
		}
		if got != test.want {
			t.Errorf("%s: got\n%s, want\n%s", test.results, got, test.want)
		}
		if len(s.Recent) > recentResults {
			t.Errorf("%s: remembers %d results", test.results, len(s.Recent))
		}
	}
}

// Since is when the status came, not when it was seen last.
func TestSince(t *testing.T) {
	began := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	var s Standing
	for i := range len("ooccc") {
		s = s.after(Result{At: began.Add(time.Duration(i) * time.Hour), Status: letters["ooccc"[i]]})
	}
	if want := began.Add(3 * time.Hour); !s.Since.Equal(want) {
		t.Errorf("critical since %v, want %v", s.Since, want)
	}
}
