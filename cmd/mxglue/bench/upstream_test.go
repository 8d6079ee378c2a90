//go:build linux

package main

import (
	"net"
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

// A slow name is answered later than another that is asked for after it, but it is answered.
func TestSlowUpstream(t *testing.T) {
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	go new(upstream).serveUDP(conn)
	client, err := net.Dial("udp4", conn.LocalAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	client.SetDeadline(time.Now().Add(10 * time.Second))
	buf := make([]byte, 512)
	asked := time.Now()
	for _, name := range []string{"slow0000001.bench.example", "host0000001.bench.example"} {
		client.Write(pack(name, typeA, false).msg)
	}
	for _, want := range []string{"host", "slow"} {
		n, err := client.Read(buf)
		if err != nil || string(buf[13:17]) != want || !fits(buf[:n], false) {
			t.Errorf("got %q, %v; want the answer to %s", buf[:n], err, want)
		}
	}
	if took := time.Since(asked); took < slowness {
		t.Errorf("the slow name took %v", took)
	}
}
