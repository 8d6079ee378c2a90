package querylog

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/miekg/dns"
)

// Nobody listens at first: the queries are kept, and told to whoever comes.
func TestSocketWithoutReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := net.Pipe()
		up := make(chan struct{})
		l, said := open(t, Options{Dial: func() (net.Conn, error) {
			select {
			case <-up:
				return ours, nil
			default:
				return nil, errors.New("connection refused")
			}
		}})
		numbered(t, l, 0, 10)
		time.Sleep(10 * time.Second)
		numbered(t, l, 10, 20)
		if lines := said.lines("connection refused"); len(lines) != 1 {
			t.Errorf("said %q, want it once", lines)
		}
		close(up)
		go func() { time.Sleep(2 * time.Second); l.Close() }()
		if got := names(t, theirs); len(got) != 20 || got[0] != "0.example." || got[19] != "19.example." {
			t.Errorf("got %q, want all 20", got)
		}
		if lines := said.lines("written again"); len(lines) != 1 || !strings.Contains(lines[0], "dropped=0") {
			t.Errorf("said %q, want once that it is over", lines)
		}
	})
}

// The reader is there and does not read: nobody waits for it. When it reads, it gets what was kept, and the log says what was
// dropped.
func TestSlowReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reading, got := make(chan struct{}), 0
		var mu sync.Mutex // guards got
		var readers sync.WaitGroup
		l, said := open(t, Options{Dial: func() (net.Conn, error) {
			ours, theirs := net.Pipe()
			readers.Go(func() {
				<-reading
				lines := len(names(t, theirs)) // of all but the last connection the writer has given up
				mu.Lock()
				defer mu.Unlock()
				got += lines
			})
			return ours, nil
		}})
		began := time.Now()
		const n = 100_000
		q := query(t, "mail.example.", dns.TypeA)
		for range n {
			l.Add(q)
		}
		if took := time.Since(began); took != 0 {
			t.Errorf("adding waited for %v", took)
		}
		time.Sleep(time.Minute)
		close(reading)
		time.Sleep(10 * time.Second)
		l.Close()
		readers.Wait()
		st := l.Stats()
		if st.Written != uint64(got) || st.Written+st.Dropped != n || got < batchQueries {
			t.Errorf("the reader got %d; counted %+v, want %d in all", got, st, n)
		}
		if lines := said.lines("written again"); len(lines) != 1 || !strings.Contains(lines[0], fmt.Sprint("dropped=", st.Dropped)) {
			t.Errorf("said %q, want once how many of %d were dropped", lines, st.Dropped)
		}
	})
}

// What has come while the writer was busy is written as soon as it can be.
func TestBusyWriter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := net.Pipe()
		l, _ := open(t, Options{Dial: func() (net.Conn, error) { return ours, nil }})
		numbered(t, l, 0, batchQueries/2)
		time.Sleep(time.Second) // it is being written, and nobody reads
		numbered(t, l, 0, batchQueries)
		began, in := time.Now(), bufio.NewScanner(theirs)
		for range batchQueries/2 + batchQueries {
			in.Scan()
		}
		if took := time.Since(began); took != 0 {
			t.Errorf("a full batch waited for %v", took)
		}
	})
}

// A log that is slower than the queries says so when it has caught up, and not all the time.
func TestBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, said := open(t, Options{Output: "/dev/null"})
		for range 5 {
			l.mu.Lock()
			l.dropped += 7
			l.mu.Unlock()
			numbered(t, l, 0, 1)
			time.Sleep(time.Second)
		}
		if lines := said.lines("slower than the queries"); len(lines) != 1 || !strings.Contains(lines[0], "dropped=7") {
			t.Errorf("said %q, want it once for the first 7", lines)
		}
		time.Sleep(reportEach)
		numbered(t, l, 0, 1)
		time.Sleep(time.Second)
		if lines := said.lines("dropped=28"); len(lines) != 1 {
			t.Error("the other 28 are never told")
		}
	})
}
