//go:build linux

package main

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

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
			p, err := start(cmd, []int{serverCPU}, filepath.Join(t.TempDir(), "log"))
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

// What keeps the tick sends nothing to the port and leaves no socket behind.
func TestKeepTick(t *testing.T) {
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	before, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	for range 20 {
		keepTick(serverCPU, conn.LocalAddr().(*net.UDPAddr).Port)()
	}
	if after, _ := os.ReadDir("/proc/self/fd"); len(after) >= len(before)+20 {
		t.Errorf("%d files are open, before %d", len(after), len(before))
	}
	conn.SetReadDeadline(time.Now())
	if n, err := conn.Read(make([]byte, 1)); err == nil {
		t.Errorf("the port had a datagram of %d octets", n)
	}
}

// A server that ends at once is no server that is slow to answer, and its last words are told.
func TestLaunchFails(t *testing.T) {
	s := &server{name: "broken", program: "/bin/sh", args: func(setting) []string { return []string{"-c", "echo no such option; exit 3"} }}
	_, err := launch(s, &cell{entries: 10}, t.TempDir(), 1, 9)
	if err == nil || !strings.Contains(err.Error(), "no such option") || !strings.Contains(err.Error(), "exit status 3") {
		t.Errorf("got %v", err)
	}
}
