//go:build linux

package main

import (
	"encoding/binary"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// The upstream's answers are what a resolver would say, and it counts the questions.
func TestUpstream(t *testing.T) {
	var u upstream
	for _, c := range []struct {
		name  string
		qtype uint16
		do    bool
		want  [4]int // RCODE, answer, authority, additional
	}{
		{"host0000001.bench.example", typeA, false, [4]int{0, 1, 0, 0}},
		{"host0000001.bench.example", typeA, true, [4]int{0, 1, 0, 1}},
		{"host0000001.bench.example", typeAAAA, false, [4]int{0, 1, 0, 0}},
		{"mail0000001.bench.example", typeMX, true, [4]int{0, 2, 0, 5}},
		{"mx1.mail0000001.bench.example", typeTXT, false, [4]int{0, 0, 1, 0}},
		{"elsewhere.example", typeA, false, [4]int{dns.RcodeNameError, 0, 0, 0}},
	} {
		var m dns.Msg
		if err := m.Unpack(u.answer(nil, pack(c.name, c.qtype, c.do).msg)); err != nil {
			t.Fatalf("%s %d: %v", c.name, c.qtype, err)
		}
		if got := [4]int{m.Rcode, len(m.Answer), len(m.Ns), len(m.Extra)}; got != c.want || !m.Response || !m.RecursionAvailable {
			t.Errorf("%s %d: got %v, want %v\n%v", c.name, c.qtype, got, c.want, &m)
		}
		for i, rr := range m.Answer {
			if rr.Header().Name != dns.Fqdn(c.name) || rr.Header().Rrtype != c.qtype {
				t.Errorf("%s %d is answered with %v", c.name, c.qtype, rr)
			}
			if mx, ok := rr.(*dns.MX); ok && m.Extra[2*i].Header().Name != mx.Mx {
				t.Errorf("the address of %s is that of %s", mx.Mx, m.Extra[2*i].Header().Name)
			}
		}
		for _, rr := range m.Ns {
			if rr.Header().Name != "bench.example." {
				t.Errorf("NODATA by %v", rr)
			}
		}
	}
	if n := u.queries.Load(); n != 6 {
		t.Errorf("counted %d, want 6", n)
	}
	for _, bad := range []string{"", "abcdefghijklmnopq", "\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x3fab\x00\x00"} {
		if reply := u.answer(nil, []byte(bad)); reply != nil {
			t.Errorf("%q is answered: %x", bad, reply)
		}
	}
}

// serve answers every datagram with what reply makes of it, until the test ends.
func serve(t *testing.T, reply func([]byte) []byte) (port int) {
	t.Helper()
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	go func() {
		buf := make([]byte, 4096)
		for {
			n, from, err := conn.ReadFromUDPAddrPort(buf)
			if err != nil {
				return
			}
			if out := reply(buf[:n]); out != nil {
				conn.WriteToUDPAddrPort(out, from)
			}
		}
	}()
	return conn.LocalAddr().(*net.UDPAddr).Port
}

// What a server does with queries is what the tally says: nothing counts that is no right answer.
func TestTally(t *testing.T) {
	var u upstream
	right := func(q []byte) []byte { return u.answer(nil, q) }
	for name, c := range map[string]struct {
		reply func([]byte) []byte
		want  func(tally) bool
	}{
		"answers":   {right, func(s tally) bool { return s.answered >= 100 && s.wrong+s.lost == 0 }},
		"SERVFAIL":  {func(q []byte) []byte { r := right(q); r[3] |= 2; return r }, func(s tally) bool { return s.wrong >= 100 && s.answered+s.lost == 0 }},
		"truncated": {func(q []byte) []byte { r := right(q); r[2] |= 2; return r }, func(s tally) bool { return s.wrong >= 100 && s.answered+s.lost == 0 }},
		"no record": {func(q []byte) []byte { r := right(q); r[7] = 0; return r }, func(s tally) bool { return s.wrong >= 100 && s.answered+s.lost == 0 }},
		"query":     {func(q []byte) []byte { return q }, func(s tally) bool { return s.wrong >= 100 && s.answered+s.lost == 0 }},
		"other ID":  {func(q []byte) []byte { r := right(q); r[0] ^= 0x80; return r }, func(s tally) bool { return s.lost >= 100 && s.answered+s.wrong == 0 }},
		"silence":   {func([]byte) []byte { return nil }, func(s tally) bool { return s.lost >= 100 && s.answered+s.wrong == 0 }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client, err := dialUDP(serve(t, c.reply), false)
			if err != nil {
				t.Fatal(err)
			}
			defer client.close()
			got, err := client.closed(inOrder(hosts(10, false)), 100, time.Now().Add(10*time.Second))
			if err != nil || !c.want(got) {
				t.Errorf("%+v, %v", got, err)
			}
		})
	}
}

// An open loop asks as many as it should, and knows how long each hit took, but not what the misses did.
func TestOpenLoop(t *testing.T) {
	var u upstream
	client, err := dialUDP(serve(t, func(q []byte) []byte { return u.answer(nil, q) }), false)
	if err != nil {
		t.Fatal(err)
	}
	defer client.close()
	got, took, err := client.open(sprinkled(shuffled(mail(3)), fresh(), 10), 1000, 200*time.Millisecond)
	if err != nil || got.answered != 200 || len(took) != 180 {
		t.Errorf("%+v, %d times, %v; want 200 answers, 180 times", got, len(took), err)
	}
	for _, d := range took {
		if d <= 0 || d > time.Minute {
			t.Errorf("an answer took %v", d)
		}
	}
}

// A server that closes its connections is asked again; one that does not is asked on.
func TestTCPAgain(t *testing.T) {
	for _, most := range []int{10, 1 << 20} { // answers to a connection
		l, err := net.Listen("tcp4", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		var u upstream
		go func() {
			for {
				conn, err := l.Accept()
				if err != nil {
					return
				}
				go func() {
					defer conn.Close()
					buf := make([]byte, 4096)
					for range most {
						q, err := readFramed(conn, buf)
						if err != nil {
							return
						}
						reply := u.answer(make([]byte, 2), q)
						binary.BigEndian.PutUint16(reply, uint16(len(reply)-2))
						conn.Write(reply)
					}
				}()
			}
		}()
		got, err := askTCP(l.Addr().(*net.TCPAddr).Port, inOrder(mail(20)), 1000, time.Now().Add(10*time.Second))
		if err != nil || got.answered < 1000 || got.wrong+got.lost > 0 {
			t.Errorf("%d answers to a connection: %+v, %v", most, got, err)
		}
	}
}

// The CPU of a process is its own, its child's, and that of a child that has ended.
func TestCPU(t *testing.T) {
	const busy = "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done"
	for name, script := range map[string]string{
		"own":         busy + "; echo over; read wait",
		"child":       "(" + busy + "; echo over; read wait) <&0; read wait",
		"ended child": "(" + busy + "); echo over; read wait",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cmd := exec.Command("sh", "-c", script)
			in, err := cmd.StdinPipe()
			if err != nil {
				t.Fatal(err)
			}
			defer in.Close()
			p, err := start(cmd, serverCPU, filepath.Join(t.TempDir(), "log"))
			if err != nil {
				t.Fatal(err)
			}
			defer p.stop()
			for deadline := time.Now().Add(20 * time.Second); ; runtime.Gosched() {
				if text, _ := os.ReadFile(p.log); len(text) > 0 {
					break
				}
				if time.Now().After(deadline) {
					t.Fatal("it does not come to its end")
				}
			}
			if used, err := p.cpu(); err != nil || used < 20*time.Millisecond || used > 20*time.Second {
				t.Errorf("used %v, %v", used, err)
			}
			if p.rss() <= 0 || p.ended() != nil {
				t.Errorf("%d octets, ended: %v", p.rss(), p.ended())
			}
		})
	}
}

// A server that ends at once is no server that is slow to answer, and its last words are told.
func TestLaunchFails(t *testing.T) {
	s := &server{name: "broken", program: "/bin/sh", args: func(string, int) []string { return []string{"-c", "echo no such option; exit 3"} }}
	_, err := launch(s, t.TempDir(), 1, 9, 10)
	if err == nil || !strings.Contains(err.Error(), "no such option") || !strings.Contains(err.Error(), "exit status 3") {
		t.Errorf("got %v", err)
	}
}

func TestPrint(t *testing.T) {
	floor, mxglue := &server{name: "echo", version: "-"}, &server{name: "mxglue", kind: own, version: "1"}
	slow, fast := &server{name: "Unbound", kind: peer, version: "2"}, &server{name: "fast", kind: peer, version: "3"}
	b := &bench{rounds: 3, servers: []*server{floor, mxglue, slow, fast, {name: "absent", kind: peer}},
		cells: []cell{{name: "hits", questions: hosts(1, false)}, {name: "steady", questions: hosts(1, false), rate: 5}},
		figures: figures{turns: map[key][]result{
			{floor, "hits"}: {{cpu: 2}}, {mxglue, "hits"}: {{cpu: 9}, {cpu: 3}, {cpu: 1}},
			{slow, "hits"}: {{cpu: 6, forwarded: 1}}, {fast, "hits"}: {{cpu: 4}}, {mxglue, "steady"}: {{cpu: 7, p50: 30, p99: 50}},
		}, failed: map[key]error{{fast, "steady"}: errors.New("it sulks")}, late: true}}
	var text strings.Builder
	b.print(&text)
	for _, line := range []string{
		"| mxglue 1 | 3.00 (1.00–9.00) |",
		"| Unbound 2 | 6.00 (6.00–6.00) *100 %* |",
		"| mxglue 1 | 7.00 (7.00–7.00) | 30 | 50 |",
		"| the echo | 1.50 | – |",
		"| the best peer | 0.75 fast | – |",
		"| Unbound | 0.50 | – |",
		"absent is not installed.",
		"fast, steady: it sulks",
		"The time was up",
	} {
		if !strings.Contains(text.String(), line) {
			t.Errorf("no line %q in\n%s", line, &text)
		}
	}
}
