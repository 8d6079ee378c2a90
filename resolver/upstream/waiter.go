package upstream

import (
	"context"
	"encoding/binary"
	"time"

	"github.com/miekg/dns"
)

// waiter is a query on a connection.
type waiter struct {
	query  *dns.Msg // ID, question and OPT, to tell its response by
	frame  []byte   // the packed query behind its two length octets (RFC 1035 §4.2.2)
	sent   bool     // handed to the writer; only the one who waits looks
	result chan result
}

// result is how the waiting ended.
type result struct {
	response *Response
	err      error
	again    bool // the connection was lost after it had been good: another may do better
}

// add enters a query under an ID that no other on the connection has (RFC 7766 §6.2.1). Called with mu held.
func (c *conn) add(m *dns.Msg, packed []byte, now time.Time) *waiter {
	id := newID()
	for _, taken := c.pending[id]; taken; _, taken = c.pending[id] {
		id = newID()
	}
	w := &waiter{
		query:  &dns.Msg{MsgHdr: dns.MsgHdr{Id: id}, Question: m.Question, Extra: m.Extra},
		frame:  append(binary.BigEndian.AppendUint16(make([]byte, 0, 2+len(packed)), uint16(len(packed))), packed...),
		result: make(chan result, 1),
	}
	binary.BigEndian.PutUint16(w.frame[2:], id)
	if c.waiting == 0 && c.net != nil {
		c.net.SetReadDeadline(time.Time{}) // idle no more
	}
	if len(c.pending) == 0 {
		c.silent = now
	}
	c.pending[id] = w
	c.waiting++
	return w
}

// judge says what a response with the query's ID is to it.
func (w *waiter) judge(packed []byte) result {
	m, err := parse(w.query, packed)
	if err != nil {
		return result{err: err}
	}
	return result{response: &Response{Msg: m, Size: len(packed)}}
}

// wait sends the query and waits for its response.
func (c *conn) wait(ctx context.Context, w *waiter) result {
	select {
	case c.out <- w.frame:
		w.sent = true
	case r := <-w.result:
		return r
	case <-ctx.Done():
		c.leave(w)
		return result{err: ctx.Err()}
	}
	select {
	case r := <-w.result:
		return r
	case <-ctx.Done():
		c.leave(w)
		return result{err: ctx.Err()}
	}
}

// leave gives a query up. If it was sent, its ID stays taken, so that its response is nobody else's.
func (c *conn) leave(w *waiter) {
	c.pool.mu.Lock()
	defer c.pool.mu.Unlock()
	id := w.query.Id
	if c.pending[id] != w {
		return // answered this very moment, or the connection has failed
	}
	if w.sent {
		c.pending[id] = nil
	} else {
		delete(c.pending, id)
	}
	c.waiting--
	c.rest()
}
