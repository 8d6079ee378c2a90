//go:build linux

package main

import (
	"encoding/binary"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"
)

// upstreamProcess is the upstream, as the process that measures sees it.
type upstreamProcess struct {
	*process
	port int
	conn net.Conn
}

// startUpstream starts this program again, as the upstream.
func startUpstream(scratch string, cpu int) (*upstreamProcess, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	p, err := start(exec.Command(self, "upstream", strconv.Itoa(port)), []int{cpu}, filepath.Join(scratch, "upstream"))
	if err != nil {
		return nil, err
	}
	u := &upstreamProcess{process: p, port: port}
	if u.conn, err = net.Dial("udp4", net.JoinHostPort("127.0.0.1", strconv.Itoa(port))); err == nil {
		_, err = u.count()
	}
	if err != nil {
		u.stop()
		return nil, fmt.Errorf("the upstream: %w", err)
	}
	return u, nil
}

// count returns how many queries the upstream has had.
func (u *upstreamProcess) count() (n uint64, err error) {
	buf := make([]byte, 512)
	for range 100 { // it may be starting still, or busy
		u.conn.SetDeadline(time.Now().Add(100 * time.Millisecond))
		u.conn.Write(pack("count.bench.example", typeCount, false).msg) // an error is seen at reading
		var k int
		if k, err = u.conn.Read(buf); err == nil && k > 8 {
			return binary.BigEndian.Uint64(buf[k-8:]), nil
		}
		time.Sleep(10 * time.Millisecond)
	}
	return 0, fmt.Errorf("no count: %w", err)
}
