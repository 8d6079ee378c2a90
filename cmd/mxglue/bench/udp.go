//go:build linux

package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// window is the most queries that are out at one time. It is refilled when half of it has been answered, so that they
// come in bursts, as from a mail server that delivers to many.
const window = 64

// lostAfter is how long the last answer may be ago before what is out counts as lost.
const lostAfter = 500 * time.Millisecond

// udpClient asks over connected sockets, with system calls of its own: nothing but the server should be slow.
type udpClient struct {
	fds  []int // a port each: one query after the other goes round them, and so do the replies that are read
	at   int   // the socket of the next reply
	echo bool  // any reply will do, if its ID is right
	id   uint16
	out  [ids]expectation
	born time.Time
	buf  [4096]byte
}

// ids is how many IDs are in use: more than can be out, few enough to stay in the CPU's cache, a multiple of the ports.
const ids = 1 << 13

// expectation is what is known about a query that is out.
type expectation struct {
	waiting, nodata, miss bool
	sent                  time.Duration // after the client was born
}

// tally is what became of queries.
type tally struct{ answered, wrong, lost int }

func (t *tally) add(o tally) {
	t.answered, t.wrong, t.lost = t.answered+o.answered, t.wrong+o.wrong, t.lost+o.lost
}

// dialUDP opens so many ports, a power of two.
func dialUDP(port int, echo bool, ports int) (*udpClient, error) {
	c := &udpClient{echo: echo, born: time.Now()}
	for range ports {
		fd, err := connect(port)
		if err != nil {
			c.close()
			return nil, fmt.Errorf("open a UDP socket: %w", err)
		}
		c.fds = append(c.fds, fd)
	}
	c.forget()
	return c, nil
}

// connect opens a socket whose peer is a port of 127.0.0.1, and where a read waits no longer than lostAfter.
func connect(port int) (int, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, err
	}
	wait := unix.NsecToTimeval(lostAfter.Nanoseconds())
	err = errors.Join(
		unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &wait),
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, 4<<20), // the kernel may give less
		unix.Connect(fd, &unix.SockaddrInet4{Port: port, Addr: [4]byte{127, 0, 0, 1}}),
	)
	if err != nil {
		unix.Close(fd)
	}
	return fd, err
}

func (c *udpClient) close() {
	for _, fd := range c.fds {
		unix.Close(fd)
	}
}

// send sends a query under the next ID. One that the kernel does not take is lost.
func (c *udpClient) send(q question, now time.Duration) {
	c.id = (c.id + 1) % ids
	binary.BigEndian.PutUint16(q.msg, c.id)
	c.out[c.id] = expectation{true, q.nodata, q.miss, now}
	unix.Write(c.fds[int(c.id)%len(c.fds)], q.msg)
}

// receive takes one reply, and returns the query that it answers: not waiting for an answer if it is none. Errors:
// unix.EAGAIN if there is no reply.
func (c *udpClient) receive(t *tally) (expectation, error) {
	n, err := unix.Read(c.fds[c.at], c.buf[:])
	if err == unix.EINTR {
		err = unix.EAGAIN
	}
	if err != nil || n < 12 {
		return expectation{}, err
	}
	id := binary.BigEndian.Uint16(c.buf[:])
	if id >= ids {
		return expectation{}, nil
	}
	e := c.out[id]
	if e.waiting {
		c.out[id].waiting = false
		c.at = (c.at + 1) % len(c.fds)
		if c.echo || fits(c.buf[:n], e.nodata) {
			t.answered++
		} else {
			t.wrong++
		}
	}
	return e, nil
}

// closed asks, with the window full, until enough have ended, or until a deadline; then it waits for the rest.
func (c *udpClient) closed(next source, enough int, deadline time.Time) (tally, error) {
	var t tally
	waiting := 0
	for over := false; !over || waiting > 0; {
		over = over || t.answered+t.wrong+t.lost+waiting >= enough || !time.Now().Before(deadline)
		for !over && waiting < window {
			c.send(next(), 0)
			waiting++
		}
		for low := window / 2; waiting > low || over && waiting > 0; {
			e, err := c.receive(&t)
			if err == unix.EAGAIN { // they are lost
				t.lost += waiting
				waiting = 0
				c.forget()
			} else if err != nil {
				return t, fmt.Errorf("the server does not take queries: %w", err)
			}
			if e.waiting {
				waiting--
			}
		}
	}
	return t, nil
}

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

// forget stops waiting for what is out.
func (c *udpClient) forget() {
	clear(c.out[:])
	c.at = int(c.id+1) % len(c.fds)
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
