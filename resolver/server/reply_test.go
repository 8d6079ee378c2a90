package server

import (
	"bytes"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/mxglue/mxglue/cache/wire"
)

// FuzzServer lets any datagram in: nothing panics; only what is a query is answered or resolved; and what goes out is a
// response with the query's ID, and its question if it has one.
func FuzzServer(f *testing.F) {
	for _, c := range strange {
		f.Add(unhex(f, c.msg), true)
		f.Add(unhex(f, c.msg), false)
	}
	f.Add(query(0xabcd, hit), false)
	f.Add(query(0xabcd, miss), true)
	s := wired(Options{})
	s.begin()
	f.Fuzz(func(t *testing.T, msg []byte, tcp bool) {
		q := wire.Query{Client: netip.IPv6Loopback()}
		const prefix = "\xaa\x55"
		out, v := s.admit(s.settings.Load(), []byte(prefix), &q, msg, tcp)
		resolve := v == wire.Accept
		isQuery := len(msg) >= wire.HeaderLen && wire.Flags(msg)&wire.FlagQR == 0
		if (out != nil || resolve) != isQuery || (out != nil && resolve) {
			t.Fatalf("%x\nis a query: %v, resolved: %v, answered %x", msg, isQuery, resolve, out)
		}
		if resolve && (q.ID != wire.ID(msg) || !bytes.HasPrefix(msg[wire.HeaderLen:], q.Question) || len(q.Question) < 5) {
			t.Fatalf("%x\nis resolved as %+v", msg, q)
		}
		if out == nil {
			return
		}
		if !bytes.HasPrefix(out, []byte(prefix)) || len(out) < 2+wire.HeaderLen {
			t.Fatalf("%x\nis answered without what stood in front: %x", msg, out)
		}
		out = out[2:]
		if wire.ID(out) != wire.ID(msg) || wire.Flags(out)&wire.FlagQR == 0 || len(out) > q.Limit {
			t.Fatalf("%x\nis answered %x", msg, out)
		}
		if out[5] == 1 && !bytes.HasPrefix(msg[wire.HeaderLen:], out[wire.HeaderLen:wire.HeaderLen+len(q.Question)]) {
			t.Fatalf("%x\nis answered with another question: %x", msg, out)
		}
	})
}

// TestHitAllocates counts what a query costs, from the datagram to the reply and from the client's socket back to it, be it
// a hit or a miss: nothing, but for the control messages of a wildcard socket.
func TestHitAllocates(t *testing.T) {
	for listen, most := range map[string]float64{"127.0.0.1:0": 0, "0.0.0.0:0": 7} {
		t.Run(listen, func(t *testing.T) {
			s := wired(Options{Listen: []netip.AddrPort{netip.MustParseAddrPort(listen)}})
			at, _ := start(t, s)
			msg, out, now := query(1, hit), make([]byte, 0, wire.MaxMessage), time.Now()
			q := wire.Query{Client: netip.MustParseAddr("127.0.0.1")}
			if n := testing.AllocsPerRun(1000, func() { s.admit(s.settings.Load(), out, &q, msg, false); s.Answer(out, &q, now) }); n != 0 {
				t.Errorf("a hit allocates %v times", n)
			}
			conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			conn.SetDeadline(time.Now().Add(patience))
			at = netip.AddrPortFrom(q.Client, at.Port())
			for _, name := range []string{hit, miss} {
				msg := query(1, name)
				if n := testing.AllocsPerRun(1000, func() { // the client allocates nothing
					if _, err := conn.WriteToUDPAddrPort(msg, at); err != nil {
						t.Fatal(err)
					}
					if n, _, err := conn.ReadFromUDPAddrPort(out[:512]); err != nil || n != len(msg) {
						t.Fatal(n, err)
					}
				}); n > most {
					t.Errorf("a query for %s and its reply allocate %v times, want %v at most", name, n, most)
				}
			}
		})
	}
}
