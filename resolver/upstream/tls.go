package upstream

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/miekg/dns"
)

// dialTimeout bounds connecting, TLS handshake included. A connection is for whoever asks next, not only for the query
// that opened it: it outlives that query's context, and needs an end of its own.
const dialTimeout = 3 * time.Second

// connect opens a connection for pipelined queries: TCP or, for a tls upstream, TLS over it.
func (u *Upstream) connect(ctx context.Context) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	if u.scheme == schemeTLS {
		return u.dialTLS(ctx, u.peer)
	}
	conn, err := u.dialTCP(ctx, u.peer)
	if err == nil {
		u.connections.Add(1)
	}
	return conn, err
}

// dialTLS connects to a server and proves who it is: by u.name, which is also the SNI unless it is an IP address. Nothing
// unverified is ever spoken to (strict privacy, RFC 8310 §5). alpn names the protocols to choose from.
func (u *Upstream) dialTLS(ctx context.Context, peer netip.AddrPort, alpn ...string) (*tls.Conn, error) {
	plain, err := u.dialTCP(ctx, peer)
	if err != nil {
		return nil, err
	}
	conn := tls.Client(plain, &tls.Config{
		ServerName:         u.name,
		RootCAs:            u.RootCAs,
		MinVersion:         tls.VersionTLS12, // RFC 9325 §3.1.1
		NextProtos:         alpn,
		ClientSessionCache: u.sessions, // RFC 7858 §3.4
	})
	if err := conn.HandshakeContext(ctx); err != nil {
		plain.Close()
		return nil, fmt.Errorf("TLS with %s: %w", peer, err)
	}
	u.connections.Add(1)
	return conn, nil
}

func (u *Upstream) dialTCP(ctx context.Context, peer netip.AddrPort) (net.Conn, error) {
	if u.dial != nil {
		return u.dial(ctx, "tcp", peer.String())
	}
	var d net.Dialer
	return d.DialContext(ctx, "tcp", peer.String())
}

// padTo is the block that encrypted queries are padded to, octets (RFC 8467 §4.1).
const padTo = 128

// pad makes the packed length of m a multiple of padTo, so that it tells nobody the name that is asked for (RFC 7830 §3).
// A query without EDNS has no room for it and stays as it is.
func pad(m *dns.Msg) error {
	opt := m.IsEdns0()
	if opt == nil {
		return nil
	}
	packed, err := m.Pack()
	if err != nil {
		return err
	}
	const optionHeader = 4
	room := (padTo - (len(packed)+optionHeader)%padTo) % padTo
	opt.Option = append(opt.Option, &dns.EDNS0_PADDING{Padding: make([]byte, room)})
	return nil
}
