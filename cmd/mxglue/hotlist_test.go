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
	"testing"
	"testing/synctest"
	"time"

	"github.com/miekg/dns"

	"github.com/mxglue/mxglue/cache"
	"github.com/mxglue/mxglue/cache/wire"
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
	packed, err := new(dns.Msg).SetQuestion(name, dns.TypeA).Pack()
	if err != nil {
		t.Fatal(err)
	}
	for range times {
		var q wire.Query
		if q.Parse(packed, false) != wire.Accept {
			t.Fatalf("%s: no query", name)
		}
		if l.answers.Answer(nil, &q, time.Now()) == nil && l.questions.Resolve(t.Context(), nil, &q) == nil {
			t.Fatalf("%s: no answer", name)
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

// A hot list that cannot be written is told when mxglue starts, before there is anything to write, and again only after it
// could be written.
func TestAHotlistThatCannotBeWrittenIsToldOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "nowhere")
		l, end := begin(t, filepath.Join(dir, "hot"))
		told := func() int {
			synctest.Wait()
			return strings.Count(l.log.String(), "hot list cannot be written")
		}
		if told() != 1 || !strings.Contains(l.log.String(), dir) {
			t.Errorf("at the start the log says\n%s\nwant one line that names the file", l.log.String())
		}
		time.Sleep(saveHotEach + time.Second) // nobody has asked anything yet
		l.ask(t, "mail.example.", 2)
		time.Sleep(2 * saveHotEach)
		if told() != 1 {
			t.Errorf("after a quarter of an hour the log says\n%s", l.log.String())
		}
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		time.Sleep(saveHotEach)
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
		end()
		if told() != 2 {
			t.Errorf("when the directory has gone again the log says\n%s", l.log.String())
		}
	})
}

// Where a hot list can be written, looking whether it can leaves nothing behind.
func TestTryingAHotlistLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	if err := tryHotlist(filepath.Join(dir, "hot")); err != nil {
		t.Error(err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 0 {
		t.Errorf("%v is left (%v)", entries, err)
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
