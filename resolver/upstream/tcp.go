package upstream

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"time"

	"github.com/miekg/dns"
)

// exchangeTCP asks over a connection of its own (RFC 7766).
func (u *Upstream) exchangeTCP(ctx context.Context, m *dns.Msg) (*Response, error) {
	m.Id = newID()
	packed, err := m.Pack()
	if err != nil {
		return nil, err
	}
	u.queries.Add(1)
	u.overTCP.Add(1)
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", u.peer.String())
	if err != nil {
		return nil, readError(ctx, err)
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })()

	// Length and message in one write, so in one segment (RFC 7766 §8).
	if _, err := conn.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(packed))), packed...)); err != nil {
		return nil, readError(ctx, err)
	}
	for range maxMismatched {
		buf, err := readMessage(conn)
		if err != nil {
			return nil, readError(ctx, err)
		}
		r, err := parse(m, buf)
		if err == nil {
			return &Response{Msg: r, Size: len(buf)}, nil
		}
		if !errors.Is(err, errMismatch) {
			return nil, err
		}
		u.mismatched.Add(1)
	}
	return nil, errMismatch
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
