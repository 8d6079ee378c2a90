package upstream

import (
	"encoding/binary"
	"net"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// Where UDP brings nothing, TCP is tried before the resolver's patience is over.
func TestSilentUDP(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	deaf, err := net.ListenPacket("udp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer deaf.Close()
	go func() {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		packed, err := readMessage(conn)
		if err != nil {
			return
		}
		q := new(dns.Msg)
		if q.Unpack(packed) != nil {
			return
		}
		m := new(dns.Msg).SetReply(q)
		m.RecursionAvailable = true
		m.Answer = []dns.RR{&dns.A{Hdr: dns.RR_Header{Name: q.Question[0].Name, Rrtype: dns.TypeA, Class: dns.ClassINET, Ttl: 60}, A: net.IPv4(192, 0, 2, 1)}}
		packed, _ = m.Pack()
		conn.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(packed))), packed...))
		conn.Read(packed) // until the client has had enough
	}()
	u, err := New("udp://" + l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer u.Close()
	u.silence = 10 * time.Millisecond
	u.Case0x20 = true
	r, err := u.Exchange(t.Context(), dns.Question{Name: "a.example.", Qtype: dns.TypeA, Qclass: dns.ClassINET}, false)
	if err != nil || len(r.Msg.Answer) != 1 || r.UDP || r.Msg.Question[0].Name != "a.example." {
		t.Fatalf("got %+v, %v; want the answer over TCP", r, err)
	}
	if st := u.Stats(); st.TCP != 1 || st.Queries != 2 || st.Failures != 0 {
		t.Errorf("%+v", st)
	}
}
