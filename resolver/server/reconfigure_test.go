package server

import (
	"context"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/mxglue/mxglue/cache/wire"
)

// Who may ask, how much may wait and who answers change under an open socket and an open connection.
func TestReconfigure(t *testing.T) {
	s := wired(Options{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}, TCPConnections: 2, MaxWaiting: 1})
	at, _ := start(t, s)
	udp, tcp := dialUDP(t, at), dialTCP(t, "", at)
	stranger, err := net.DialUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 9)}, net.UDPAddrFromAddrPort(at))
	if err != nil {
		t.Fatal(err)
	}
	defer stranger.Close()
	stranger.SetDeadline(time.Now().Add(patience))
	q := query(1, miss)
	checkReply(t, ask(t, stranger, q), q, wire.RcodeRefused)
	checkReply(t, ask(t, udp, q), q, 0)

	s.Allow = []netip.Prefix{netip.MustParsePrefix("127.0.0.9/32")}
	checkReply(t, ask(t, udp, q), q, 0) // not before it is told
	s.Resolve = func(_ context.Context, dst []byte, q *wire.Query) []byte {
		return wire.AppendError(dst, q, wire.RcodeServFail)
	}
	s.TCPConnections = 1
	s.Reconfigure()
	checkReply(t, ask(t, stranger, q), q, wire.RcodeServFail)
	checkReply(t, ask(t, udp, q), q, wire.RcodeRefused)
	send(t, tcp, framed(q)) // the connection is open still, but not for this client
	checkReply(t, nextTCP(t, tcp), q, wire.RcodeRefused)

	s.Allow, s.Resolve = nil, nil // the default, which is loopback
	s.Answer = func(dst []byte, q *wire.Query, _ time.Time) []byte { return wire.AppendError(dst, q, wire.RcodeNotImp) }
	s.Reconfigure()
	checkReply(t, ask(t, udp, q), q, wire.RcodeNotImp)
}

// A miss that was taken before a change waits, or is dropped, by the limit of before.
func TestReconfigureBetweenMissAndWait(t *testing.T) {
	s := wired(Options{MaxWaiting: 2})
	goOn, answer, resolve := make(chan struct{}), s.Answer, s.Resolve
	s.Resolve = func(ctx context.Context, dst []byte, q *wire.Query) []byte {
		<-goOn
		return resolve(ctx, dst, q)
	}
	s.Answer = func(dst []byte, q *wire.Query, now time.Time) []byte {
		if q.ID == 2 { // its place is not taken yet
			s.MaxWaiting = 1
			s.Reconfigure()
		}
		return answer(dst, q, now)
	}
	at, _ := start(t, s)
	conn := dialUDP(t, at)
	send(t, conn, query(1, miss))
	eventually(t, "the first to wait", func() bool { return s.waiting.Load() == 1 })
	send(t, conn, query(2, miss))
	eventually(t, "the second to wait, too", func() bool { return s.waiting.Load() == 2 })
	close(goOn)
	if sum := next(t, conn)[1] + next(t, conn)[1]; sum != 1+2 {
		t.Errorf("the sum of the IDs is %d, want 3", sum)
	}
}

// A query meets old settings or new ones, and never some of either: here the client that is allowed and the answer.
func TestReconfigureWhole(t *testing.T) {
	one, other := netip.MustParsePrefix("127.0.0.1/32"), netip.MustParsePrefix("127.0.0.9/32")
	answers := func(rcode int) func([]byte, *wire.Query, time.Time) []byte {
		return func(dst []byte, q *wire.Query, _ time.Time) []byte { return wire.AppendError(dst, q, rcode) }
	}
	s := wired(Options{Allow: []netip.Prefix{one}})
	s.Answer = answers(1)
	at, _ := start(t, s)
	asked := make(chan struct{}) // another configuration for each query, at about the time when it comes
	var clients sync.WaitGroup
	for i, from := range []string{"127.0.0.1", "127.0.0.9"} {
		clients.Go(func() {
			conn, err := net.DialUDP("udp", &net.UDPAddr{IP: net.ParseIP(from)}, net.UDPAddrFromAddrPort(at))
			if err != nil {
				t.Error(err)
				return
			}
			defer conn.Close()
			conn.SetDeadline(time.Now().Add(patience))
			buf := make([]byte, 512)
			for id := range uint16(3000) {
				asked <- struct{}{}
				conn.Write(query(id, hit))
				n, err := conn.Read(buf)
				if err != nil || n < wire.HeaderLen || wire.ID(buf) != id {
					t.Errorf("%s: query %d: %d octets, error %v", from, id, n, err)
					return
				}
				if rcode := int(wire.Flags(buf) & 0xf); rcode != i+1 && rcode != wire.RcodeRefused {
					t.Errorf("%s: RCODE %d, which is for the other client", from, rcode)
					return
				}
			}
		})
	}
	go func() {
		clients.Wait()
		close(asked)
	}()
	second := false
	for range asked {
		if second = !second; second {
			s.Allow, s.Answer = []netip.Prefix{other}, answers(2)
		} else {
			s.Allow, s.Answer = []netip.Prefix{one}, answers(1)
		}
		s.Reconfigure()
	}
}
