//go:build linux

package main

import (
	"encoding/binary"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

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
	got, took, err := client.open(sprinkled(shuffled(mail(3)), fresh("miss"), 10), 1000, 200*time.Millisecond)
	if err != nil || got.answered != 200 || len(took) != 180 {
		t.Errorf("%+v, %d times, %v; want 200 answers, 180 times", got, len(took), err)
	}
	for _, d := range took {
		if d <= 0 || d > time.Minute {
			t.Errorf("an answer took %v", d)
		}
	}
}

// A reply came when the kernel had it, not when the client took it.
func TestStamp(t *testing.T) {
	var u upstream
	client, err := dialUDP(serve(t, func(q []byte) []byte { return u.answer(nil, q) }), false)
	if err != nil {
		t.Fatal(err)
	}
	defer client.close()
	if _, _, err := client.open(inOrder(hosts(1, false)), 1000, 20*time.Millisecond); err != nil {
		t.Fatal(err)
	}
	before := time.Now().UnixNano()
	client.send(pack("host0000000.bench.example", typeA, false), before)
	if n, err := unix.Poll([]unix.PollFd{{Fd: int32(client.fd), Events: unix.POLLIN}}, 10_000); n != 1 {
		t.Fatal("no reply: ", err)
	}
	there := time.Now().UnixNano()
	const skew = int64(time.Millisecond) // of the clocks of two CPUs
	for time.Now().UnixNano() < there+2*skew {
	}
	var sum tally
	if e, came, err := client.receiveStamped(&sum); err != nil || !e.waiting || came <= before-skew || came > there+skew {
		t.Errorf("%v, %v: it came %v after the query, but was there after %v", e.waiting, err, time.Duration(came-before), time.Duration(there-before))
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

func TestPrint(t *testing.T) {
	floor, mxglue := &server{name: "echo", version: "-"}, &server{name: "mxglue", kind: own, version: "1", spreads: true}
	slow, fast := &server{name: "Unbound", kind: peer, version: "2"}, &server{name: "fast", kind: peer, version: "3"}
	b := &bench{rounds: 3, servers: []*server{floor, mxglue, slow, fast, {name: "absent", kind: peer}},
		cells: []cell{{name: "hits", questions: hosts(1, false), without: []string{"sluggish"}}, {name: "steady", questions: hosts(1, false), rate: 5},
			{name: "alone", spread: 1}, {name: "both", spread: 2}},
		figures: figures{turns: map[key][]result{
			{floor, "hits"}: {{cpu: 2}}, {mxglue, "hits"}: {{cpu: 9}, {cpu: 3}, {cpu: 1}},
			{slow, "hits"}: {{cpu: 6, forwarded: 1}}, {fast, "hits"}: {{cpu: 4}}, {mxglue, "steady"}: {{cpu: 7, waits: waits{30, 60, 40}}, {cpu: 7, waits: waits{30, 50, 41}}, {cpu: 7, waits: waits{30, 70, 50}}},
			{mxglue, "alone"}: {{cpu: 2, rate: 1e5}}, {mxglue, "both"}: {{cpu: 2.5, rate: 1.7e5}},
		}, garbage: map[string]string{"hits": "swept"}, failed: map[key][]error{{fast, "steady"}: {errors.New("it sulks")}}, late: true}}
	var text strings.Builder
	b.print(&text)
	for _, line := range []string{
		"| mxglue 1 | 3.00 (1.00–9.00) |",
		"| Unbound 2 | 6.00 (6.00–6.00) *100 %* |",
		"| mxglue 1 | 7.00 (7.00–7.00) | 30 | 41 | 60 |",
		"| the echo | 1.50 | – |",
		"| the best peer | 0.75 fast | – |",
		"| Unbound | 0.50 | – |",
		"| mxglue 1 | 2.00 (2.00–2.00) | 2.50 (2.50–2.50) | 1.60 | 100000 | 170000 | 1.70 |",
		"| mxglue's CPU as a multiple of | hits | steady |",
		"Garbage of mxglue, hits: swept.",
		"hits is without sluggish",
		"absent is not installed.",
		"fast, steady: it sulks",
		"The time was up",
	} {
		if !strings.Contains(text.String(), line) {
			t.Errorf("no line %q in\n%s", line, &text)
		}
	}
}
