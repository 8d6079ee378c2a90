//go:build linux

package resolver_test

import (
	"context"
	"net"
	"testing"

	"github.com/miekg/dns"

	"github.com/mxglue/mxglue/cache/wire"
	"github.com/mxglue/mxglue/resolver"
	"github.com/mxglue/mxglue/resolver/upstream"
)

// echo is an upstream that allocates nothing: to every question it says 192.0.2.1.
func echo(t testing.TB) *upstream.Upstream {
	t.Helper()
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	go func() {
		buf := make([]byte, 512)
		for {
			n, from, err := conn.ReadFromUDPAddrPort(buf)
			if err != nil {
				return
			}
			end := wire.HeaderLen
			for n > end && buf[end] != 0 {
				end += 1 + int(buf[end])
			}
			copy(buf[2:], "\x81\x80\x00\x01\x00\x01\x00\x00\x00\x00")
			msg := append(buf[:end+5], "\xc0\x0c\x00\x01\x00\x01\x00\x00\x01\x2c\x00\x04\xc0\x00\x02\x01"...)
			conn.WriteToUDPAddrPort(msg, from)
		}
	}()
	return at(t, conn.LocalAddr().String())
}

// misses returns a function that asks for a name that nobody has asked for.
func misses(t testing.TB) func() {
	r, _ := behind(t, resolver.Options{}, echo(t))
	packed, err := new(dns.Msg).SetQuestion("n00000000.example.", dns.TypeA).Pack()
	if err != nil {
		t.Fatal(err)
	}
	q, out, n := new(wire.Query), make([]byte, 0, 512), 0
	ctx := context.Background()
	return func() {
		n++
		for i, rest := 0, n; i < 8; i, rest = i+1, rest/10 {
			packed[wire.HeaderLen+9-i] = '0' + byte(rest%10)
		}
		if v := q.Parse(packed, false); v != wire.Accept {
			t.Fatalf("verdict %d", v)
		}
		if reply := r.Resolve(ctx, out, q); !isAnswer(reply, q) {
			t.Fatalf("got %x", reply)
		}
	}
}

// TestQuickAllocates bounds what a miss on the quick way allocates: what the cache keeps of it, and the flight's key.
func TestQuickAllocates(t *testing.T) {
	const most = 2
	miss := misses(t)
	for range 100 {
		miss()
	}
	if n := testing.AllocsPerRun(1000, miss); n > most {
		t.Errorf("a miss allocates %v times, %d at most are fine", n, most)
	} else {
		t.Logf("a miss allocates %v times", n)
	}
}

// BenchmarkQuick is a miss: to an upstream on loopback and back.
func BenchmarkQuick(b *testing.B) {
	miss := misses(b)
	b.ReportAllocs()
	for b.Loop() {
		miss()
	}
}
