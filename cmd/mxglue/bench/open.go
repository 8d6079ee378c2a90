//go:build linux

package main

import (
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// open asks from the first port at a rate, queries a second, whether answers come or not. It returns how long each hit took. It never sleeps,
// so that queries leave when they should; but it yields the CPU to the upstream, which runs on the same.
func (c *udpClient) open(next source, rate int, d time.Duration) (tally, []time.Duration, error) {
	if err := unix.SetNonblock(c.fds[0], true); err != nil {
		return tally{}, nil, err
	}
	defer unix.SetNonblock(c.fds[0], false) // it worked a moment ago
	var t tally
	var took []time.Duration
	start, sent := time.Since(c.born), 0
	for {
		now := time.Since(c.born)
		elapsed := now - start
		due := int(int64(min(elapsed, d)) * int64(rate) / int64(time.Second))
		if elapsed > d && sent == due && (t.answered+t.wrong == sent || elapsed > d+lostAfter) {
			break
		}
		if sent < due {
			c.send(next(), now)
			sent++
		}
		e, err := c.receive(&t)
		if e.waiting && !e.miss {
			took = append(took, time.Since(c.born)-e.sent)
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

// first asks from the first port again and again until there is an answer, and returns when that was. Not even a socket need be there yet.
func (c *udpClient) first(q question, ended func() error, deadline time.Time) (time.Time, error) {
	const pause = 200 * time.Microsecond
	wait := unix.NsecToTimeval(pause.Nanoseconds())
	if err := unix.SetsockoptTimeval(c.fds[0], unix.SOL_SOCKET, unix.SO_RCVTIMEO, &wait); err != nil {
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
			return now, unix.SetsockoptTimeval(c.fds[0], unix.SOL_SOCKET, unix.SO_RCVTIMEO, &wait)
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
