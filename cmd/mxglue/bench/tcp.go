//go:build linux

package main

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"time"
)

// Over TCP so many connections are open, and on each so many queries are written at once, then so many answers read.
const (
	tcpConns = 4
	tcpBurst = 16
)

// tcpClient is what the connections have in common.
type tcpClient struct {
	port     int
	enough   int
	deadline time.Time

	mu   sync.Mutex
	next source
	sum  tally
}

// askTCP asks on all connections at once until enough have ended, or until a deadline.
func askTCP(port int, next source, enough int, deadline time.Time) (tally, error) {
	c := &tcpClient{port: port, enough: enough, deadline: deadline, next: next}
	var conns sync.WaitGroup
	var faults [tcpConns]error
	for i := range faults {
		conns.Go(func() { faults[i] = c.ask() })
	}
	conns.Wait()
	return c.sum, errors.Join(faults[:]...)
}

// count adds what has ended, and says whether to go on.
func (c *tcpClient) count(t tally) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sum.add(t)
	return c.sum.answered+c.sum.wrong+c.sum.lost < c.enough && time.Now().Before(c.deadline)
}

func (c *tcpClient) fill(b *burst) {
	c.mu.Lock()
	defer c.mu.Unlock()
	b.fill(c.next)
}

// ask asks one burst after the other. When the server closes the connection, as dnsmasq does after 100 queries, what has
// no answer is asked again on a new one. It errs if none can be opened.
func (c *tcpClient) ask() error {
	var b burst
	c.fill(&b)
	for {
		conn, err := net.DialTCP("tcp4", nil, &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: c.port})
		if err != nil {
			return fmt.Errorf("the server does not take connections: %w", err)
		}
		conn.SetDeadline(c.deadline.Add(lostAfter))
		in := bufio.NewReaderSize(conn, 16<<10)
		for err == nil {
			var t tally
			t, err = b.ask(conn, in)
			if errors.Is(err, os.ErrDeadlineExceeded) {
				t.lost = b.left()
			}
			if !c.count(t) {
				conn.Close()
				return nil
			}
			if err == nil {
				c.fill(&b)
			}
		}
		conn.Close()
	}
}

// burst is queries that are written at once. The ID of each is its place.
type burst struct {
	framed [tcpBurst][]byte // with its length in front (RFC 1035 §4.2.2)
	nodata [tcpBurst]bool
	ended  [tcpBurst]bool
}

func (b *burst) fill(next source) {
	for i := range b.framed {
		q := next()
		binary.BigEndian.PutUint16(q.msg, uint16(i))
		f := binary.BigEndian.AppendUint16(b.framed[i][:0], uint16(len(q.msg)))
		b.framed[i], b.nodata[i], b.ended[i] = append(f, q.msg...), q.nodata, false
	}
}

// left returns how many have no answer.
func (b *burst) left() (n int) {
	for _, ended := range b.ended {
		if !ended {
			n++
		}
	}
	return n
}

// ask writes what has no answer yet, and reads the answers, which come in any order (RFC 7766 §7). An error leaves the
// rest for another connection.
func (b *burst) ask(conn net.Conn, in *bufio.Reader) (t tally, err error) {
	var out []byte
	for i, f := range b.framed {
		if !b.ended[i] {
			out = append(out, f...)
		}
	}
	if _, err := conn.Write(out); err != nil {
		return t, err
	}
	var buf [4096]byte
	for left := b.left(); left > 0; left-- {
		msg, err := readFramed(in, buf[:])
		if err != nil {
			return t, err
		}
		id := int(binary.BigEndian.Uint16(msg))
		if id >= tcpBurst || b.ended[id] {
			return t, fmt.Errorf("an answer to query %d, which is not out", id)
		}
		b.ended[id] = true
		if fits(msg, b.nodata[id]) {
			t.answered++
		} else {
			t.wrong++
		}
	}
	return t, nil
}

// readFramed reads a message into buf. Errors: those of the connection, and a message that is none or does not fit.
func readFramed(in io.Reader, buf []byte) ([]byte, error) {
	if _, err := io.ReadFull(in, buf[:2]); err != nil {
		return nil, err
	}
	n := int(binary.BigEndian.Uint16(buf))
	if n < 12 || n > len(buf) {
		return nil, fmt.Errorf("a message of %d octets, want 12 to %d", n, len(buf))
	}
	_, err := io.ReadFull(in, buf[:n])
	return buf[:n], err
}
