package server

import (
	"net"
	"net/netip"
	"sync"
	"time"
)

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
