package querylog

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/miekg/dns"
)

// The file is moved away and made anew while queries come: none is lost, and none stands in two files.
func TestReopen(t *testing.T) {
	file := filepath.Join(t.TempDir(), "queries.json")
	l, _ := open(t, Options{Output: file})
	seen := map[string]int{}
	var adding sync.WaitGroup
	adding.Go(func() { numbered(t, l, 0, 3000) })
	for i := range 3 {
		if err := os.Rename(file, fmt.Sprint(file, i)); err != nil {
			t.Fatal(err)
		}
		if err := l.Reopen(); err != nil {
			t.Fatal(err)
		}
	}
	adding.Wait()
	numbered(t, l, 3000, 3001)
	if err := l.Reopen(); err != nil { // it is in its place
		t.Fatal(err)
	}
	l.Close()
	for _, name := range []string{file + "0", file + "1", file + "2", file} {
		for _, n := range namesIn(t, name) {
			seen[n]++
		}
	}
	if len(seen) != 3001 {
		t.Errorf("%d names, want 3001", len(seen))
	}
	for name, n := range seen {
		if n != 1 {
			t.Errorf("%s is there %d times", name, n)
		}
	}
	if last := namesIn(t, file); len(last) == 0 || last[len(last)-1] != "3000.example." {
		t.Errorf("the query after the rotation is not in the new file, but %v", last)
	}
}

func TestReopenFailsAndTheOldFileGoesOn(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	l, _ := open(t, Options{Output: dir + "/q"})
	if err := os.Rename(dir, dir+".old"); err != nil {
		t.Fatal(err)
	}
	if err := l.Reopen(); err == nil || !strings.Contains(err.Error(), dir+"/q: no such file or directory") {
		t.Errorf("error %v, want one that names the file", err)
	}
	numbered(t, l, 0, 1)
	l.Close()
	if got := namesIn(t, dir+".old/q"); len(got) != 1 {
		t.Errorf("the old file has %v, want one query", got)
	}
}

// A full disk is said once; what there is no room for is dropped and counted; neither adding nor the end waits for it.
func TestDiskFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, said := open(t, Options{Output: "/dev/full"})
		numbered(t, l, 0, 1)
		time.Sleep(time.Hour)
		const n = 3 * batchQueries
		numbered(t, l, 1, n)
		if d := l.Stats().Dropped; d != n-1-batchQueries {
			t.Errorf("%d dropped, want all but those that the memory has room for, %d", d, n-1-batchQueries)
		}
		began := time.Now()
		l.Close()
		if st := l.Stats(); st != (Stats{Dropped: n}) || time.Since(began) > time.Second {
			t.Errorf("closed after %v with %+v, want at once, and all dropped", time.Since(began), st)
		}
		if lines := said.lines("is not written"); len(lines) != 1 || !strings.Contains(lines[0], "no space left") {
			t.Errorf("said %q, want once that there is no space left", lines)
		}
		if lines := said.lines(fmt.Sprint("dropped=", n)); len(lines) != 1 {
			t.Errorf("the end does not say that %d were dropped", n)
		}
	})
}

// What a write left half done is taken back out of a file, and in a pipe the line ends.
func TestHalfALine(t *testing.T) {
	file := filepath.Join(t.TempDir(), "queries.json")
	if err := os.WriteFile(file, []byte("{}\n{\"na"), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := openFile(file, JSON)
	if err != nil {
		t.Fatal(err)
	}
	s, err := newStream(f, Options{Format: JSON})
	if err != nil {
		t.Fatal(err)
	}
	s.mend(len(`{"na`))
	if _, err := s.write([]Query{query(t, "a.example.", dns.TypeA)}); err != nil {
		t.Fatal(err)
	}
	s.close()
	if got := namesIn(t, file); len(got) != 2 || got[1] != "a.example." {
		t.Errorf("names %q, want none and a.example.", got)
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if s, err = newStream(w, Options{Format: JSON}); err != nil {
		t.Fatal(err)
	}
	s.mend(1)
	s.close()
	if got, err := io.ReadAll(r); err != nil || string(got) != "\n" {
		t.Errorf("error %v, the half line in a pipe is followed by %q, want a line's end", err, got)
	}
}
