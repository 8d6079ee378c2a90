package server

import (
	"net"
	"net/netip"
	"testing"
	"time"
)

// Both ways of moving datagrams move the same: each query with who sent it, each reply back to that one.
func TestMovers(t *testing.T) {
	for name, pick := range map[string]func(*net.UDPConn) (mover, error){
		"here":   func(c *net.UDPConn) (mover, error) { return newMover(c, false) },
		"single": func(c *net.UDPConn) (mover, error) { return newSingle(c, false), nil },
	} {
		for _, address := range []string{"127.0.0.1:0", "[::1]:0"} {
			t.Run(name+" "+address, func(t *testing.T) { exchangeWith(t, address, pick) })
		}
	}
}

func exchangeWith(t *testing.T, address string, pick func(*net.UDPConn) (mover, error)) {
	conn, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.MustParseAddrPort(address)))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	m, err := pick(conn)
	if err != nil {
		t.Fatal(err)
	}
	defer m.close()
	const clients = batchSize + 3 // more than one batch
	at := conn.LocalAddr().(*net.UDPAddr).AddrPort()
	var asks []*net.UDPConn
	for i := range clients {
		c := dialUDP(t, at)
		asks = append(asks, c)
		send(t, c, []byte{byte(i)})
	}
	long := dialUDP(t, at)
	send(t, long, make([]byte, maxDatagram+1))

	cut, moved := 0, 0
	m.serve(func(slots []slot) {
		for i := range slots {
			d := &slots[i]
			switch {
			case d.client == long.LocalAddr().(*net.UDPAddr).AddrPort():
				cut++ // whole it is not; batches say so at once, and the parser of a single one finds out
			case d.client != asks[d.query[0]].LocalAddr().(*net.UDPAddr).AddrPort():
				t.Errorf("query %d came from %v", d.query[0], d.client)
			case d.query[0]%2 == 0: // the others get none
				d.reply = append(d.query[:1], 'r')
			}
		}
		if moved += len(slots); moved == clients+1 {
			conn.SetReadDeadline(time.Unix(1, 0)) // that is all
		}
	})
	if cut != 1 {
		t.Errorf("the overlong datagram came %d times", cut)
	}
	for i, c := range asks {
		if i%2 != 0 {
			continue
		}
		buf := make([]byte, 8)
		n, err := c.Read(buf)
		if err != nil || string(buf[:n]) != string([]byte{byte(i), 'r'}) {
			t.Errorf("client %d got %q, %v", i, buf[:n], err)
		}
	}
}
