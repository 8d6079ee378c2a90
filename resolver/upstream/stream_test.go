package upstream

import (
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// stream is a server's end of a connection.
type stream struct {
	net.Conn
	number int // of the connection, from 1
}

// next reads a query; false when there is none any more.
func (s stream) next() (query, bool) {
	p, err := readMessage(s)
	if err != nil {
		return query{}, false
	}
	q := query{Msg: new(dns.Msg), packed: p, conn: s.Conn}
	q.send = func(p []byte) { s.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(p))), p...)) }
	return q, q.Unpack(p) == nil
}

// answerAll answers each query with an address that tells its name.
func (s stream) answerAll() {
	for {
		q, ok := s.next()
		if !ok {
			return
		}
		answerNamed(q)
	}
}

// serve has script play each connection to l; it is closed where script returns.
func serve(t testing.TB, l net.Listener, script func(s stream)) netip.AddrPort {
	t.Helper()
	t.Cleanup(func() { l.Close() })
	go func() {
		for n := 1; ; n++ {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				script(stream{conn, n})
			}()
		}
	}()
	return l.Addr().(*net.TCPAddr).AddrPort()
}

// listen opens a TCP port on loopback.
func listen(t testing.TB) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// piped returns a tcp upstream without a network, for tests under synctest: script plays each connection.
func piped(t testing.TB, script func(s stream)) *Upstream {
	t.Helper()
	u, err := New("tcp://192.0.2.1:53")
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	n := 0
	u.dial = func(context.Context, string, string) (net.Conn, error) {
		mu.Lock()
		defer mu.Unlock()
		n++
		here, there := net.Pipe()
		go func(s stream) {
			defer s.Close()
			script(s)
		}(stream{there, n})
		return here, nil
	}
	return u
}

// named is a question that only one query of a test has.
func named(i int) dns.Question {
	return dns.Question{Name: fmt.Sprintf("host%d.example.", i), Qtype: dns.TypeA, Qclass: dns.ClassINET}
}

// answerNamed answers a query for named(i) with 10.0.x.y, which tells i.
func answerNamed(q query) {
	q.say(q.reply(fmt.Sprintf("%s 60 IN A %v", q.Question[0].Name, addressOf(q.Question[0].Name))))
}

func addressOf(name string) netip.Addr {
	var i int
	fmt.Sscanf(name, "host%d.example.", &i)
	return netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)})
}

// ask puts named(i) and checks that the answer is its own.
func ask(ctx context.Context, u *Upstream, i int) error {
	r, err := u.Exchange(ctx, named(i), false)
	if err != nil {
		return err
	}
	want := addressOf(named(i).Name).String()
	if len(r.Msg.Answer) != 1 || !strings.HasSuffix(r.Msg.Answer[0].String(), "\t"+want) || r.UDP {
		return fmt.Errorf("host%d: got another's answer, want %s:\n%v", i, want, r.Msg)
	}
	return nil
}

// askAll puts named(0) to named(n-1) at once and returns their errors.
func askAll(ctx context.Context, u *Upstream, n int) []error {
	failed := make([]error, n)
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() { failed[i] = ask(ctx, u, i) })
	}
	all.Wait()
	return failed
}

// Nothing stays behind when an upstream is closed: no goroutine that reads, writes or keeps a connection.
func TestNothingLeft(t *testing.T) {
	ca := newAuthority(t)
	at := serveTLS(t, config(ca.issue(t, "dns.example", time.Hour)), stream.answerAll)
	for _, u := range []*Upstream{
		open(t, "tcp", serve(t, listen(t), stream.answerAll)),
		openTLS(t, at, "#dns.example", ca),
		serveWeb(t, true, answerPost).open(t, here),
	} {
		for _, err := range askAll(soon(t), u, 100) {
			if err != nil {
				t.Error(err)
			}
		}
		u.Close()
		left := ""
		for until := time.Now().Add(patience); time.Now().Before(until); runtime.Gosched() {
			buf := make([]byte, 1<<20)
			left = string(buf[:runtime.Stack(buf, true)])
			if !strings.Contains(left, "upstream.(*conn).") && !strings.Contains(left, "http2clientConnReadLoop") {
				left = ""
				break
			}
		}
		if left != "" {
			t.Fatalf("%s is closed, and this goes on:\n%s", u, left)
		}
	}
}
