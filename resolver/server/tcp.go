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

// tcpTogether is how many octets of replies are written together at most, but for the last of them.
const tcpTogether = 16 << 10

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
		by := s.settings.Load()
		if !s.conns.add(conn, client, by.TCPConnections, by.TCPPerClient) {
			s.stats.tcpRejected.Add(1)
			if s.conns.of(client) >= by.TCPPerClient {
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
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var waiting sync.WaitGroup
	pipelined := make(chan struct{}, tcpPipelined)
	in := bufio.NewReaderSize(c.conn, 4096)
	var ready []byte // replies that can go out together, because the next query has come already
	// Who has ended its side may still be reading, for as long as an idle client may stay.
	defer func() {
		defer time.AfterFunc(tcpIdle, func() { cancel(); c.conn.Close() }).Stop()
		c.write(ready)
		waiting.Wait()
	}()
	for {
		if len(ready) >= tcpTogether || !hasMessage(in) {
			c.write(ready)
			ready = ready[:0]
		}
		msg, err := c.read(in)
		if err != nil {
			return
		}
		q, by := wire.Query{Client: c.client}, c.settings.Load()
		start := len(ready)
		// Two octets in front of the message leave room for its length.
		out, resolve := c.reply(by, append(ready, 0, 0), &q, msg)
		switch {
		case out != nil:
			ready = frame(out, start)
			if !by.allowed(c.client) { // it was refused, and has no claim on a place
				return
			}
		case !resolve: // no query: whoever speaks so has no claim on the connection
			return
		case c.enter(by):
			c.write(ready) // there may be a wait for a place
			ready = ready[:0]
			pipelined <- struct{}{}
			waiting.Go(func() {
				defer func() { <-pipelined; c.leave() }()
				if reply := by.resolve(ctx, make([]byte, 2, 512), &q); reply != nil {
					c.write(frame(reply, 0))
				}
			})
		}
	}
}

// reply appends the reply to a message that needs no upstream: a cached answer or an error. It returns nil with resolve
// set if the question has to be resolved, and nil without if nothing is to be sent.
func (c *tcpConn) reply(by *settings, dst []byte, q *wire.Query, msg []byte) (out []byte, resolve bool) {
	out, v := c.admit(by, dst, q, msg, true)
	if counts(v) {
		c.stats.tcp.Add(1)
	}
	if v != wire.Accept {
		return out, false
	}
	out = by.answer(dst, q, time.Now())
	return out, out == nil
}

// frame sets the length of the message that stands two octets behind start, at the end of out.
func frame(out []byte, start int) []byte {
	binary.BigEndian.PutUint16(out[start:], uint16(len(out)-start-2))
	return out
}

// hasMessage says whether a whole message can be read without waiting.
func hasMessage(in *bufio.Reader) bool {
	if in.Buffered() < 2 {
		return false
	}
	length, err := in.Peek(2)
	return err == nil && in.Buffered() >= 2+int(binary.BigEndian.Uint16(length))
}

// read returns the next message.
func (c *tcpConn) read(in *bufio.Reader) ([]byte, error) {
	if in.Buffered() == 0 {
		idle := tcpIdle
		if c.conns.count() > c.settings.Load().TCPConnections/2 {
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

// write sends replies, each behind its length. A client that does not take them loses the connection.
func (c *tcpConn) write(framed []byte) {
	if len(framed) == 0 {
		return
	}
	c.writing <- struct{}{}
	defer func() { <-c.writing }()
	c.conn.SetWriteDeadline(time.Now().Add(tcpWrite))
	if _, err := c.conn.Write(framed); err != nil {
		c.conn.Close()
	}
}
