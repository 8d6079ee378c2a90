package server

import (
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// maxSockets bounds the UDP sockets of one address: more cores than these have other work than DNS.
const maxSockets = 16

func socketsPerAddress() int { return min(runtime.GOMAXPROCS(0), maxSockets) }

// reusePort lets several sockets have one port, each with a queue of its own (socket(7) SO_REUSEPORT).
func reusePort(_, _ string, c syscall.RawConn) error {
	var err error
	if e := c.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1) }); e != nil {
		return e
	}
	return err
}
