package server

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/mxglue/mxglue/cache/wire"
)

// patience bounds every wait of these tests for something that is to happen at once.
const patience = 10 * time.Second

// The names that the servers of these tests know.
const (
	hit  = "hit.example"  // at hand
	miss = "miss.example" // any other name is resolved
)

// wired returns a server that answers hit at once and resolves everything else by an empty NOERROR.
func wired(o Options) *Server {
	o.Log = slog.New(slog.DiscardHandler)
	return &Server{
		Options: o,
		Answer: func(dst []byte, q *wire.Query, _ time.Time) []byte {
			if !strings.HasPrefix(string(q.Name()), "\x03hit") {
				return nil
			}
			return wire.AppendError(dst, q, 0)
		},
		Resolve: func(_ context.Context, dst []byte, q *wire.Query) []byte { return wire.AppendError(dst, q, 0) },
	}
}

// start runs s on loopback until the test ends, and sees to it that nothing of it is left then. The returned function
// ends it earlier. By default it listens on a port of 127.0.0.1.
func start(t *testing.T, s *Server) (at netip.AddrPort, stop func()) {
	t.Helper()
	if s.Options.Listen == nil {
		s.Options.Listen = []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:0")}
	}
	if err := s.Listen(); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		s.Serve(ctx)
	}()
	t.Cleanup(func() {
		stop()
		select {
		case <-ended:
		case <-time.After(patience):
			t.Error("Serve does not return")
		}
		eventually(t, "its goroutines to end", func() bool { return !strings.Contains(stacks(), "server.(*Server)") })
	})
	return s.Options.Listen[0], stop
}

func stacks() string {
	buf := make([]byte, 1<<20)
	return string(buf[:runtime.Stack(buf, true)])
}

// eventually waits for what happens in another goroutine a moment after what the test has seen.
func eventually(t *testing.T, what string, f func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !f(); runtime.Gosched() {
		if time.Now().After(end) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// query packs a question for name, type A, class IN, with RD.
func query(id uint16, name string) []byte {
	msg := binary.BigEndian.AppendUint16(nil, id)
	msg = append(msg, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0)
	for label := range strings.SplitSeq(name, ".") {
		msg = append(append(msg, byte(len(label))), label...)
	}
	return append(msg, 0, 0, 1, 0, 1)
}

// checkReply fails the test unless reply is the reply to q, with this RCODE and the same question.
func checkReply(t *testing.T, reply, q []byte, rcode int) {
	t.Helper()
	if len(reply) != len(q) || wire.ID(reply) != wire.ID(q) || string(reply[12:]) != string(q[12:]) {
		t.Fatalf("got  %x,\nno reply to %x", reply, q)
	}
	if flags := wire.Flags(reply); flags&wire.FlagQR == 0 || flags&wire.FlagRA == 0 || int(flags&0xf) != rcode {
		t.Fatalf("reply has flags %04x, want QR, RA and RCODE %d", flags, rcode)
	}
}

// dialUDP returns a socket that hears from the given address only, as a stub resolver's does.
func dialUDP(t *testing.T, at netip.AddrPort) *net.UDPConn {
	t.Helper()
	conn, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(at))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(patience))
	return conn
}

// ask sends msg and returns the next datagram.
func ask(t *testing.T, conn *net.UDPConn, msg []byte) []byte {
	t.Helper()
	send(t, conn, msg)
	return next(t, conn)
}

func send(t *testing.T, conn io.Writer, msg []byte) {
	t.Helper()
	if _, err := conn.Write(msg); err != nil {
		t.Fatal(err)
	}
}

func next(t *testing.T, conn *net.UDPConn) []byte {
	t.Helper()
	buf := make([]byte, wire.MaxMessage)
	n, err := conn.Read(buf)
	if err != nil {
		t.Fatal(err)
	}
	return buf[:n]
}

// dialTCP connects from the given address of this host, "" meaning any.
func dialTCP(t *testing.T, from string, at netip.AddrPort) *net.TCPConn {
	t.Helper()
	d := net.Dialer{Timeout: patience}
	if from != "" {
		d.LocalAddr = &net.TCPAddr{IP: net.ParseIP(from)}
	}
	conn, err := d.Dial("tcp", at.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(patience))
	return conn.(*net.TCPConn)
}

// framed puts the two length octets in front of each message.
func framed(msgs ...[]byte) (all []byte) {
	for _, msg := range msgs {
		all = append(binary.BigEndian.AppendUint16(all, uint16(len(msg))), msg...)
	}
	return all
}

// nextTCP returns the next message.
func nextTCP(t *testing.T, conn io.Reader) []byte {
	t.Helper()
	var length [2]byte
	if _, err := io.ReadFull(conn, length[:]); err != nil {
		t.Fatal(err)
	}
	msg := make([]byte, binary.BigEndian.Uint16(length[:]))
	if _, err := io.ReadFull(conn, msg); err != nil {
		t.Fatal(err)
	}
	return msg
}

// checkClosed fails the test unless the server closes conn without another octet.
func checkClosed(t *testing.T, conn net.Conn) {
	t.Helper()
	if n, err := conn.Read(make([]byte, 1)); n != 0 || errors.Is(err, context.DeadlineExceeded) || isTimeout(err) {
		t.Fatalf("read %d octets, error %v; want a closed connection", n, err)
	}
}

func isTimeout(err error) bool {
	var e net.Error
	return errors.As(err, &e) && e.Timeout()
}
