//go:build linux

package main

import (
	"time"

	"golang.org/x/sys/unix"
)

// keepTick does on a CPU what a mail server does there all the time, until stop is called: it closes sockets. Their memory
// is freed some ticks of the kernel's clock later (RCU), and so the kernel does not stop that clock whenever the CPU sleeps.
// To stop and start it costs a virtual machine as much as a wake-up does else, and it is booked for the server. Without this,
// servers that close a socket after each miss would save themselves half of their hits' CPU by that, and others not.
func keepTick(cpu, port int) (stop func()) {
	over, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		_ = onCPUs([]int{cpu}, func() error { // the server runs there, so it can be had
			for {
				if fd, err := connect(port); err == nil { // a port of its own: else nothing is left for later
					unix.Close(fd)
				}
				pause := unix.NsecToTimespec(int64(2 * time.Millisecond))
				_ = unix.Nanosleep(&pause, nil) // a signal shortens it
				select {
				case <-over:
					return nil
				default:
				}
			}
		})
	}()
	return func() { close(over); <-ended }
}
