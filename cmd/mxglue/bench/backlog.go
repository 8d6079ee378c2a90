//go:build linux

package main

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// backlog is how a server is asked whose CPUs nobody else is to use meanwhile: it is stopped, queries pile up in the buffers
// of its sockets, it goes on, and its replies are read when none of them is left.
type backlog struct {
	*process
	next    source
	sockets []int        // the server's own on that port
	clients []*udpClient // queries come from as many of them to each of the server's threads
	depth   int          // how many of each client pile up for each CPU that they are sent from
}

const (
	backlogCPUs  = 2    // that queries are sent from: their memory is the CPU's that sent them, and a thread is to have it half near, half far
	backlogPorts = 8    // for each thread
	backlogDepth = 2048 // at most: all of a client's have IDs of their own
	queryRoom    = 1280 // octets that the kernel may take for a query or its reply
	backlogNap   = time.Millisecond
	backlogTime  = 2 * time.Second // at most for one backlog
	backlogOpen  = 2 * time.Second // at most until each thread has its socket: the first may answer before the others have theirs
)

// pile makes ready for a server of so many threads.
func pile(p *process, port int, echo bool, threads int, next source) (*backlog, error) {
	b := &backlog{process: p, next: next, depth: backlogDepth}
	if err := b.open(port, echo, threads); err != nil {
		b.close()
		return nil, err
	}
	return b, nil
}

// open opens ports until each of the server's threads has its share of them: where several sockets have one port
// (SO_REUSEPORT), the kernel chooses by the client's. So it looks where a query of each comes to.
func (b *backlog) open(port int, echo bool, threads int) (err error) {
	for began := time.Now(); len(b.sockets) < threads && time.Since(began) < backlogOpen; time.Sleep(backlogNap) {
		closeAll(b.sockets)
		if b.sockets, err = b.process.sockets(port); err != nil {
			return err
		}
	}
	for _, fd := range b.sockets {
		b.depth = min(b.depth, widen(fd, backlogDepth*backlogCPUs*backlogPorts*queryRoom)/queryRoom/backlogPorts/backlogCPUs)
	}
	b.signal(unix.SIGSTOP)
	defer b.signal(unix.SIGCONT)
	q, ports := pack("first.bench.example", typeA, false), map[int]int{} // how many come to each socket
	for range 100 * backlogPorts * threads {
		c, err := dialUDP(port, echo)
		if err != nil {
			return err
		}
		c.send(q, 0)
		at := slices.IndexFunc(b.sockets, func(fd int) bool {
			n, _, err := unix.Recvfrom(fd, c.buf[:], unix.MSG_DONTWAIT)
			return err == nil && n == len(q.msg)
		})
		if at < 0 || ports[at] == backlogPorts || ports[at] == 0 && len(ports) == threads {
			c.close()
			continue
		}
		ports[at]++
		b.clients = append(b.clients, c)
		if err := c.hoard(b.depth * backlogCPUs); err != nil || len(b.clients) == threads*backlogPorts {
			return err
		}
	}
	return fmt.Errorf("queries come to %d of its %d sockets; want %d, one for each thread", len(ports), len(b.sockets), threads)
}

// hoard has so many replies wait until they are read, with the time when they came.
func (c *udpClient) hoard(replies int) error {
	widen(c.fd, replies*queryRoom)
	return errors.Join(unix.SetNonblock(c.fd, true), unix.SetsockoptInt(c.fd, unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1))
}

func (b *backlog) close() {
	closeAll(b.sockets)
	for _, c := range b.clients {
		c.close()
	}
}

// closed has backlogs answered one after the other, for so long.
func (b *backlog) closed(d time.Duration) (sum tally, err error) {
	for end := time.Now().Add(d); err == nil && time.Now().Before(end); {
		err = b.once(&sum)
	}
	return sum, err
}

// once has one backlog answered, and adds what became of it.
func (b *backlog) once(sum *tally) error {
	b.signal(unix.SIGSTOP)
	for cpu := range backlogCPUs {
		if err := onCPUs([]int{cpu}, b.send); err != nil {
			return err
		}
	}
	began := time.Now()
	b.signal(unix.SIGCONT)
	for time.Sleep(backlogNap); slices.ContainsFunc(b.sockets, pending); time.Sleep(backlogNap) {
		if time.Since(began) > backlogTime {
			return fmt.Errorf("a backlog is not answered within %v", backlogTime)
		}
	}
	time.Sleep(backlogNap) // the last have been taken, but need not have been answered
	last := began.UnixNano()
	for _, c := range b.clients {
		t, at, err := c.collect(b.depth * backlogCPUs)
		if err != nil {
			return err
		}
		sum.add(t)
		last = max(last, at)
	}
	sum.busy += time.Duration(last - began.UnixNano())
	return nil
}

// send sends what piles up from one CPU.
func (b *backlog) send() error {
	for range b.depth {
		for _, c := range b.clients {
			c.send(b.next(), 0)
		}
	}
	return nil
}

// collect takes the replies to so many queries; what is not there is lost. It returns when the kernel had the last, Unix
// time, nanoseconds; 0 if any is lost.
func (c *udpClient) collect(sent int) (t tally, last int64, err error) {
	for left := sent; left > 1 && err == nil; left-- {
		_, err = c.receive(&t)
	}
	if err == nil {
		_, last, err = c.receiveStamped(&t)
	}
	if err != nil && err != unix.EAGAIN {
		return t, last, fmt.Errorf("the server does not take queries: %w", err)
	}
	t.lost = sent - t.answered - t.wrong
	c.forget()
	return t, last, nil
}
