//go:build linux

package main

import (
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// sockets returns duplicates of the UDP sockets that the process and its children have on a port. What is asked of them
// and set is asked of the process's own and set there.
func (p *process) sockets(port int) (fds []int, err error) {
	for _, pid := range append(p.children(), p.cmd.Process.Pid) {
		of, err := socketsOf(pid, port)
		fds = append(fds, of...)
		if err != nil {
			closeAll(fds)
			return nil, fmt.Errorf("sockets of process %d: %w", pid, err)
		}
	}
	return fds, nil
}

func socketsOf(pid, port int) (fds []int, err error) {
	process, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return nil, err
	}
	defer unix.Close(process)
	files, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	if err != nil {
		return nil, err
	}
	for _, f := range files {
		n, _ := strconv.Atoi(f.Name()) // always a number
		fd, err := unix.PidfdGetfd(process, n, 0)
		if err == unix.EBADF { // closed meanwhile
			continue
		}
		if err != nil {
			return fds, err
		}
		kind, _ := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TYPE) // 0 of what is no socket
		at, _ := unix.Getsockname(fd)
		if in, ok := at.(*unix.SockaddrInet4); ok && kind == unix.SOCK_DGRAM && in.Port == port {
			fds = append(fds, fd)
		} else {
			unix.Close(fd)
		}
	}
	return fds, nil
}

// widen asks the kernel for a receive buffer of so many octets, and returns how many it gave.
func widen(fd, octets int) int {
	if unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, octets) != nil { // only root may
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, octets)
	}
	got, _ := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF) // 0 if it failed
	return got
}

// pending says whether a datagram waits in a socket.
func pending(fd int) bool {
	n, err := unix.IoctlGetInt(fd, unix.SIOCINQ)
	return err == nil && n > 0
}

func closeAll(fds []int) {
	for _, fd := range fds {
		unix.Close(fd)
	}
}
