//go:build linux

package upstream

import (
	"net"
	"testing"
	"time"

	"github.com/mxglue/mxglue/cache/wire"
)

// TestAskAllocates counts what a question on the quick way costs that is not the first: nothing.
func TestAskAllocates(t *testing.T) {
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	go func() { // it says that there is nothing, and allocates nothing either
		buf := make([]byte, 512)
		for {
			n, from, err := conn.ReadFromUDPAddrPort(buf)
			if err != nil {
				return
			}
			copy(buf[2:], "\x81\x80\x00\x01\x00\x00\x00\x00\x00\x00")
			conn.WriteToUDPAddrPort(buf[:min(n, wire.HeaderLen+len(mxOfExample))], from)
		}
	}()
	u, question := open(t, "udp", conn.LocalAddr().(*net.UDPAddr).AddrPort()), []byte(mxOfExample)
	if n := testing.AllocsPerRun(1000, func() {
		a := u.Ask(question, false, time.Now(), patience)
		if a == nil || a.Plain() == nil {
			t.Fatal("no plain answer")
		}
		a.Done(time.Now())
	}); n > 0 {
		t.Errorf("a question allocates %v times", n)
	}
}
