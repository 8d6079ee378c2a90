package upstream

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// patience bounds every wait of these tests for something that is to happen at once.
const patience = 10 * time.Second

var question = dns.Question{Name: "example.net.", Qtype: dns.TypeMX, Qclass: dns.ClassINET}

// play opens a fake upstream on one port of host, UDP and TCP. Each query is given to udp or tcp with a function that
// sends a reply. Where one is nil nobody listens. It returns the port's address.
func play(t *testing.T, host string, udp func(q query), tcp func(q query)) netip.AddrPort {
	t.Helper()
	for range 10 { // the port that UDP draws may be taken for TCP
		pc, err := net.ListenPacket("udp", net.JoinHostPort(host, "0"))
		if err != nil {
			t.Fatal(err)
		}
		at := pc.LocalAddr().(*net.UDPAddr).AddrPort()
		if tcp != nil {
			l, err := net.Listen("tcp", at.String())
			if err != nil {
				pc.Close()
				continue
			}
			t.Cleanup(func() { l.Close() })
			go playTCP(l, tcp)
		}
		if udp == nil {
			pc.Close()
			return at
		}
		t.Cleanup(func() { pc.Close() })
		go playUDP(t, pc.(*net.UDPConn), udp)
		return at
	}
	t.Fatal("no port free for both")
	return netip.AddrPort{}
}

// query is one query as the fake upstream got it.
type query struct {
	*dns.Msg
	packed []byte
	from   netip.AddrPort
	send   func(packed []byte) // TCP: behind its length
	conn   net.Conn            // of TCP
}

// reply makes the response with these records.
func (q query) reply(records ...string) *dns.Msg {
	m := new(dns.Msg).SetReply(q.Msg)
	m.RecursionAvailable = true
	for _, text := range records {
		rr, err := dns.NewRR(text)
		if err != nil {
			panic(err)
		}
		m.Answer = append(m.Answer, rr)
	}
	return m
}

func (q query) say(m *dns.Msg) { q.send(packed(m)) }

func packed(m *dns.Msg) []byte {
	p, err := m.Pack()
	if err != nil {
		panic(err)
	}
	return p
}

func playUDP(t *testing.T, conn *net.UDPConn, udp func(q query)) {
	buf := make([]byte, 65535)
	for {
		n, from, err := conn.ReadFromUDPAddrPort(buf)
		if err != nil {
			return
		}
		q := query{Msg: new(dns.Msg), packed: slices.Clone(buf[:n]), from: from}
		q.send = func(p []byte) { conn.WriteToUDPAddrPort(p, from) }
		if err := q.Unpack(q.packed); err != nil {
			t.Errorf("upstream got %x: %v", q.packed, err)
		}
		udp(q)
	}
}

func playTCP(l net.Listener, tcp func(q query)) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer conn.Close()
			p, err := readMessage(conn)
			if err != nil {
				return
			}
			q := query{Msg: new(dns.Msg), packed: p, conn: conn}
			q.send = func(p []byte) { conn.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(p))), p...)) }
			q.Unpack(p)
			tcp(q)
			io.Copy(io.Discard, conn) // until the other side has enough
		}()
	}
}

// open returns the upstream at scheme://at.
func open(t *testing.T, scheme string, at netip.AddrPort) *Upstream {
	t.Helper()
	u, err := New(scheme + "://" + at.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(u.Close)
	return u
}

// soon returns a context that ends with the test's patience.
func soon(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

// exchange asks the upstream at scheme://at the question.
func exchange(t *testing.T, scheme string, at netip.AddrPort) (*Upstream, *Response, error) {
	t.Helper()
	u, ctx := open(t, scheme, at), soon(t)
	r, err := u.Exchange(ctx, question, false)
	if ctx.Err() != nil {
		t.Fatalf("waited until the end: %v", err)
	}
	return u, r, err
}

// checkAnswer fails the test unless r has just this answer, in the given transport.
func checkAnswer(t *testing.T, r *Response, err error, udp bool, want string) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Msg.Answer) != 1 || r.UDP != udp {
		t.Fatalf("over UDP %v, want %v:\n%v", r.UDP, udp, r.Msg)
	}
	if got := strings.ReplaceAll(r.Msg.Answer[0].String(), "\t", " "); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// The right answer, and a wrong one.
const (
	right = "example.net. 300 IN MX 10 mail.example.net."
	wrong = "example.net. 300 IN MX 10 mail.evil.example."
)

func answerRight(q query) { q.say(q.reply(right)) }

func TestNew(t *testing.T) {
	for address, peer := range map[string]string{
		"udp://192.0.2.1:53": "192.0.2.1:53", "tcp://[2001:db8::1]:5353": "[2001:db8::1]:5353",
		"udp://[::ffff:192.0.2.1]:53": "192.0.2.1:53", "udp://[fe80::1%lo]:53": "[fe80::1%lo]:53",
	} {
		u, err := New(address)
		if err != nil || u.peer.String() != peer || u.String() != address || !strings.HasPrefix(address, u.scheme) {
			t.Errorf("%s: %v, error %v; want peer %s", address, u, err, peer)
		}
	}
	for _, address := range []string{
		"", "192.0.2.1", "192.0.2.1:53", "udp://", "udp://192.0.2.1", "udp://::1", "udp://[::1]", "udp://dns.example:53",
		"UDP://192.0.2.1:53", "udp://192.0.2.1:65536", "udp://192.0.2.1:x", "udp:192.0.2.1:53", "://192.0.2.1:53",
	} {
		if u, err := New(address); err == nil {
			t.Errorf("%q is taken, as %v", address, u.peer)
		} else if !strings.Contains(err.Error(), `"`+address+`"`) || !strings.Contains(err.Error(), "udp://ip:port") {
			t.Errorf("%q: the error does not say what was wrong and what would be right: %v", address, err)
		}
	}
}

// TestQuery sees what goes over the wire, in both transports.
func TestQuery(t *testing.T) {
	for _, cd := range []bool{false, true} {
		for _, scheme := range []string{"udp", "tcp"} {
			queries := make(chan query, 1)
			note := func(q query) { queries <- q; answerRight(q) }
			at := play(t, "127.0.0.1", note, note)
			r, err := open(t, scheme, at).Exchange(soon(t), question, cd)
			checkAnswer(t, r, err, scheme == "udp", right)
			q := <-queries
			opt := q.IsEdns0()
			if opt == nil || opt.UDPSize() != 1232 || !opt.Do() || opt.Version() != 0 || len(q.Extra) != 1 {
				t.Fatalf("%s: want one OPT, size 1232, DO: %v", scheme, q.Msg)
			}
			for _, o := range opt.Option { // no client's subnet, nothing that follows us
				if o.Option() != dns.EDNS0COOKIE {
					t.Errorf("%s: the query carries option %d", scheme, o.Option())
				}
			}
			want := dns.MsgHdr{Id: q.Id, RecursionDesired: true, CheckingDisabled: cd}
			if q.MsgHdr != want || len(q.Question) != 1 || q.Question[0] != question || len(q.Answer)+len(q.Ns) != 0 {
				t.Errorf("%s, cd %v: %v", scheme, cd, q.Msg)
			}
			if want := len(packed(r.Msg)); r.Size != want {
				t.Errorf("%s: size %d, want %d", scheme, r.Size, want)
			}
		}
	}
}

// Nobody can foretell ID or port: they do not repeat, do not follow each other, and the ID uses all its bits
// (RFC 5452 §9.2).
func TestUnforeseeable(t *testing.T) {
	const rounds = 300
	queries := make(chan query, rounds)
	u, ctx := open(t, "udp", play(t, "127.0.0.1", func(q query) { queries <- q; answerRight(q) }, nil)), soon(t)
	var ids, ports []uint16
	for range rounds {
		if _, err := u.Exchange(ctx, question, false); err != nil {
			t.Fatal(err)
		}
		q := <-queries
		ids, ports = append(ids, q.Id), append(ports, q.from.Port())
	}
	for bit := range 16 {
		set := 0
		for _, id := range ids {
			set += int(id >> bit & 1)
		}
		if set < rounds/3 || set > rounds*2/3 { // 6 sigma
			t.Errorf("bit %d of the ID is set in %d of %d", bit, set, rounds)
		}
	}
	for what, drawn := range map[string][]uint16{"ID": ids, "port": ports} {
		steps := 0
		for i := range rounds - 1 {
			if d := int(drawn[i+1]) - int(drawn[i]); -8 < d && d < 8 {
				steps++
			}
		}
		slices.Sort(drawn)
		if different := len(slices.Compact(drawn)); different < rounds-15 || steps > 8 {
			t.Errorf("%s: %d of %d are different, %d follow the one before", what, different, rounds, steps)
		}
	}
}
