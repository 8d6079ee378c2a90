package server

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/mxglue/mxglue/cache/wire"
)

func TestUDP(t *testing.T) {
	for _, host := range []string{"127.0.0.1:0", "[::1]:0"} {
		t.Run(host, func(t *testing.T) {
			s := wired(Options{Listen: []netip.AddrPort{netip.MustParseAddrPort(host)}})
			at, _ := start(t, s)
			conn := dialUDP(t, at)
			for i, name := range []string{hit, miss, "HIT.eXample", "a.b.c.d.e.f"} {
				q := query(uint16(i*1000), name)
				checkReply(t, ask(t, conn, q), q, 0)
			}
			if st := s.Stats(); st.UDPQueries != 4 || st.TCPQueries != 0 || st.Malformed != 0 || st.Dropped != 0 {
				t.Errorf("stats: %+v", st)
			}
		})
	}
}

// TestQueryOfResolve sees what a miss hands on: the client without its port, and a datagram that the next one does not
// overwrite.
func TestQueryOfResolve(t *testing.T) {
	s := wired(Options{})
	seen := make(chan *wire.Query, 2)
	goOn := make(chan struct{})
	s.Resolve = func(_ context.Context, dst []byte, q *wire.Query) []byte {
		seen <- q
		<-goOn
		return wire.AppendError(dst, q, 0)
	}
	at, _ := start(t, s)
	conn := dialUDP(t, at)
	first, second := query(1, "first.example"), query(2, "other.example")
	send(t, conn, first)
	q := <-seen
	send(t, conn, second)
	<-seen
	if want := netip.MustParseAddr("127.0.0.1"); q.Client != want || string(q.Question) != string(first[12:]) || q.Limit != 512 {
		t.Errorf("Resolve got client %v, limit %d, question %q", q.Client, q.Limit, q.Question)
	}
	close(goOn)
	got := [][]byte{next(t, conn), next(t, conn)}
	slices.SortFunc(got, func(a, b []byte) int { return int(a[1]) - int(b[1]) })
	checkReply(t, got[0], first, 0)
	checkReply(t, got[1], second, 0)
}

// A Resolve that has nothing to say sends nothing.
func TestNoReply(t *testing.T) {
	s := wired(Options{})
	s.Resolve = func(context.Context, []byte, *wire.Query) []byte { return nil }
	at, _ := start(t, s)
	conn, q := dialUDP(t, at), query(2, hit)
	send(t, conn, query(1, miss))
	eventually(t, "the miss to end", func() bool { return s.Stats().UDPQueries == 1 && s.waiting.Load() == 0 })
	checkReply(t, ask(t, conn, q), q, 0)
}

func TestMaxWaiting(t *testing.T) {
	s := wired(Options{MaxWaiting: 2})
	goOn := make(chan struct{})
	s.Resolve = func(_ context.Context, dst []byte, q *wire.Query) []byte {
		<-goOn
		return wire.AppendError(dst, q, 0)
	}
	at, _ := start(t, s)
	conn := dialUDP(t, at)
	for id := range uint16(5) {
		send(t, conn, query(id, miss))
	}
	q := query(100, hit) // is answered when everything before it was read, and although all places are taken
	checkReply(t, ask(t, conn, q), q, 0)
	tcp := dialTCP(t, "", at)
	send(t, tcp, framed(query(6, miss), q)) // over TCP it is the same, and the connection goes on
	checkReply(t, nextTCP(t, tcp), q, 0)
	if st := s.Stats(); st.Dropped != 4 || st.UDPQueries != 6 || st.TCPQueries != 2 {
		t.Errorf("dropped %d, want 3 of 6 over UDP and 1 of 2 over TCP: %+v", st.Dropped, st)
	}
	close(goOn)
	if sum := next(t, conn)[1] + next(t, conn)[1]; sum != 1 {
		t.Error("other queries were answered than the first two, 0 and 1")
	}
	eventually(t, "the places to be given back", func() bool { return s.waiting.Load() == 0 })
	for id := range uint16(20) {
		q := query(id, miss)
		checkReply(t, ask(t, conn, q), q, 0)
		eventually(t, "the place to be given back", func() bool { return s.waiting.Load() == 0 })
	}
	if st := s.Stats(); st.Dropped != 4 {
		t.Errorf("dropped %d, want 4 still", st.Dropped)
	}
}

func TestAllow(t *testing.T) {
	s := wired(Options{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}})
	asked := make(chan struct{}, 10)
	s.Resolve = func(context.Context, []byte, *wire.Query) []byte { asked <- struct{}{}; return nil }
	at, _ := start(t, s)
	stranger, err := net.DialUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 9)}, net.UDPAddrFromAddrPort(at))
	if err != nil {
		t.Fatal(err)
	}
	defer stranger.Close()
	stranger.SetDeadline(time.Now().Add(patience))
	for i, name := range []string{hit, miss} { // not even from the cache
		q := query(uint16(i), name)
		checkReply(t, ask(t, stranger, q), q, wire.RcodeRefused)
	}
	strangerTCP, q := dialTCP(t, "127.0.0.9", at), query(7, miss)
	send(t, strangerTCP, framed(q))
	checkReply(t, nextTCP(t, strangerTCP), q, wire.RcodeRefused)
	checkReply(t, ask(t, dialUDP(t, at), query(9, hit)), query(9, hit), 0)
	if st := s.Stats(); st.Refused != 3 || st.UDPQueries != 1 || st.TCPQueries != 0 || len(asked) != 0 {
		t.Errorf("refused %d, want 3; resolved %d, want 0; %+v", st.Refused, len(asked), st)
	}
}

// The default is loopback, IPv4 in IPv6 clothes included.
func TestAllowDefault(t *testing.T) {
	s := wired(Options{})
	s.begin()
	for client, want := range map[string]bool{
		"127.0.0.1": true, "127.200.3.4": true, "::1": true, "192.0.2.1": false, "10.0.0.1": false, "::2": false, "fe80::1": false,
	} {
		if got := s.settings.Load().allowed(netip.MustParseAddr(client)); got != want {
			t.Errorf("%s: allowed is %v", client, got)
		}
	}
}
