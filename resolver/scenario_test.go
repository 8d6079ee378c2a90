package resolver_test

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
)

// TestScenarios runs testdata/scenarios/*.txt: dialogues between a mail server, mxglue and its upstreams, in time that
// passes at once. The words:
//
//	OPTION glue=verify bundle=off ...    before everything else
//	UPSTREAM name type [words]           what upstream says to a question from now on; records, or the packet in hex, follow.
//	                                     Words: on=2 delay=50ms rcode=X silent aa ad tc ra=0 tcp size=600 said=6 (EDE).
//	                                     Nothing said: NODATA with a SOA of an hour.
//	QUERY name type [words]              a client asks. Words: do ad cd norec noedns tcp from=127.0.0.2.
//	ANSWER rcode [words]                 and hears this: records follow; sections after "authority:" and "additional:".
//	                                     Words: ad tc aa ede=3 after=50ms (the time it waited). What is not said must not be.
//	PASS 20s                             time passes
//	ASKED                                what upstream was asked since the last ASKED: questions follow, in any order
//	EXPLAIN name [ask]                   what Explain tells of a domain: lines as in explain_test.go follow
//	STATS key=value ...                  a counter: cache.glue_refused.claimed=1
func TestScenarios(t *testing.T) {
	files, _ := filepath.Glob("testdata/scenarios/*.txt")
	if len(files) == 0 {
		t.Fatal("no scenarios")
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			steps := readScenario(t, file)
			synctest.Test(t, func(t *testing.T) { play(t, steps) })
		})
	}
}

// step is a directive with the lines that follow it.
type step struct {
	at    string // file:line
	verb  string
	args  []string // words without '='
	words map[string]string
	body  []string
}

func (s step) has(word string) bool { _, ok := s.words[word]; return ok }

func readScenario(t *testing.T, file string) (steps []step) {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for n := 1; lines.Scan(); n++ {
		line, _, _ := strings.Cut(" "+lines.Text(), " #")
		line = strings.TrimPrefix(line, " ")
		if strings.TrimSpace(line) == "" {
			continue
		}
		if strings.HasPrefix(line, " ") {
			last := &steps[len(steps)-1]
			last.body = append(last.body, strings.TrimSpace(line))
			continue
		}
		fields := strings.Fields(line)
		s := step{at: fmt.Sprintf("%s:%d", filepath.Base(file), n), verb: fields[0], words: map[string]string{}}
		for _, w := range fields[1:] {
			key, value, set := strings.Cut(w, "=")
			if set || isWord(w) {
				s.words[key] = value
			} else {
				s.args = append(s.args, w)
			}
		}
		steps = append(steps, s)
	}
	return steps
}

// isWord says whether a word is a flag, and no name, type or RCODE.
func isWord(w string) bool {
	switch w {
	case "do", "ad", "cd", "norec", "noedns", "tcp", "aa", "tc", "silent", "remote", "trust_ad", "ask":
		return true
	}
	return false
}
