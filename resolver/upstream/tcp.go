package upstream

import (
	"context"
	"encoding/binary"
	"io"
	"time"

	"github.com/miekg/dns"
)

// exchangeTCP asks over TCP or TLS, on a connection shared with other queries (RFC 7766, RFC 7858).
func (u *Upstream) exchangeTCP(ctx context.Context, m *dns.Msg) (*Response, error) {
	if u.scheme == schemeTLS {
		if err := pad(m); err != nil {
			return nil, err
		}
	}
	u.queries.Add(1)
	u.overTCP.Add(1)
	r, err := u.pool.exchange(ctx, m)
	if err != nil {
		return nil, readError(ctx, err)
	}
	u.cookies.learn(m, r.Msg, time.Now())
	return r, nil
}

// readMessage reads one message behind its two length octets (RFC 1035 §4.2.2).
func readMessage(r io.Reader) ([]byte, error) {
	var length [2]byte
	if _, err := io.ReadFull(r, length[:]); err != nil {
		return nil, err
	}
	buf := make([]byte, binary.BigEndian.Uint16(length[:]))
	_, err := io.ReadFull(r, buf)
	return buf, err
}
