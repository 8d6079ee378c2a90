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

func (m *single) serve(answer func(slots []slot)) {
	var d [1]slot
	for {
		n, oobn, _, from, err := m.conn.ReadMsgUDPAddrPort(m.buf[:], m.oob)
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, net.ErrClosed):
			return
		case err != nil: // an ICMP error about an earlier reply
			continue
		}
		d[0] = slot{query: m.buf[:n], client: netip.AddrPortFrom(from.Addr().Unmap(), from.Port()), oob: m.oob[:oobn]}
		answer(d[:])
		if len(d[0].reply) > 0 {
			m.put(&d[0])
		}
	}
}

func (m *single) put(d *slot) { m.conn.WriteMsgUDPAddrPort(d.reply, d.oob, d.client) }

func (m *single) close() {}
