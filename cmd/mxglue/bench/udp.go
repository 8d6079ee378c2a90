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

// udpClient asks over a connected socket, with system calls of its own: nothing but the server should be slow.
type udpClient struct {
	fd   int
	echo bool // any reply will do, if its ID is right
	id   uint16
	out  [ids]expectation
	buf  [4096]byte
}

// ids is how many IDs are in use: more than can be out, few enough to stay in the CPU's cache.
const ids = 1 << 13

// expectation is what is known about a query that is out.
type expectation struct {
	waiting, nodata, miss bool
	sent                  int64 // Unix time, nanoseconds, as the kernel's stamps; of open loops
}

// tally is what became of queries.
type tally struct {
	answered, wrong, lost int
	busy                  time.Duration // how long the server took, of backlogs
}

func (t *tally) add(o tally) {
	t.answered, t.wrong, t.lost, t.busy = t.answered+o.answered, t.wrong+o.wrong, t.lost+o.lost, t.busy+o.busy
}

// dialUDP opens a port.
func dialUDP(port int, echo bool) (*udpClient, error) {
	fd, err := connect(port)
	if err != nil {
		return nil, fmt.Errorf("open a UDP socket: %w", err)
	}
	return &udpClient{echo: echo, fd: fd}, nil
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

func (c *udpClient) close() { unix.Close(c.fd) }

// send sends a query under the next ID. One that the kernel does not take is lost.
func (c *udpClient) send(q question, now int64) {
	c.id = (c.id + 1) % ids
	binary.BigEndian.PutUint16(q.msg, c.id)
	c.out[c.id] = expectation{true, q.nodata, q.miss, now}
	unix.Write(c.fd, q.msg)
}

// receive takes one reply, and returns the query that it answers: not waiting for an answer if it is none. Errors:
// unix.EAGAIN if there is no reply.
func (c *udpClient) receive(t *tally) (expectation, error) {
	n, err := unix.Read(c.fd, c.buf[:])
	return c.take(n, err, t)
}

// take is the rest of receive, when n octets have been read.
func (c *udpClient) take(n int, err error, t *tally) (expectation, error) {
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

// forget stops waiting for what is out.
func (c *udpClient) forget() { clear(c.out[:]) }
