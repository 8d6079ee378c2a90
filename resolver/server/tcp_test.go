package server

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"github.com/mxglue/mxglue/cache/wire"
)

func TestTCP(t *testing.T) {
	for _, host := range []string{"127.0.0.1:0", "[::1]:0"} {
		t.Run(host, func(t *testing.T) {
			s := wired(Options{Listen: []netip.AddrPort{netip.MustParseAddrPort(host)}})
			at, _ := start(t, s)
			conn := dialTCP(t, "", at)
			for i, name := range []string{hit, miss, hit, "a.b.c.d.e.f"} { // one connection for all (RFC 7766 §6.2.1)
				q := query(uint16(i*1000), name)
				send(t, conn, framed(q))
				checkReply(t, nextTCP(t, conn), q, 0)
			}
			if st := s.Stats(); st.TCPQueries != 4 || st.UDPQueries != 0 || st.TCPConnections != 1 {
				t.Errorf("stats: %+v", st)
			}
			conn.Close()
			eventually(t, "the connection to be forgotten", func() bool { return s.Stats().TCPConnections == 0 })
		})
	}
}

// TestPipelining sends queries in one segment: each is answered as soon as it can be, none waits for the one before
// (RFC 7766 §6.2.1.1, §7).
func TestPipelining(t *testing.T) {
	s := wired(Options{})
	arrived, goOn := make(chan struct{}, 10), make(chan struct{})
	s.Resolve = func(_ context.Context, dst []byte, q *wire.Query) []byte {
		arrived <- struct{}{}
		if q.ID == 1 {
			<-goOn
		}
		return wire.AppendError(dst, q, 0)
	}
	at, _ := start(t, s)
	conn := dialTCP(t, "", at)
	slow, quick, cached := query(1, miss), query(2, "other.example"), query(3, hit)
	send(t, conn, framed(slow, quick, cached))
	for range 2 {
		switch msg := nextTCP(t, conn); wire.ID(msg) {
		case 2:
			checkReply(t, msg, quick, 0)
		case 3:
			checkReply(t, msg, cached, 0)
		default:
			t.Fatalf("query %d is answered first", wire.ID(msg))
		}
	}
	close(goOn)
	checkReply(t, nextTCP(t, conn), slow, 0)
}

// TestPipelineFull has more queries wait on one connection than may: it is not read from until some are answered, and
// then all of them are.
func TestPipelineFull(t *testing.T) {
	const all = 3 * tcpPipelined
	s := wired(Options{})
	arrived, goOn := make(chan uint16, all), make(chan struct{})
	s.Resolve = func(_ context.Context, dst []byte, q *wire.Query) []byte {
		arrived <- q.ID
		<-goOn
		return wire.AppendError(dst, q, 0)
	}
	at, _ := start(t, s)
	conn := dialTCP(t, "", at)
	var queries []byte
	for id := range uint16(all) {
		queries = append(queries, framed(query(id, miss))...)
	}
	send(t, conn, queries)
	for range tcpPipelined {
		<-arrived
	}
	other, q := dialTCP(t, "", at), query(1, hit)
	send(t, other, framed(q))
	checkReply(t, nextTCP(t, other), q, 0)
	if n := s.waiting.Load(); n > tcpPipelined+1 || len(arrived) > 0 {
		t.Errorf("%d queries of one connection wait, %d more than may", n, len(arrived))
	}
	close(goOn)
	got := make(map[uint16]bool)
	for range all {
		got[wire.ID(nextTCP(t, conn))] = true
	}
	if len(got) != all {
		t.Errorf("%d of %d queries were answered", len(got), all)
	}
}

// TestSingleOctets sends a message in the smallest segments there are.
func TestSingleOctets(t *testing.T) {
	at, _ := start(t, wired(Options{}))
	conn, q := dialTCP(t, "", at), query(4711, miss)
	conn.SetNoDelay(true)
	for _, b := range framed(q) {
		send(t, conn, []byte{b})
	}
	checkReply(t, nextTCP(t, conn), q, 0)
}

func TestLargestReply(t *testing.T) {
	large := bytes.Repeat([]byte("mxglue!"), wire.MaxMessage/7+1)[:wire.MaxMessage]
	s := wired(Options{})
	s.Answer = func(dst []byte, q *wire.Query, _ time.Time) []byte {
		if q.ID == 1 {
			return append(dst, large...)
		}
		return nil
	}
	s.Resolve = func(_ context.Context, dst []byte, q *wire.Query) []byte {
		if q.Limit != wire.MaxMessage {
			t.Errorf("limit %d", q.Limit)
		}
		return append(dst, large...)
	}
	at, _ := start(t, s)
	conn := dialTCP(t, "", at)
	for id := range uint16(3) { // 1 is at hand
		send(t, conn, framed(query(id, "large.example")))
		if got := nextTCP(t, conn); !bytes.Equal(got, large) {
			t.Fatalf("query %d: got %d octets, or others", id, len(got))
		}
	}
}

func TestLargestQuery(t *testing.T) {
	at, _ := start(t, wired(Options{}))
	conn := dialTCP(t, "", at)
	padded := query(7, miss)
	rest := wire.MaxMessage - len(padded) - 15 // for an option that does nothing but fill (RFC 7830)
	opt := []byte{0, 0, 41, 4, 208, 0, 0, 0, 0, byte((rest + 4) >> 8), byte(rest + 4), 0, 12, byte(rest >> 8), byte(rest)}
	padded = append(append(padded, opt...), make([]byte, rest)...)
	padded[11] = 1
	send(t, conn, framed(padded))
	want := append(query(7, miss), 0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0)
	want[2], want[3], want[11] = 0x81, 0x80, 1
	checkSame(t, nextTCP(t, conn), want)
}

// A client that has ended its side, having asked, gets its answers: it may still be reading. (RFC 7766 §6.2.4 forbids
// answers to one that has closed the whole connection, which looks the same from here until it resets.)
func TestHalfClosed(t *testing.T) {
	s := wired(Options{})
	arrived, goOn := make(chan struct{}), make(chan struct{})
	s.Resolve = func(_ context.Context, dst []byte, q *wire.Query) []byte {
		close(arrived)
		<-goOn
		return wire.AppendError(dst, q, 0)
	}
	at, _ := start(t, s)
	conn, q := dialTCP(t, "", at), query(5, miss)
	send(t, conn, framed(q))
	conn.CloseWrite()
	<-arrived
	close(goOn)
	checkReply(t, nextTCP(t, conn), q, 0)
	checkClosed(t, conn)
}

// Clients that break off, in whatever state, leave nothing behind.
func TestBrokenOff(t *testing.T) {
	s := wired(Options{})
	goOn := make(chan struct{})
	s.Resolve = func(_ context.Context, dst []byte, q *wire.Query) []byte {
		<-goOn
		return wire.AppendError(dst, q, 0)
	}
	at, _ := start(t, s)
	q := framed(query(1, miss))
	for _, said := range [][]byte{nil, q[:1], q[:2], q[:10], q, append(q[:len(q):len(q)], q[:10]...)} {
		conn := dialTCP(t, "", at)
		if len(said) > 0 {
			send(t, conn, said)
		}
		conn.SetLinger(0) // RST
		conn.Close()
		conn = dialTCP(t, "", at)
		if len(said) > 0 {
			send(t, conn, said)
		}
		conn.Close() // FIN
	}
	close(goOn)
	eventually(t, "the connections to be forgotten", func() bool { return s.Stats().TCPConnections == 0 && s.waiting.Load() == 0 })
	good := query(9, hit)
	checkReply(t, ask(t, dialUDP(t, at), good), good, 0)
}

func TestCaps(t *testing.T) {
	s := wired(Options{TCPConnections: 3, TCPPerClient: 2})
	at, _ := start(t, s)
	answered := func(from string) bool {
		conn, q := dialTCP(t, from, at), query(1, hit)
		if _, err := conn.Write(framed(q)); err != nil {
			return false
		}
		_, err := io.ReadFull(conn, make([]byte, 2+len(q)))
		if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, syscall.ECONNRESET) {
			t.Fatal(err)
		}
		if err != nil {
			conn.Close()
		}
		return err == nil
	}
	for i, c := range []struct {
		from     string
		want     bool
		rejected uint64
	}{
		{"127.0.0.1", true, 0}, {"127.0.0.1", true, 0}, {"127.0.0.1", false, 1}, // its own are taken
		{"127.0.0.2", true, 1}, {"127.0.0.3", false, 2}, // all are taken
	} {
		if got := answered(c.from); got != c.want {
			t.Errorf("connection %d, of %s: answered is %v", i+1, c.from, got)
		}
		if st := s.Stats(); st.TCPRejected != c.rejected {
			t.Errorf("connection %d: %d rejected, want %d", i+1, st.TCPRejected, c.rejected)
		}
	}
	if st := s.Stats(); st.TCPConnections != 3 || st.TCPRejectedClient != 1 {
		t.Errorf("%d connections open, want 3; %d rejected for their client, want 1", st.TCPConnections, st.TCPRejectedClient)
	}
}

// A place that a client gives up is free for it again.
func TestCapsGiveBack(t *testing.T) {
	s := wired(Options{TCPConnections: 1, TCPPerClient: 1})
	at, _ := start(t, s)
	for id := range uint16(5) {
		conn, q := dialTCP(t, "127.0.0.1", at), query(id, hit)
		send(t, conn, framed(q))
		checkReply(t, nextTCP(t, conn), q, 0)
		conn.Close()
		eventually(t, "the place to be free", func() bool { return s.Stats().TCPConnections == 0 })
	}
	if n := len(s.conns.byClient); n != 0 {
		t.Errorf("%d clients remembered that have gone", n)
	}
}
