package server

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/mxglue/mxglue/cache/wire"
)

// The deadlines of a connection (RFC 7766 §6.2.3 leaves them to the server).
const (
	tcpIdle     = 10 * time.Second // between two messages
	tcpIdleFull = 2 * time.Second  // the same while more than half of the connections are taken
	tcpRead     = 5 * time.Second  // for one message, once its first octet has come
	tcpWrite    = 5 * time.Second  // for one reply: a client that does not read is cut off
)

// tcpPipelined is the most queries of one connection that wait for an upstream; then it is not read from.
const tcpPipelined = 64

// serveTCP accepts until the listener is closed.
func (s *Server) serveTCP(ctx context.Context, l net.Listener, waiting *sync.WaitGroup) {
	for {
		conn, err := l.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil { // out of descriptors, or the client went away
			s.Log.Warn("accept failed", "listen", l.Addr(), "error", err)
			select {
			case <-ctx.Done():
			case <-time.After(100 * time.Millisecond):
			}
			continue
		}
		client := conn.RemoteAddr().(*net.TCPAddr).AddrPort().Addr().Unmap().WithZone("")
		if !s.conns.add(conn, client, s.TCPConnections, s.TCPPerClient) {
			s.stats.tcpRejected.Add(1)
			if s.conns.of(client) >= s.TCPPerClient {
				s.stats.tcpRejectedClient.Add(1)
			}
			conn.Close()
			continue
		}
		waiting.Go(func() {
			defer s.conns.remove(conn, client)
			(&tcpConn{Server: s, conn: conn, client: client, writing: make(chan struct{}, 1)}).serve(ctx)
		})
	}
}

// tcpConn is one client's connection.
type tcpConn struct {
	*Server
	conn   net.Conn
	client netip.Addr

	writing chan struct{} // a lock that synctest can see through: one place, for who writes
}

// serve answers messages as they come, each as soon as its answer is there, until the client ends, idles too long, or
// the server stops.
func (c *tcpConn) serve(ctx context.Context) {
	defer c.conn.Close()
	var waiting sync.WaitGroup
	defer waiting.Wait()
	pipelined := make(chan struct{}, tcpPipelined)
	in := bufio.NewReaderSize(c.conn, 4096)
	for {
		msg, err := c.read(in)
		if err != nil {
			return
		}
		q := wire.Query{Client: c.client}
		// Two octets in front of the message leave room for its length.
		reply, resolve := c.reply(make([]byte, 2, 512), &q, msg, true, time.Now())
		switch {
		case reply != nil:
			c.write(reply)
			if !c.allowed(c.client) { // it was refused, and has no claim on a place
				return
			}
		case !resolve: // no query: whoever speaks so has no claim on the connection
			return
		case c.enter():
			pipelined <- struct{}{}
			waiting.Go(func() {
				defer func() { <-pipelined; c.leave() }()
				if reply := c.Resolve(ctx, &q); reply != nil {
					c.write(append(make([]byte, 2, 2+len(reply)), reply...))
				}
			})
		}
	}
}

// read returns the next message.
func (c *tcpConn) read(in *bufio.Reader) ([]byte, error) {
	if in.Buffered() == 0 {
		idle := tcpIdle
		if c.conns.count() > c.TCPConnections/2 {
			idle = tcpIdleFull
		}
		if err := c.conns.deadline(c.conn, idle); err != nil {
			return nil, err
		}
		if _, err := in.Peek(1); err != nil {
			return nil, err
		}
	}
	if err := c.conns.deadline(c.conn, tcpRead); err != nil {
		return nil, err
	}
	var length [2]byte
	if _, err := io.ReadFull(in, length[:]); err != nil {
		return nil, err
	}
	msg := make([]byte, binary.BigEndian.Uint16(length[:]))
	_, err := io.ReadFull(in, msg)
	return msg, err
}

// write sends a reply that has two octets of room in front. A client that does not take it loses the connection.
func (c *tcpConn) write(framed []byte) {
	binary.BigEndian.PutUint16(framed, uint16(len(framed)-2))
	c.writing <- struct{}{}
	defer func() { <-c.writing }()
	c.conn.SetWriteDeadline(time.Now().Add(tcpWrite))
	if _, err := c.conn.Write(framed); err != nil {
		c.conn.Close()
	}
}

// connTable counts connections, in all and by client.
type connTable struct {
	mu       sync.Mutex
	open     map[net.Conn]struct{}
	byClient map[netip.Addr]int
	stopped  bool
}

func (t *connTable) add(conn net.Conn, client netip.Addr, most, mostPerClient int) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.stopped || len(t.open) >= most || t.byClient[client] >= mostPerClient {
		return false
	}
	t.open[conn] = struct{}{}
	t.byClient[client]++
	return true
}

func (t *connTable) remove(conn net.Conn, client netip.Addr) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.open, conn)
	if t.byClient[client]--; t.byClient[client] == 0 {
		delete(t.byClient, client)
	}
}

func (t *connTable) count() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.open)
}

func (t *connTable) of(client netip.Addr) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.byClient[client]
}

// deadline sets conn's reading deadline, unless the server has stopped reading.
func (t *connTable) deadline(conn net.Conn, d time.Duration) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.stopped {
		return net.ErrClosed
	}
	return conn.SetReadDeadline(time.Now().Add(d))
}

// stopReading ends every read; replies that are due can still be written.
func (t *connTable) stopReading() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.stopped = true
	for conn := range t.open {
		conn.SetReadDeadline(time.Unix(1, 0))
	}
}

// close ends every connection.
func (t *connTable) close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for conn := range t.open {
		conn.Close()
	}
}
