package server

import (
	"bytes"
	"context"
	"io"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mxglue/mxglue/cache/wire"
)

// pipes is a listener whose connections are pipes, so that their deadlines pass in the time of a synctest bubble.
type pipes struct {
	incoming chan net.Conn
	closed   chan struct{}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case conn := <-p.incoming:
		return conn, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error   { close(p.closed); return nil }
func (p *pipes) Addr() net.Addr { return &net.TCPAddr{} }

// dial connects as a client on 127.0.0.1.
func (p *pipes) dial() net.Conn {
	client, server := net.Pipe()
	p.incoming <- loopback{server}
	return client
}

type loopback struct{ net.Conn }

func (loopback) RemoteAddr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 40000} }

// inBubble runs f with s served over pipes. f or the end of f is to end all connections; stop ends Serve and returns how
// long that took.
func inBubble(t *testing.T, s *Server, f func(t *testing.T, p *pipes, stop func() time.Duration)) {
	synctest.Test(t, func(t *testing.T) {
		p := &pipes{make(chan net.Conn), make(chan struct{})}
		s.begin()
		s.tcp = []net.Listener{p}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			s.Serve(ctx)
		}()
		stop := func() time.Duration {
			start := time.Now()
			cancel()
			<-ended
			return time.Since(start)
		}
		f(t, p, stop)
		stop()
	})
}

// lasts returns how long it takes until the server closes conn without another octet.
func lasts(t *testing.T, conn net.Conn) time.Duration {
	t.Helper()
	start := time.Now()
	if n, err := conn.Read(make([]byte, 1)); n != 0 || err != io.EOF {
		t.Errorf("read %d octets, error %v; want a closed connection", n, err)
	}
	return time.Since(start)
}

func TestDeadlines(t *testing.T) {
	q := framed(query(1, hit))
	for _, c := range []struct {
		name string
		said []byte
		want time.Duration
	}{
		{"idle from the start", nil, 10 * time.Second},
		{"half a length", q[:1], 5 * time.Second},
		{"a length", q[:2], 5 * time.Second},
		{"half a message", q[:20], 5 * time.Second},
		{"idle after a query", q, 10 * time.Second},
		{"a query and half a length", append(q[:len(q):len(q)], 0), 5 * time.Second},
		{"length 0", []byte{0, 0}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			inBubble(t, wired(Options{}), func(t *testing.T, p *pipes, _ func() time.Duration) {
				conn := p.dial()
				go conn.Write(c.said)
				if len(c.said) >= len(q) {
					nextTCP(t, conn)
				}
				if got := lasts(t, conn); got != c.want {
					t.Errorf("closed after %v, want %v", got, c.want)
				}
			})
		})
	}
}

// A message has five seconds in all, however its octets drip in.
func TestDrip(t *testing.T) {
	inBubble(t, wired(Options{}), func(t *testing.T, p *pipes, _ func() time.Duration) {
		conn, start := p.dial(), time.Now()
		for _, b := range framed(query(1, hit)) {
			if _, err := conn.Write([]byte{b}); err != nil {
				break
			}
			time.Sleep(time.Second)
		}
		if got := time.Since(start); got > 6*time.Second {
			t.Errorf("a message could take %v", got)
		}
		if got := lasts(t, conn); got != 0 {
			t.Errorf("closed %v late", got)
		}
	})
}

// While more than half of the places are taken, who says nothing has two seconds.
func TestIdleWhenFull(t *testing.T) {
	inBubble(t, wired(Options{TCPConnections: 4}), func(t *testing.T, p *pipes, _ func() time.Duration) {
		first, second := p.dial(), p.dial()
		synctest.Wait() // until both are listened to
		third := p.dial()
		if got := lasts(t, third); got != 2*time.Second {
			t.Errorf("the third of four was closed after %v, want 2s", got)
		}
		if lasts(t, first)+lasts(t, second) != 8*time.Second {
			t.Error("those that came while there was room had other than 10 s")
		}
	})
}

// A connection is not idle while an answer is due, and the client's time begins anew with each message.
func TestIdleCountsAnew(t *testing.T) {
	s := wired(Options{})
	s.Resolve = func(_ context.Context, dst []byte, q *wire.Query) []byte {
		time.Sleep(4 * time.Second)
		return wire.AppendError(dst, q, 0)
	}
	inBubble(t, s, func(t *testing.T, p *pipes, _ func() time.Duration) {
		conn := p.dial()
		for id := range uint16(5) {
			q := query(id, miss)
			send(t, conn, framed(q))
			checkReply(t, nextTCP(t, conn), q, 0)
			time.Sleep(5 * time.Second)
		}
	})
}

// A client that asks and does not read is cut off after five seconds, and all that waited for it goes.
func TestClientDoesNotRead(t *testing.T) {
	for _, name := range []string{hit, miss} {
		t.Run(name, func(t *testing.T) {
			s := wired(Options{})
			inBubble(t, s, func(t *testing.T, p *pipes, _ func() time.Duration) {
				conn := p.dial()
				for id := range uint16(2) {
					go conn.Write(framed(query(id, name)))
				}
				time.Sleep(5*time.Second + 1)
				synctest.Wait()
				if n := s.Stats().TCPConnections; n != 0 || s.waiting.Load() != 0 {
					t.Errorf("%d connections open, %d queries wait", n, s.waiting.Load())
				}
			})
		})
	}
}

// halfClosed is a connection of which the client has ended its side, having said something.
type halfClosed struct {
	net.Conn
	said io.Reader
}

func (h halfClosed) Read(b []byte) (int, error) { return h.said.Read(b) }

// A client that has ended its side has as long for its answers as an idle one: if it takes them drop by drop, or if they
// are not to be had.
func TestHalfClosedEnds(t *testing.T) {
	for name, resolve := range map[string]func(context.Context, []byte, *wire.Query) []byte{
		"drip":  func(_ context.Context, dst []byte, q *wire.Query) []byte { return wire.AppendError(dst, q, 0) },
		"hangs": func(ctx context.Context, _ []byte, _ *wire.Query) []byte { <-ctx.Done(); return nil },
	} {
		t.Run(name, func(t *testing.T) {
			s := wired(Options{})
			s.Resolve = resolve
			inBubble(t, s, func(t *testing.T, p *pipes, _ func() time.Duration) {
				var said []byte
				for id := range uint16(30) {
					said = append(said, framed(query(id, miss))...)
				}
				reply := query(31, hit)
				reply[2] |= 0x80 // QR: it ends the connection while the answer before it has not been written
				said = append(append(said, framed(query(30, hit))...), framed(reply)...)
				client, server := net.Pipe()
				start := time.Now()
				p.incoming <- loopback{halfClosed{server, bytes.NewReader(said)}}
				for err := error(nil); err == nil; _, err = io.ReadFull(client, make([]byte, 2+len(query(0, miss)))) {
					time.Sleep(4 * time.Second)
				}
				synctest.Wait()
				if n, waiting := s.Stats().TCPConnections, s.waiting.Load(); n != 0 || waiting != 0 || time.Since(start) > tcpIdle+4*time.Second {
					t.Errorf("%d connections open and %d queries wait after %v", n, waiting, time.Since(start))
				}
			})
		})
	}
}

func TestDrain(t *testing.T) {
	takes := func(d time.Duration) func(context.Context, []byte, *wire.Query) []byte {
		return func(ctx context.Context, dst []byte, q *wire.Query) []byte {
			select {
			case <-time.After(d):
				return wire.AppendError(dst, q, 0)
			case <-ctx.Done():
				return nil
			}
		}
	}
	for _, c := range []struct {
		name       string
		resolve    time.Duration
		want       time.Duration
		isAnswered bool
	}{
		{"a query under way is answered", 3 * time.Second, 3 * time.Second, true},
		{"one that hangs is cut off", time.Hour, 5 * time.Second, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := wired(Options{})
			s.Resolve = takes(c.resolve)
			inBubble(t, s, func(t *testing.T, p *pipes, stop func() time.Duration) {
				busy, idle, q := p.dial(), p.dial(), query(1, miss)
				send(t, busy, framed(q))
				synctest.Wait()
				took := make(chan time.Duration)
				go func() { took <- stop() }()
				if got := lasts(t, idle); got != 0 {
					t.Errorf("an idle connection lasts %v longer", got)
				}
				if c.isAnswered {
					checkReply(t, nextTCP(t, busy), q, 0)
				}
				lasts(t, busy)
				if got := <-took; got != c.want {
					t.Errorf("Serve ended after %v, want %v", got, c.want)
				}
			})
		})
	}
}

// A connection that is being written to when the server stops delivers what was taken, which goes out together, and ends.
func TestDrainWhileWriting(t *testing.T) {
	inBubble(t, wired(Options{}), func(t *testing.T, p *pipes, stop func() time.Duration) {
		conn, first, second := p.dial(), query(1, hit), query(2, hit)
		send(t, conn, framed(first, second))
		synctest.Wait() // for the replies to wait for their reader
		took := make(chan time.Duration)
		go func() { took <- stop() }()
		synctest.Wait()
		checkReply(t, nextTCP(t, conn), first, 0)
		checkReply(t, nextTCP(t, conn), second, 0)
		if got := lasts(t, conn) + <-took; got != 0 {
			t.Errorf("the connection lasts, and holds the server up, %v", got)
		}
	})
}

// A client that takes its answers drop by drop does not keep the server from stopping.
func TestDrainDrip(t *testing.T) {
	s := wired(Options{})
	inBubble(t, s, func(t *testing.T, p *pipes, stop func() time.Duration) {
		conn := p.dial()
		for id := range uint16(30) {
			send(t, conn, framed(query(id, miss)))
		}
		synctest.Wait()
		var client sync.WaitGroup
		client.Go(func() {
			for err := error(nil); err == nil; _, err = io.ReadFull(conn, make([]byte, 2+len(query(0, miss)))) {
				time.Sleep(4 * time.Second)
			}
		})
		defer client.Wait()
		if got := stop(); got > 5*time.Second {
			t.Errorf("Serve ended after %v, want 5s at most", got)
		}
	})
}
