//go:build linux

package main

import (
	"encoding/binary"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// open asks from the first port at a rate, queries a second, whether answers come or not. It returns how long each hit
// took. It never sleeps, so that queries leave when they should; but it yields the CPU to the upstream, which runs on the
// same.
func (c *udpClient) open(next source, rate int, d time.Duration) (tally, []time.Duration, error) {
	if err := unix.SetsockoptInt(c.fd, unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1); err != nil {
		return tally{}, nil, fmt.Errorf("have replies stamped: %w", err)
	}
	var t tally
	var took []time.Duration
	start, sent := time.Now(), 0
	for {
		now := time.Now()
		elapsed := now.Sub(start)
		due := int(int64(min(elapsed, d)) * int64(rate) / int64(time.Second))
		if elapsed > d && sent == due && (t.answered+t.wrong == sent || elapsed > d+lostAfter) {
			break
		}
		if sent < due {
			c.send(next(), now.UnixNano())
			sent++
		}
		e, came, err := c.receiveStamped(&t)
		if e.waiting && !e.miss {
			took = append(took, time.Duration(came-e.sent))
		}
		if err == unix.EAGAIN {
			unix.Syscall(unix.SYS_SCHED_YIELD, 0, 0, 0) // it never fails
		} else if err != nil {
			return t, took, fmt.Errorf("the server does not take queries: %w", err)
		}
	}
	t.lost = sent - t.answered - t.wrong
	c.forget()
	return t, took, nil
}

// receiveStamped is receive that does not wait, and says when the kernel had the reply: the client may have been late to
// look, as it shares its CPU.
func (c *udpClient) receiveStamped(t *tally) (expectation, int64, error) {
	ready := [1]unix.PollFd{{Fd: int32(c.fd), Events: unix.POLLIN}}
	if n, err := unix.Poll(ready[:], 0); n == 0 || err != nil { // Recvmsg would leave garbage each time that nothing is there
		return expectation{}, 0, unix.EAGAIN
	}
	var control [64]byte
	n, k, _, _, err := unix.Recvmsg(c.fd, c.buf[:], control[:], unix.MSG_DONTWAIT)
	e, err := c.take(n, err, t)
	return e, stamp(control[:k]), err
}

// stamp returns the time in a control message (socket(7)), or else what time it is: Unix time, nanoseconds.
func stamp(control []byte) int64 {
	h, data, _, err := unix.ParseOneSocketControlMessage(control)
	if err != nil || h.Type != unix.SO_TIMESTAMPNS || len(data) < 16 { // a machine of 32 bits has less
		return time.Now().UnixNano()
	}
	return int64(binary.NativeEndian.Uint64(data))*int64(time.Second) + int64(binary.NativeEndian.Uint64(data[8:]))
}

// first asks from the first port again and again until there is an answer, and returns when that was. Not even a socket
// need be there yet.
func (c *udpClient) first(q question, ended func() error, deadline time.Time) (time.Time, error) {
	const pause = 200 * time.Microsecond
	wait := unix.NsecToTimeval(pause.Nanoseconds())
	if err := unix.SetsockoptTimeval(c.fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &wait); err != nil {
		return time.Time{}, err
	}
	for asked := 0; ; asked++ {
		if asked%25 == 0 { // of a socket that is there one query is enough, but the server may have been too young for it
			c.send(q, 0)
		}
		var t tally
		_, err := c.receive(&t)
		now := time.Now()
		if t.answered > 0 {
			wait = unix.NsecToTimeval(lostAfter.Nanoseconds())
			return now, unix.SetsockoptTimeval(c.fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &wait)
		}
		if end := ended(); end != nil {
			return now, end
		}
		if now.After(deadline) {
			return now, fmt.Errorf("no answer within the deadline; the last error: %w", err)
		}
		if err == unix.ECONNREFUSED {
			asked = -1
			time.Sleep(pause)
		}
	}
}
