package monitor

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"go.etcd.io/bbolt"

	"github.com/mxglue/mxglue/smtpprobe"
)

// numbered is the nth state of a domain, with one event.
func numbered(domain string, n int) (State, []Event) {
	at := time.Date(2026, 1, 1, 0, n, 0, 0, time.UTC)
	state := State{Domain: domain, Last: Result{At: at, Status: smtpprobe.StatusOK, Reason: fmt.Sprint(n)}, Report: report(domain, smtpprobe.OK)}
	return state, []Event{{At: at, Domain: domain, Kind: StatusChanged, Text: fmt.Sprint(n)}}
}

func put(t *testing.T, s *Store, domain string, from, to int) {
	t.Helper()
	for n := from; n < to; n++ {
		if err := s.put(numbered(domain, n)); err != nil {
			t.Fatal(err)
		}
	}
}

// reasons are the results of a domain, the newest first.
func reasons(t *testing.T, s *Store, domain string, n int) string {
	t.Helper()
	results, err := s.history(domain, n)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, r := range results {
		all = append(all, r.Reason)
	}
	return strings.Join(all, " ")
}

func TestStoreKeepsTheLast(t *testing.T) {
	path := filepath.Join(t.TempDir(), "history.db")
	s := openStore(t, path, Limits{Results: 3, Events: 4})
	put(t, s, "a.example", 0, 10)
	put(t, s, "b.example", 10, 11)
	s.Close()
	s = openStore(t, path, Limits{Results: 3, Events: 4})
	if got := reasons(t, s, "a.example", 100); got != "9 8 7" {
		t.Errorf("a.example: %s", got)
	}
	if got := reasons(t, s, "b.example", 100); got != "10" {
		t.Errorf("b.example: %s", got)
	}
	if got := reasons(t, s, "a.example", 2); got != "9 8" {
		t.Errorf("a.example, two of them: %s", got)
	}
	if got := reasons(t, s, "c.example", 2); got != "" {
		t.Errorf("c.example: %s", got)
	}
	events, err := s.events(100)
	if err != nil || len(events) != 4 || events[0].Text != "10" || events[3].Text != "7" {
		t.Errorf("events: %+v, %v", events, err)
	}
	states, err := s.states()
	if err != nil || len(states) != 2 || states["a.example"].Last.Reason != "9" || states["b.example"].Report.MX[0].Attempts[0].Address != network("mx.b.example") {
		t.Errorf("states: %+v, %v", states, err)
	}
}

func TestStoreForgetsTheOld(t *testing.T) {
	s := openStore(t, filepath.Join(t.TempDir(), "history.db"), Limits{Age: 3 * time.Minute})
	put(t, s, "a.example", 0, 10)
	if got := reasons(t, s, "a.example", 100); got != "9 8 7 6" {
		t.Errorf("a.example: %s", got)
	}
	if events, err := s.events(100); err != nil || len(events) != 4 {
		t.Errorf("events: %+v, %v", events, err)
	}
}

// killedEnv names the file in which a child of TestStoreSurvivesKill writes until it is killed.
const killedEnv = "MXGLUE_TEST_HISTORY"

// A process that writes is killed: what it had acknowledged is there, and nothing is damaged.
func TestStoreSurvivesKill(t *testing.T) {
	if path := os.Getenv(killedEnv); path != "" {
		s := openStore(t, path, Limits{Results: 1 << 20})
		for n := 0; ; n++ {
			put(t, s, "a.example", n, n+1)
			fmt.Println("kept", n)
		}
	}
	path := filepath.Join(t.TempDir(), "history.db")
	kept := 0
	for range 3 { // and again, with the file of before
		child := exec.Command(os.Args[0], "-test.run=^TestStoreSurvivesKill$")
		child.Env = append(os.Environ(), killedEnv+"="+path)
		out, err := child.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		acknowledged := 0
		for lines := bufio.NewScanner(out); lines.Scan(); {
			if strings.HasPrefix(lines.Text(), "kept") {
				acknowledged++
			}
			if acknowledged == 40 {
				child.Process.Signal(syscall.SIGKILL) // some more lines may have been written: they count
			}
		}
		child.Wait()
		if acknowledged < 40 {
			t.Fatalf("the child ended after %d results", acknowledged)
		}
		kept += acknowledged
		s := openStore(t, path, Limits{Results: 1 << 20})
		results, err := s.history("a.example", 1<<20)
		if err != nil || len(results) < kept {
			t.Fatalf("%d results of %d acknowledged, %v", len(results), kept, err)
		}
		kept = len(results) // one may have been kept, and not told
		s.Close()
	}
}

func TestStoreSaysWhatIsWrong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // for the wait at a file in use
		dir := t.TempDir()
		file := func(name, content string) string {
			path := filepath.Join(dir, name)
			if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
			return path
		}
		inUse := filepath.Join(dir, "in-use")
		openStore(t, inUse, Limits{})
		later := filepath.Join(dir, "later")
		s := openStore(t, later, Limits{})
		if err := s.db.Update(func(tx *bbolt.Tx) error { return putJSON(tx.Bucket(metaBucket), formatKey, 2) }); err != nil {
			t.Fatal(err)
		}
		s.Close()
		for _, test := range []struct {
			path, want string
			damaged    bool
		}{
			{filepath.Join(dir, "no-such-directory", "history.db"), "no such file or directory", false},
			{dir, "is a directory", false},
			{inUse, "in use by another process", false},
			{later, "later mxglue", false},
			{file("text", "These are our minutes.\n"), "move it aside", true},
			{file("long", strings.Repeat("These are our minutes.\n", 5000)), "move it aside", true},
		} {
			_, err := OpenStore(test.path, Limits{})
			if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), test.path) || errors.Is(err, ErrDamaged) != test.damaged {
				t.Errorf("%s: %v, want %q", test.path, err, test.want)
			}
		}
		if got, _ := os.ReadFile(filepath.Join(dir, "text")); string(got) != "These are our minutes.\n" {
			t.Errorf("somebody's file was written to: %q", got)
		}
	})
}

// A file all of whose values are JSON, and one of which makes no sense, is refused with the same advice as a broken one.
func TestStoreSenseless(t *testing.T) {
	good, _ := numbered("a.example", 1)
	for name, spoil := range map[string]func(tx *bbolt.Tx) error{
		"a state that is none":        func(tx *bbolt.Tx) error { return putJSON(tx.Bucket(statesBucket), []byte("a.example"), "ok") },
		"a state of nobody":           func(tx *bbolt.Tx) error { return putJSON(tx.Bucket(statesBucket), []byte("a.example"), State{}) },
		"a state of another":          func(tx *bbolt.Tx) error { return putJSON(tx.Bucket(statesBucket), []byte("b.example"), good) },
		"a result of a wrong type":    senseless([]byte("a.example"), `{"at":5}`),
		"an impossible date":          senseless([]byte("a.example"), `{"at":"2026-13-99T25:61:00Z"}`),
		"an event that is a list":     senseless(nil, `[]`),
		"an event without a number":   func(tx *bbolt.Tx) error { return putJSON(tx.Bucket(eventsBucket), []byte("first"), Event{}) },
		"results that are a value":    func(tx *bbolt.Tx) error { return putJSON(tx.Bucket(resultsBucket), []byte("b.example"), 5) },
		"a format that is no number":  func(tx *bbolt.Tx) error { return putJSON(tx.Bucket(metaBucket), formatKey, "new") },
		"a format that there was not": func(tx *bbolt.Tx) error { return putJSON(tx.Bucket(metaBucket), formatKey, 0) },
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "history.db")
			s := openStore(t, path, Limits{})
			put(t, s, "a.example", 0, 3)
			if err := s.db.Update(spoil); err != nil {
				t.Fatal(err)
			}
			s.Close()
			if _, err := OpenStore(path, Limits{}); !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), path) {
				t.Errorf("%v, want what to do with the file", err)
			}
		})
	}
}

// senseless puts a value behind the results of a domain; without one behind the events.
func senseless(domain []byte, value string) func(tx *bbolt.Tx) error {
	return func(tx *bbolt.Tx) error {
		b := tx.Bucket(eventsBucket)
		if domain != nil {
			b = tx.Bucket(resultsBucket).Bucket(domain)
		}
		return appendTo(b, json.RawMessage(value), 100, time.Time{})
	}
}

// Wherever a file is damaged or cut off, it is refused or it works; the process does not die of it.
func TestStoreDamaged(t *testing.T) {
	path := filepath.Join(t.TempDir(), "history.db")
	s := openStore(t, path, Limits{})
	for n := range 30 {
		state, events := numbered("a.example", n)
		state.Report.Reason = strings.Repeat("x", n*7919%12000) // of all sizes, so that the file has pages in any order
		if err := s.put(state, events); err != nil {
			t.Fatal(err)
		}
	}
	s.Close()
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	refused := 0
	damages := damaged(good)
	for name, bad := range damages {
		path := filepath.Join(t.TempDir(), "damaged.db")
		if err := os.WriteFile(path, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := OpenStore(path, Limits{})
		if err != nil {
			if refused++; !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), path) {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		kept, err := s.history("a.example", 1000) // all of them; or all but the last, if that was what was damaged
		if err != nil || len(kept) < 29 && name != "cut at 0" {
			t.Errorf("%s: opened, and has %d results, %v", name, len(kept), err)
		}
		for n := len(kept); n < 50; n++ { // over whatever the file says is free
			if err := s.put(numbered("a.example", n)); err != nil {
				t.Errorf("%s: opened, and cannot be written to: %v", name, err)
			}
		}
		var all []string
		for n := range 50 {
			all = append([]string{fmt.Sprint(n)}, all...)
		}
		if got := reasons(t, s, "a.example", 1000); got != strings.Join(all, " ") {
			t.Errorf("%s: opened, written to, and has %s", name, got)
		}
		s.Close()
	}
	if refused < len(damages)/5 {
		t.Errorf("%d of %d damaged files were refused", refused, len(damages))
	}
}

// A file that is spoilt while it is open is told so, and holds nobody up: bbolt's locks are not waited for.
func TestStoreDamagedWhileOpen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "history.db")
	s := openStore(t, path, Limits{})
	put(t, s, "a.example", 0, 30)
	if err := os.Truncate(path, 2*int64(os.Getpagesize())); err != nil {
		t.Fatal(err)
	}
	for n := range 30 {
		err := s.put(numbered("a.example", n))
		if _, err2 := s.history("a.example", 10); n > 0 && (!errors.Is(err, ErrDamaged) || !errors.Is(err2, ErrDamaged)) {
			t.Fatalf("put: %v; history: %v", err, err2)
		}
	}
}

// damaged is a file cut at each page, and with each page spoilt in some ways.
func damaged(good []byte) map[string][]byte {
	page := os.Getpagesize()
	damages := make(map[string][]byte)
	for at := 0; at < len(good); at += page {
		damages[fmt.Sprintf("cut at %d", at)] = good[:at]
		for name, spoil := range map[string]func([]byte){
			"zeroed":           func(p []byte) { clear(p) },
			"overwritten":      func(p []byte) { copy(p, strings.Repeat("\xff", page)) },
			"off by one":       func(p []byte) { p[16]++ }, // the first entry, behind the header
			"shuffled":         func(p []byte) { p[16], p[24] = p[24], p[16] },
			"of somebody else": func(p []byte) { copy(p, good[(at+3*page)%len(good):]) },
		} {
			bad := slices.Clone(good)
			spoil(bad[at:min(at+page, len(bad))])
			damages[fmt.Sprintf("page %d %s", at/page, name)] = bad
		}
	}
	return damages
}
