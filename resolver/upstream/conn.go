package upstream

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"time"
)

// writeTimeout bounds handing one query to the kernel. A peer that does not read for so long is gone.
const writeTimeout = 2 * time.Second

// conn is one connection. Queries are pipelined on it and responses come in any order (RFC 7766 §6.2.1.1, §7). One
// goroutine connects and then reads, one writes and in the end closes; those who ask wait for neither longer than their
// context.
type conn struct {
	pool *pool
	out  chan []byte   // frames on their way to the writer
	done chan struct{} // closed when the connection has failed

	// Guarded by pool.mu.
	net      net.Conn           // nil until connected
	err      error              // why it failed
	pending  map[uint16]*waiter // by ID; nil for a query given up, whose response may still come
	waiting  int                // of these, the ones not given up
	silent   time.Time          // since when responses are due and nothing was heard
	answered bool               // it has been good for something
	retired  bool               // takes no more queries, and ends with the last one
	strange  int                // responses to no query since the last that was one
}

// run connects, and reads until the connection fails.
func (c *conn) run() {
	nc, err := c.pool.connect(context.Background()) // bounded by dialTimeout
	if err != nil {
		c.lost(err)
		return
	}
	if !c.connected(nc) {
		nc.Close()
		return
	}
	go c.write(nc)
	c.lost(c.receive(bufio.NewReader(nc)))
}

// connected says whether the connection is still wanted.
func (c *conn) connected(nc net.Conn) bool {
	c.pool.mu.Lock()
	defer c.pool.mu.Unlock()
	if c.err == nil {
		c.net = nc
		c.rest() // those who wait may have given up
	}
	return c.err == nil
}

// write sends frames, each in one piece (RFC 7766 §8), and closes the connection when it has failed.
func (c *conn) write(nc net.Conn) {
	defer nc.Close()
	for {
		select {
		case frame := <-c.out:
			nc.SetWriteDeadline(time.Now().Add(writeTimeout))
			if _, err := nc.Write(frame); err != nil {
				c.lost(fmt.Errorf("connection lost: %w", err))
				return
			}
		case <-c.done:
			return
		}
	}
}

// receive hands out responses until the stream ends or is none; it returns why.
func (c *conn) receive(r io.Reader) error {
	for {
		packed, err := readMessage(r)
		if err != nil {
			return fmt.Errorf("connection lost: %w", err)
		}
		if err := c.dispatch(packed); err != nil {
			return err
		}
	}
}

// dispatch gives a response to the query that it answers. Its error says that the peer has lost its mind: the third
// response in a row that answers nothing.
func (c *conn) dispatch(packed []byte) error {
	p := c.pool
	var id uint16
	if len(packed) >= 2 {
		id = binary.BigEndian.Uint16(packed)
	}
	p.mu.Lock()
	w, known := c.pending[id]
	p.mu.Unlock()

	var r result
	switch {
	case !known:
		r.err = errMismatch
	case w != nil:
		r = w.judge(packed) // without the lock: there may be 64 KiB to unpack
	}

	p.mu.Lock()
	defer p.mu.Unlock()
	c.silent = time.Now()
	if errors.Is(r.err, errMismatch) {
		p.mismatched.Add(1)
		if c.strange++; c.strange == maxMismatched {
			return errMismatch
		}
		return nil
	}
	c.strange, c.answered = 0, true
	switch c.pending[id] {
	case nil: // given up, maybe this very moment
		delete(c.pending, id)
	case w:
		delete(c.pending, id)
		w.result <- r
		c.waiting--
		c.rest()
	}
	return nil
}

// rest lets a connection without waiting queries idle, or end if it takes no more. Called with mu held.
func (c *conn) rest() {
	switch {
	case c.waiting > 0:
	case c.retired:
		c.fail(net.ErrClosed)
	case c.net != nil:
		c.net.SetReadDeadline(time.Now().Add(idleTimeout))
	}
}

// worn says whether the connection is not to be trusted with more queries: one has waited for stallAfter and nothing at
// all was heard meanwhile, or it carries too many. Called with mu held.
func (c *conn) worn(now time.Time) bool {
	return len(c.pending) >= maxPending || len(c.pending) > 0 && now.Sub(c.silent) > stallAfter
}

// retire takes the connection out of the pool. Queries on it are waited for. Called with mu held.
func (c *conn) retire() {
	c.retired = true
	c.pool.conns = slices.DeleteFunc(c.pool.conns, func(other *conn) bool { return other == c })
	c.rest()
}

// lost ends the connection and tells all who wait.
func (c *conn) lost(err error) {
	c.pool.mu.Lock()
	defer c.pool.mu.Unlock()
	c.fail(err)
}

// fail is lost with mu held. The writer closes the connection itself: TLS may take a while to say goodbye.
func (c *conn) fail(err error) {
	if c.err != nil {
		return
	}
	c.err = err
	c.pool.conns = slices.DeleteFunc(c.pool.conns, func(other *conn) bool { return other == c })
	again := c.answered && !errors.Is(err, errMismatch) && !errors.Is(err, net.ErrClosed)
	for id, w := range c.pending {
		if w != nil {
			w.result <- result{err: c.err, again: again}
		}
		delete(c.pending, id)
	}
	c.waiting = 0
	close(c.done)
}
