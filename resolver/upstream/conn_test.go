package upstream

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/miekg/dns"
)

// Queries share a connection, and each gets its own answer in whatever order they come (RFC 7766 §6.2.1.1).
func TestPipelining(t *testing.T) {
	const n = 20
	u := open(t, "tcp", serve(t, listen(t), func(s stream) {
		var queries []query
		ids := make(map[uint16]bool)
		for range n {
			q, ok := s.next()
			if !ok {
				return
			}
			queries, ids[q.Id] = append(queries, q), true
		}
		if len(ids) != n {
			t.Errorf("%d queries have %d IDs", n, len(ids))
		}
		slices.Reverse(queries)
		for _, q := range queries {
			answerNamed(q)
		}
		s.next()
	}))
	for _, err := range askAll(soon(t), u, n) {
		if err != nil {
			t.Error(err)
		}
	}
	if st := u.Stats(); st.Connections != 1 || st.Mismatched != 0 {
		t.Errorf("%+v, want one connection", st)
	}
}

func TestConcurrent(t *testing.T) {
	u := open(t, "tcp", serve(t, listen(t), stream.answerAll))
	for range 5 {
		for _, err := range askAll(soon(t), u, 100) {
			if err != nil {
				t.Error(err)
			}
		}
	}
	if st := u.Stats(); st.Connections > maxConns || st.Queries != 500 || st.Failures != 0 {
		t.Errorf("%+v, want at most %d connections", st, maxConns)
	}
}

// A connection that the server closes between two queries costs nobody an error, whether we have heard of it before the
// next query goes out on it or not.
func TestClosedIdle(t *testing.T) {
	for name, script := range map[string]func(s stream){
		"closed behind the answer": func(s stream) {
			q, _ := s.next()
			answerNamed(q)
		},
		"closed upon the next query": func(s stream) {
			for range min(2, s.number) { // the first connection: one answer; a later one, two
				q, ok := s.next()
				if !ok {
					return
				}
				answerNamed(q)
			}
			s.next()
		},
	} {
		t.Run(name, func(t *testing.T) {
			u := open(t, "tcp", serve(t, listen(t), script))
			for i := range 6 {
				if err := ask(soon(t), u, i); err != nil {
					t.Error(err)
				}
			}
			if st := u.Stats(); st.Failures != 0 || st.Connections < 2 {
				t.Errorf("stats: %+v", st)
			}
		})
	}
}

// The repeat is one: a server that closes every connection upon the second query is not asked for ever.
func TestRepeatedOnce(t *testing.T) {
	var queries atomic.Int32
	u := open(t, "tcp", serve(t, listen(t), func(s stream) {
		q, ok := s.next()
		if s.number == 1 && ok {
			answerNamed(q)
			_, ok = s.next()
		}
		if ok {
			queries.Add(1)
		}
	}))
	if err := ask(soon(t), u, 1); err != nil {
		t.Fatal(err)
	}
	if err := ask(soon(t), u, 2); !errors.Is(err, io.EOF) {
		t.Errorf("got error %v, want EOF", err)
	}
	if n := queries.Load(); n != 2 {
		t.Errorf("the second query was sent %d times, want 2", n)
	}
}

// When a connection that has answered nothing breaks, all who wait hear of it at once.
func TestBrokenForAll(t *testing.T) {
	const n = 10
	for name, c := range map[string]struct {
		end func(s stream, q query)
		is  error
	}{
		"FIN": {func(stream, query) {}, io.EOF},
		"RST": {func(s stream, _ query) { s.Conn.(*net.TCPConn).SetLinger(0) }, syscall.ECONNRESET},
		"half a message": {func(s stream, q query) {
			s.Write([]byte{1, 0})
			s.Write(q.packed)
		}, io.ErrUnexpectedEOF},
		"garbage": {func(s stream, _ query) {
			for range 100 {
				s.Write([]byte("\x00\x10HTTP/1.1 400 Bad"))
			}
			s.next() // held open: it is for us to end it
		}, errMismatch},
	} {
		t.Run(name, func(t *testing.T) {
			u := open(t, "tcp", serve(t, listen(t), func(s stream) {
				var q query
				for range n {
					q, _ = s.next()
				}
				c.end(s, q)
			}))
			ctx := soon(t)
			for _, err := range askAll(ctx, u, n) {
				if !errors.Is(err, c.is) || ctx.Err() != nil {
					t.Errorf("got error %v, want %v", err, c.is)
				}
			}
			if st := u.Stats(); st.Connections != 1 || st.Failures != n {
				t.Errorf("stats: %+v", st)
			}
		})
	}
}

// RST in the middle of an answer, on a connection that was good before: repeated on another, and nobody notices.
func TestResetInAnswer(t *testing.T) {
	u := open(t, "tcp", serve(t, listen(t), func(s stream) {
		if s.number > 1 {
			s.answerAll()
			return
		}
		q, _ := s.next()
		answerNamed(q)
		for range 5 {
			s.next()
		}
		s.Write([]byte{0, 100, 1, 2, 3})
		s.Conn.(*net.TCPConn).SetLinger(0)
	}))
	if err := ask(soon(t), u, 1); err != nil {
		t.Fatal(err)
	}
	for _, err := range askAll(soon(t), u, 5) {
		if err != nil {
			t.Error(err)
		}
	}
}

// Idle connections are closed after a while, so that the server need not keep them (RFC 7766 §6.2.3).
func TestIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ended := make(chan time.Time, 1)
		u := piped(t, func(s stream) {
			for q, ok := s.next(); ok; q, ok = s.next() {
				time.Sleep(3 * time.Second)
				answerNamed(q)
			}
			ended <- time.Now()
		})
		var last time.Time
		for i := range 3 { // each starts the time anew, and takes its own
			time.Sleep(idleTimeout - time.Second)
			if err := ask(t.Context(), u, i); err != nil {
				t.Fatal(err)
			}
			last = time.Now()
		}
		if idle := (<-ended).Sub(last); idle != idleTimeout {
			t.Errorf("closed after %v, want %v", idle, idleTimeout)
		}
		if st := u.Stats(); st.Connections != 1 || st.Failures != 0 {
			t.Errorf("stats: %+v", st)
		}
	})
}

// No query waits past its context, whatever the connection does: being opened, not read from, not written to.
func TestContextEnds(t *testing.T) {
	for name, prepare := range map[string]func(t *testing.T) *Upstream{
		"connecting": func(t *testing.T) *Upstream {
			u := piped(t, nil)
			u.dial = func(ctx context.Context, _, _ string) (net.Conn, error) {
				<-ctx.Done()
				return nil, ctx.Err()
			}
			return u
		},
		"the server does not read": func(t *testing.T) *Upstream { return piped(t, func(stream) { time.Sleep(time.Minute) }) },
		"the server does not answer": func(t *testing.T) *Upstream {
			return piped(t, func(s stream) {
				for ok := true; ok; {
					_, ok = s.next()
				}
			})
		},
		"octet by octet": func(t *testing.T) *Upstream {
			return piped(t, func(s stream) {
				s.next()
				for err := error(nil); err == nil; time.Sleep(100 * time.Millisecond) {
					_, err = s.Write([]byte{7})
				}
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { // which also fails if a goroutine stays behind
				u, began := prepare(t), time.Now()
				ctx, cancel := context.WithTimeout(t.Context(), 1500*time.Millisecond)
				defer cancel()
				for _, err := range askAll(ctx, u, 5) {
					if !errors.Is(err, context.DeadlineExceeded) {
						t.Errorf("got error %v", err)
					}
				}
				if waited := time.Since(began); waited != 1500*time.Millisecond {
					t.Errorf("waited %v", waited)
				}
				time.Sleep(2 * time.Minute)
			})
		})
	}
}

// A server that lets nobody in is an error when dialTimeout is over, even if the query could wait longer.
func TestDialTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u, began := piped(t, nil), time.Now()
		u.dial = func(ctx context.Context, _, _ string) (net.Conn, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}
		if err := ask(t.Context(), u, 1); err == nil || time.Since(began) != dialTimeout {
			t.Errorf("after %v: error %v", time.Since(began), err)
		}
		if st := u.Stats(); st.Failures != 1 {
			t.Errorf("stats: %+v", st)
		}
	})
}

// The answer to a query that was given up is nobody else's, and no lie.
func TestLateAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := piped(t, func(s stream) {
			first, _ := s.next()
			second, _ := s.next()
			answerNamed(first)
			answerNamed(second)
			s.answerAll()
		})
		defer u.Close()
		ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
		defer cancel()
		if err := ask(ctx, u, 1); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("got error %v", err)
		}
		for i := 2; i < 5; i++ {
			if err := ask(t.Context(), u, i); err != nil {
				t.Error(err)
			}
		}
		time.Sleep(2 * stallAfter) // nothing is due any more, so nothing is overdue
		if err := ask(t.Context(), u, 5); err != nil {
			t.Error(err)
		}
		if st := u.Stats(); st.Connections != 1 || st.Mismatched != 0 {
			t.Errorf("stats: %+v", st)
		}
	})
}

// A connection that has died without a word gets no more queries; those on it are waited for all the same.
func TestStalled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := piped(t, func(s stream) {
			if s.number == 1 {
				q, _ := s.next()
				time.Sleep(stallAfter + 2*time.Second)
				answerNamed(q)
				answered := time.Now()
				if _, ok := s.next(); ok {
					t.Error("a query came over the connection that had died")
				}
				if kept := time.Since(answered); kept != 0 {
					t.Errorf("the connection that had died was kept for %v", kept)
				}
				return
			}
			s.answerAll()
		})
		defer u.Close()
		slow := make(chan error)
		go func() { slow <- ask(t.Context(), u, 1) }()
		time.Sleep(stallAfter + time.Millisecond)
		for i := 2; i < 5; i++ {
			if err := ask(t.Context(), u, i); err != nil {
				t.Error(err)
			}
		}
		if err := <-slow; err != nil {
			t.Error(err)
		}
		time.Sleep(time.Second)
		if st := u.Stats(); st.Connections != 2 || st.Failures != 0 {
			t.Errorf("stats: %+v", st)
		}
	})
}

// A server that never answers some queries cannot make us remember more than maxPending of them on one connection.
func TestGivenUpBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := piped(t, func(s stream) {
			for {
				q, ok := s.next()
				if !ok {
					return
				}
				if q.Question[0].Name == named(0).Name {
					answerNamed(q) // so that it does not look dead
				}
			}
		})
		defer u.Close()
		for range maxPending + 10 {
			ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
			ask(ctx, u, 1)
			cancel()
			if err := ask(t.Context(), u, 0); err != nil {
				t.Fatal(err)
			}
			u.pool.mu.Lock()
			if n := len(u.pool.conns[0].pending); n > maxPending {
				t.Fatalf("%d IDs taken", n)
			}
			u.pool.mu.Unlock()
		}
		if st := u.Stats(); st.Connections != 2 {
			t.Errorf("%d connections, want 2", st.Connections)
		}
	})
}

// Where many wait, a few connections share them evenly.
func TestCrowded(t *testing.T) {
	const n = maxConns*crowded + 100
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		load := make(map[int]int)
		u := piped(t, func(s stream) {
			for q, ok := s.next(); ok; q, ok = s.next() {
				mu.Lock()
				load[s.number]++
				mu.Unlock()
				time.AfterFunc(500*time.Millisecond, func() { answerNamed(q) })
			}
		})
		defer u.Close()
		for _, err := range askAll(t.Context(), u, n) {
			if err != nil {
				t.Error(err)
			}
		}
		mu.Lock()
		defer mu.Unlock()
		for i := 1; i <= maxConns; i++ {
			if load[i] < n/maxConns-crowded/2 || load[i] > n/maxConns+crowded/2 || len(load) != maxConns {
				t.Errorf("queries by connection: %v", load)
			}
		}
	})
}

// A query that takes long does not make a connection look dead over which others are answered.
func TestSlowAmongQuick(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := piped(t, func(s stream) {
			slow, _ := s.next()
			time.AfterFunc(5*time.Second, func() { answerNamed(slow) })
			s.answerAll()
		})
		defer u.Close()
		slow := make(chan error)
		go func() { slow <- ask(t.Context(), u, 0) }()
		for i := 1; i < 20; i++ {
			time.Sleep(200 * time.Millisecond)
			if err := ask(t.Context(), u, i); err != nil {
				t.Error(err)
			}
		}
		if err := <-slow; err != nil {
			t.Error(err)
		}
		if st := u.Stats(); st.Connections != 1 || st.Failures != 0 {
			t.Errorf("stats: %+v", st)
		}
	})
}

// A lie now and then is counted and no more: it takes three in a row to lose the connection.
func TestLiesBetweenAnswers(t *testing.T) {
	u := open(t, "tcp", serve(t, listen(t), func(s stream) {
		for q, ok := s.next(); ok; q, ok = s.next() {
			for range maxMismatched - 1 {
				lie := q.reply()
				lie.Id++
				q.say(lie)
			}
			answerNamed(q)
		}
	}))
	for i := range 5 {
		if err := ask(soon(t), u, i); err != nil {
			t.Error(err)
		}
	}
	if st := u.Stats(); st.Connections != 1 || st.Mismatched != 5*(maxMismatched-1) {
		t.Errorf("stats: %+v", st)
	}
}

// Close ends everything, at once.
func TestClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := piped(t, func(s stream) {
			for q, ok := s.next(); ok; q, ok = s.next() {
				if q.Question[0].Name == named(1).Name {
					answerNamed(q)
				}
			}
		})
		if err := ask(t.Context(), u, 1); err != nil {
			t.Fatal(err)
		}
		waiting := make(chan error)
		go func() { waiting <- ask(t.Context(), u, 2) }()
		synctest.Wait()
		began := time.Now()
		u.Close()
		if err := <-waiting; !errors.Is(err, net.ErrClosed) {
			t.Errorf("got error %v", err)
		}
		synctest.Wait()
		if time.Since(began) != 0 {
			t.Errorf("took %v", time.Since(began))
		}
		if err := ask(t.Context(), u, 1); err != nil { // and it can be used again
			t.Error(err)
		}
		u.Close()
	})
}

// FuzzReceive lets any octets come over a connection on which queries wait: nothing panics, every query gets one result,
// and what is taken for a response has the ID and the question of its query.
func FuzzReceive(f *testing.F) {
	asked := []uint16{0, 0x1234, 0xffff}
	framed := func(messages ...[]byte) (all []byte) {
		for _, m := range messages {
			all = append(binary.BigEndian.AppendUint16(all, uint16(len(m))), m...)
		}
		return all
	}
	var answers [][]byte
	for i, id := range asked {
		m := new(dns.Msg).SetReply(&dns.Msg{MsgHdr: dns.MsgHdr{Id: id}, Question: []dns.Question{named(i)}})
		answers = append(answers, packed(m))
	}
	all := framed(answers...)
	f.Add(all)
	f.Add(framed(answers[2], answers[0], answers[1], answers[1]))
	f.Add(framed(answers[0], nil, nil, nil))
	f.Add(framed(answers[0][:1], answers[0][:5], answers[1]))
	f.Add(framed(answers[0], answers[0], answers[0], answers[0], answers[1]))
	f.Add(all[:len(all)-1])
	f.Add([]byte{0xff, 0xff, 0})
	f.Add(framed(append(answers[1][:12:12], 63), answers[0])) // malformed
	f.Fuzz(func(t *testing.T, octets []byte) {
		p := &pool{mismatched: new(atomic.Uint64)}
		c := &conn{pool: p, done: make(chan struct{}), pending: make(map[uint16]*waiter)}
		var waiters []*waiter
		for i, id := range asked {
			w := &waiter{query: &dns.Msg{MsgHdr: dns.MsgHdr{Id: id}, Question: []dns.Question{named(i)}}, result: make(chan result, 1)}
			waiters, c.pending[id] = append(waiters, w), w
			c.waiting++
		}
		c.pending[7] = nil // given up
		err := c.receive(bytes.NewReader(octets))
		if err == nil {
			t.Fatal("a stream that ended has no error")
		}
		c.lost(err)
		for i, w := range waiters {
			select {
			case r := <-w.result:
				if (r.response == nil) == (r.err == nil) {
					t.Fatalf("response %v, error %v", r.response, r.err)
				}
				if r.err == nil && (r.response.Msg.Id != w.query.Id || !sameQuestion(r.response.Msg.Question[0], named(i))) {
					t.Fatalf("%x is taken for the answer to %v:\n%v", octets, w.query, r.response.Msg)
				}
			default:
				t.Fatalf("%x leaves query %d without a result", octets, i)
			}
			if len(w.result) != 0 {
				t.Fatalf("%x gives query %d two results", octets, i)
			}
		}
		for _, w := range waiters {
			c.leave(w) // too late: nothing happens
		}
		if len(c.pending) != 0 || c.waiting != 0 {
			t.Fatalf("%x leaves %d IDs, %d waiting", octets, len(c.pending), c.waiting)
		}
	})
}
