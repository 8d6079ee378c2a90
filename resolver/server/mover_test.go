package server

import (
	"net"
	"slices"
	"testing"
	"time"
)

// Both ways of moving datagrams move the same: each query with who sent it, each reply back to that one, those that come
// later than their batch too; and replies leave from where queries are sent to, whether they share a port or not.
func TestMovers(t *testing.T) {
	shared := net.ListenConfig{Control: reusePort} // so that there is an outlet
	for name, pick := range map[string]func(*net.UDPConn) (mover, error){
		"here":   func(c *net.UDPConn) (mover, error) { return newMover(c, false) },
		"single": func(c *net.UDPConn) (mover, error) { return newSingle(c, false), nil },
	} {
		for _, address := range []string{"127.0.0.1:0", "[::1]:0"} {
			t.Run(name+" "+address, func(t *testing.T) { exchangeWith(t, &net.ListenConfig{}, address, pick) })
			t.Run(name+" shared "+address, func(t *testing.T) { exchangeWith(t, &shared, address, pick) })
		}
	}
}

func exchangeWith(t *testing.T, lc *net.ListenConfig, address string, pick func(*net.UDPConn) (mover, error)) {
	pc, err := lc.ListenPacket(t.Context(), "udp", address)
	if err != nil {
		t.Fatal(err)
	}
	conn := pc.(*net.UDPConn)
	defer conn.Close()
	m, err := pick(conn)
	if err != nil {
		t.Fatal(err)
	}
	defer m.close()
	var late []slot
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
			case d.query[0]%3 == 0: // the others get none
				d.reply = append(d.query[:1], 'r')
			case d.query[0]%3 == 1: // or get it later
				late = append(late, slot{client: d.client, from: slices.Clone(d.from), oob: slices.Clone(d.oob), reply: []byte{d.query[0], 'l'}})
			}
		}
		if moved += len(slots); moved == clients+1 {
			conn.SetReadDeadline(time.Unix(1, 0)) // that is all
		}
	})
	if cut != 1 {
		t.Errorf("the overlong datagram came %d times", cut)
	}
	for i := range late {
		m.put(&late[i])
	}
	for i, c := range asks {
		if i%3 == 2 {
			continue
		}
		buf := make([]byte, 8)
		n, err := c.Read(buf)
		if err != nil || string(buf[:n]) != string([]byte{byte(i), "rl"[i%3]}) {
			t.Errorf("client %d got %q, %v", i, buf[:n], err)
		}
	}
}

// The deadline by which a server stops also ends a mover whose queue never empties: here each batch that is answered brings
// two more.
func TestMoversEndWhenFlooded(t *testing.T) {
	for name, pick := range map[string]func(*net.UDPConn) (mover, error){
		"here":   func(c *net.UDPConn) (mover, error) { return newMover(c, false) },
		"single": func(c *net.UDPConn) (mover, error) { return newSingle(c, false), nil },
	} {
		t.Run(name, func(t *testing.T) {
			conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			m, err := pick(conn)
			if err != nil {
				t.Fatal(err)
			}
			defer m.close()
			client := dialUDP(t, conn.LocalAddr().(*net.UDPAddr).AddrPort())
			flood := func() {
				for range 2 * batchSize {
					client.Write([]byte{1}) // what the queue has no room for is lost
				}
			}
			flood()
			batches := 0
			m.serve(func([]slot) {
				if batches++; batches <= 100 { // so that a mover that does not end fails the test, and does not hang it
					flood()
				}
				conn.SetReadDeadline(time.Unix(1, 0))
			})
			if batches > 1 {
				t.Errorf("%d batches were answered after the deadline", batches-1)
			}
		})
	}
}
