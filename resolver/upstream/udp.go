package upstream

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"time"

	"github.com/miekg/dns"
)

// errUseTCP says that the question is to be repeated over TCP.
var errUseTCP = errors.New("use TCP")

// maxMismatched is how many responses that do not match are thrown away before the question goes over TCP: somebody is
// guessing, and TCP ends the game.
const maxMismatched = 3

// silence is how long UDP may bring nothing before the question is put over TCP as well: where UDP is lost or blocked, the
// answer comes inside the resolver's patience.
const silence = time.Second

// exchangeUDP sends m from a fresh socket and reads until a response matches, ctx ends, or TCP is the better way.
func (u *Upstream) exchangeUDP(ctx context.Context, m *dns.Msg) (*Response, error) {
	query := *m
	query.Id = newID()
	if u.Case0x20 {
		query.Question = []dns.Question{m.Question[0]}
		query.Question[0].Name = mixCase(m.Question[0].Name)
	}
	packed, err := query.Pack()
	if err != nil {
		return nil, err
	}
	conn, err := u.dialUDP(ctx)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	u.queries.Add(1)
	if _, err := conn.WriteToUDPAddrPort(packed, u.peer); err != nil {
		return nil, err
	}
	return u.readUDP(ctx, conn, &query, packed, maxMismatched, u.silence)
}

// awaitUDP waits for the response to a query that is out already, or judges what has come.
func (u *Upstream) awaitUDP(ctx context.Context, query *dns.Msg, a *Asked) (*Response, error) {
	if a.got != nil {
		if r, err := u.accept(query, a.got, u.peer); !errors.Is(err, errMismatch) {
			return r, err
		}
		u.mismatched.Add(1)
		a.mismatched++
	}
	return u.readUDP(ctx, a.socket.conn, query, a.query, maxMismatched-a.mismatched, u.silence-time.Since(a.began))
}

// readUDP reads until a response matches the query, which was sent from conn, or so many have not. If nothing has come for
// so long it asks over TCP as well.
func (u *Upstream) readUDP(ctx context.Context, conn *net.UDPConn, query *dns.Msg, packed []byte, lies int, silence time.Duration) (*Response, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	conn.SetReadDeadline(time.Time{})
	defer context.AfterFunc(ctx, func() { conn.SetReadDeadline(time.Unix(1, 0)) })()

	overTCP := make(chan *Response, 1)
	late := time.AfterFunc(silence, func() {
		if r, err := u.repeatTCP(ctx, packed); err == nil {
			overTCP <- r
			conn.SetReadDeadline(time.Unix(1, 0)) // no datagram is waited for any more
		}
	})
	defer late.Stop()
	buf := make([]byte, 4096) // more than asked for, so that a larger datagram is seen whole
	for range lies {
		n, from, err := conn.ReadFromUDPAddrPort(buf)
		if err != nil {
			select {
			case r := <-overTCP:
				return r, nil
			default:
				return nil, readError(ctx, err)
			}
		}
		if r, err := u.accept(query, buf[:n], from); !errors.Is(err, errMismatch) {
			return r, err
		}
		u.mismatched.Add(1)
	}
	return nil, errUseTCP
}

// repeatTCP puts a packed query over TCP. It is unpacked anew because the original is not this goroutine's.
func (u *Upstream) repeatTCP(ctx context.Context, packed []byte) (*Response, error) {
	m := new(dns.Msg)
	if err := m.Unpack(packed); err != nil {
		return nil, err
	}
	m.Question[0].Name = strings.ToLower(m.Question[0].Name) // 0x20 is for UDP
	return u.exchangeTCP(ctx, m)
}

// accept judges one datagram.
func (u *Upstream) accept(query *dns.Msg, packed []byte, from netip.AddrPort) (*Response, error) {
	if from.Port() != u.peer.Port() || from.Addr().Unmap().WithZone("") != u.peer.Addr().WithZone("") {
		return nil, errMismatch
	}
	spelled := !u.Case0x20 || unmixCase(query, packed)
	m, err := parse(query, packed)
	switch {
	case err != nil:
		return nil, err
	case m.Truncated:
		return nil, errUseTCP
	case !spelled || owesCookie(query, m):
		// Forged by one who has guessed ID and port, or from a server that spells and remembers as it likes. Waiting for
		// another would make the second kind of no use: TCP serves both.
		u.mismatched.Add(1)
		return nil, errUseTCP
	}
	u.cookies.learn(query, m, time.Now())
	return &Response{Msg: m, Size: len(packed), UDP: true}, nil
}

// dialUDP opens a socket on a port that the kernel draws at random. It is not connected, so that datagrams from
// elsewhere are seen and counted; receiveErrors makes the kernel report an unreachable upstream at once all the same.
func (u *Upstream) dialUDP(ctx context.Context) (*net.UDPConn, error) {
	network := "udp4"
	if u.peer.Addr().Is6() {
		network = "udp6"
	}
	lc := net.ListenConfig{Control: receiveErrors}
	conn, err := lc.ListenPacket(ctx, network, ":0")
	if err != nil {
		return nil, err
	}
	return conn.(*net.UDPConn), nil
}

// readError prefers the context's word: the deadline that ended a read was set by its end.
func readError(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}
