package main

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/miekg/dns"

	"github.com/mxglue/mxglue/cache"
	"github.com/mxglue/mxglue/resolver"
	"github.com/mxglue/mxglue/resolver/upstream"
)

// A life is one run of the daemon's parts that a hot list has to do with.
type life struct {
	answers   *cache.Cache
	questions *resolver.Resolver
	log       bytes.Buffer

	mu    sync.Mutex
	asked []string // upstream
}

// begin starts a life that lasts until end is called.
func begin(t *testing.T, file string) (l *life, end func()) {
	t.Helper()
	u, err := upstream.New("udp://192.0.2.1:53")
	if err != nil {
		t.Fatal(err)
	}
	l = &life{answers: cache.New(cache.Options{}, time.Now())}
	l.questions = resolver.New(resolver.Options{}, l.answers, []*upstream.Upstream{u})
	l.questions.Ask = func(_ context.Context, _ *upstream.Upstream, q dns.Question, _ bool) (*upstream.Response, error) {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.asked = append(l.asked, q.Name)
		m := answerA(new(dns.Msg).SetQuestion(q.Name, q.Qtype), "192.0.2.7")
		m.Answer[0].Header().Ttl = 3600
		return &upstream.Response{Msg: m, Size: m.Len()}, nil
	}
	ctx, cancel := context.WithCancel(t.Context())
	var parts sync.WaitGroup
	log := slog.New(slog.NewTextHandler(&l.log, nil))
	if hot := newHotlist(file, log); hot != nil {
		parts.Go(func() { hot.run(ctx, l.answers, l.questions.Warm, log) })
	}
	return l, func() {
		cancel()
		parts.Wait()
		l.questions.Close()
	}
}

// ask asks for a name so many times, as a client would.
func (l *life) ask(t *testing.T, name string, times int) {
	t.Helper()
	for range times {
		if _, _, err := l.questions.Exchange(t.Context(), new(dns.Msg).SetQuestion(name, dns.TypeA)); err != nil {
			t.Fatal(err)
		}
	}
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestARestartIsNoColdStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "hot")
		first, end := begin(t, file)
		first.ask(t, "seldom.example.", 2)
		first.ask(t, "often.example.", 5)
		first.ask(t, "once.example.", 1) // was no hit
		end()
		if got, want := read(t, file), hotHeader+"4 often.example. A\n1 seldom.example. A\n"; got != want {
			t.Errorf("the file is\n%s\nwant\n%s", got, want)
		}
		if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("the file's mode is %v (%v), want 0600", info.Mode(), err)
		}

		second, end := begin(t, file)
		time.Sleep(time.Second)
		second.mu.Lock()
		if want := []string{"often.example.", "seldom.example."}; !slices.Equal(second.asked, want) {
			t.Errorf("a second after the restart %q were asked, want %q", second.asked, want)
		}
		second.asked = nil
		second.mu.Unlock()
		second.ask(t, "often.example.", 1)
		if len(second.asked) > 0 {
			t.Errorf("%q had to be asked again", second.asked)
		}
		end()
		if got, want := read(t, file), hotHeader+"3 often.example. A\n"; got != want { // 4/2+1; and half of 1 is nothing
			t.Errorf("after the second life the file is\n%s\nwant\n%s", got, want)
		}
	})
}

func TestHotlistIsWrittenWhileRunning(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "hot")
		l, end := begin(t, file)
		defer end()
		l.ask(t, "mail.example.", 2)
		time.Sleep(saveHotEach - time.Second)
		if _, err := os.Stat(file); err == nil {
			t.Error("written before its time")
		}
		time.Sleep(2 * time.Second)
		if got := read(t, file); !strings.Contains(got, "1 mail.example. A\n") {
			t.Errorf("after five minutes the file is\n%s", got)
		}
		time.Sleep(time.Hour) // it is not written faster and faster
	})
}

// Two restarts in a row, and nobody asked in between: what was asked most before is still known.
func TestAnIdleLifeKeepsTheHotlist(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "hot")
		const list = "8 mail.example. A\n"
		if err := os.WriteFile(file, []byte(list), 0o600); err != nil {
			t.Fatal(err)
		}
		_, end := begin(t, file)
		time.Sleep(time.Hour)
		end()
		if got := read(t, file); got != list {
			t.Errorf("the file is\n%s\nwant\n%s", got, list)
		}
	})
}

// What is no hot list may be somebody else's file: it is named once in the log and left as it is.
func TestAFileThatIsNoHotlistIsLetBe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "hot")
		const other = "# mine\nroot:x:0:0:root:/root:/bin/sh\n"
		if err := os.WriteFile(file, []byte(other), 0o600); err != nil {
			t.Fatal(err)
		}
		l, end := begin(t, file)
		l.ask(t, "mail.example.", 3)
		time.Sleep(time.Hour)
		end()
		if got := read(t, file); got != other {
			t.Errorf("the file has become\n%s", got)
		}
		if log := l.log.String(); strings.Count(log, "\n") != 1 || !strings.Contains(log, file+" is no hot list: line 2: ") || !strings.Contains(log, "cache.hotlist") {
			t.Errorf("the log says\n%s\nwant one line that names the file, its line and cache.hotlist", log)
		}
	})
}

func TestOnlyRegularFilesAreHotlists(t *testing.T) {
	dir := t.TempDir()
	pipe := filepath.Join(dir, "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{dir, pipe, os.DevNull} {
		if _, err := readHotlist(file); err == nil || err.Error() != file+" is no regular file" {
			t.Errorf("error %v, want %s to be no regular file", err, file)
		}
	}
}

func TestAHotlistThatCannotBeWrittenIsLogged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, end := begin(t, filepath.Join(t.TempDir(), "nowhere", "hot"))
		l.ask(t, "mail.example.", 2)
		end()
		if log := l.log.String(); !strings.Contains(log, "hot list not written") || !strings.Contains(log, "nowhere") {
			t.Errorf("the log says\n%s", log)
		}
	})
}

// The old file stays until the new one is whole, and nothing else is left behind.
func TestHotlistIsReplacedWhole(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "hot")
	for _, hits := range []uint32{1, 2} {
		if err := writeHotlist(file, []cache.Asked{{Name: "a.example.", Type: dns.TypeMX, Hits: hits}}); err != nil {
			t.Fatal(err)
		}
	}
	if got, want := read(t, file), hotHeader+"2 a.example. MX\n"; got != want {
		t.Errorf("the file is\n%s\nwant\n%s", got, want)
	}
	occupied := filepath.Join(dir, "occupied")
	if err := os.MkdirAll(filepath.Join(occupied, "x"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := writeHotlist(occupied, nil); err == nil {
		t.Error("a directory was replaced")
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 2 {
		t.Errorf("%v is left (%v), want hot and occupied", entries, err)
	}
}

func TestHotlistErrorsNameTheLine(t *testing.T) {
	many := strings.Repeat("1 a.example. MX\n", maxHot+1)
	for text, want := range map[string]string{
		"1 a.example. MX\n2 b.example.":   `line 2: "2 b.example." is not a count, a name and a type, as in "42 example.com. MX"`,
		"-1 a.example. MX":                `line 1: "-1" is not a count from 1 to 4294967295`,
		"0 a.example. MX":                 `line 1: "0" is not a count`,
		"4294967296 a.example. MX":        `line 1: "4294967296" is not a count`,
		"1 a..example. MX":                `line 1: "a..example." is not a domain name`,
		"1 \x1bexample. MX":               `line 1: "\x1bexample." is not a domain name`,
		"1 a.example. ANY":                `line 1: "ANY" is not the type of a record`,
		"1 a.example. OPT":                `line 1: "OPT" is not the type of a record`,
		"1 a.example. TYPE252":            `line 1: "TYPE252" is not the type of a record`,
		"1 a.example. TYPE65536":          `line 1: "TYPE65536" is not the type of a record`,
		"1 a.example. FOO":                `line 1: "FOO" is not the type of a record`,
		many:                              `line 1001: it has more than 1000 questions`,
		strings.Repeat("#", maxHotFile+1): `it has more than 1048576 octets`,
	} {
		_, err := parseHotlist(strings.NewReader(text))
		if err == nil || !strings.HasPrefix(err.Error(), "is no hot list: "+want) {
			t.Errorf("%.40q: error %v, want %s", text, err, want)
		}
	}
	all, err := parseHotlist(strings.NewReader("# two\n\n 7 A.Example MX \r\n1 b.example. TYPE65280\n"))
	if want := []cache.Asked{{Name: "a.example.", Type: dns.TypeMX, Hits: 7}, {Name: "b.example.", Type: 65280, Hits: 1}}; err != nil || !slices.Equal(all, want) {
		t.Errorf("read %v (%v), want %v", all, err, want)
	}
}

func TestHotlistsAreBoundedWhenMerged(t *testing.T) {
	var now, before []cache.Asked
	for i := range maxHot {
		now = append(now, cache.Asked{Name: fmt.Sprintf("n%d.", i), Type: 1, Hits: 2})
		before = append(before, cache.Asked{Name: fmt.Sprintf("b%d.", i), Type: 1, Hits: 1})
	}
	before[7] = cache.Asked{Name: "n7.", Type: 1, Hits: 1<<32 - 1}
	all := merge(now, before)
	if len(all) != maxHot || all[0] != before[7] || slices.ContainsFunc(all, func(a cache.Asked) bool { return a.Name[0] == 'b' }) {
		t.Errorf("merged: %d, beginning with %v; want the %d of now, n7. with a count that stays at its most", len(all), all[0], maxHot)
	}
}

func FuzzHotlist(f *testing.F) {
	for _, seed := range []string{"", hotHeader + "42 example.com. MX\n", "1 . NS", "1 a\\.b\\032c. A", "1 \\097. TYPE1", "9 x A\n8 X. A\r\n", "1 a A 2", "1 a. TYPE00001"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		all, err := parseHotlist(strings.NewReader(text))
		if err != nil {
			if all != nil || strings.ContainsAny(err.Error(), "\r\n") {
				t.Errorf("error %q with %v", err, all)
			}
			return
		}
		again, err := parseHotlist(bytes.NewReader(formatHotlist(all)))
		if err != nil || !slices.Equal(all, again) {
			t.Errorf("read %v, written and read again %v (%v)", all, again, err)
		}
	})
}
