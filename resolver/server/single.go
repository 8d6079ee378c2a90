package server

import (
	"errors"
	"net"
	"net/netip"
	"os"
)

// single is the mover for systems without batch calls: a datagram at a time.
type single struct {
	conn *net.UDPConn
	buf  [maxDatagram]byte
	oob  []byte
}

func newSingle(conn *net.UDPConn, wildcard bool) *single {
	return &single{conn: conn, oob: make([]byte, oobSize(wildcard))}
}

func (m *single) receive(slots []slot) (int, error) {
	for {
		n, oobn, _, from, err := m.conn.ReadMsgUDPAddrPort(m.buf[:], m.oob)
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, net.ErrClosed):
			return 0, err
		case err != nil: // an ICMP error about an earlier reply
			continue
		}
		client := netip.AddrPortFrom(from.Addr().Unmap(), from.Port())
		slots[0] = slot{query: m.buf[:n], client: client, oob: m.oob[:oobn]}
		return 1, nil
	}
}

func (m *single) send(slots []slot) {
	for _, d := range slots {
		if len(d.reply) > 0 {
			m.conn.WriteMsgUDPAddrPort(d.reply, d.oob, d.client)
		}
	}
}

func (m *single) close() {}
