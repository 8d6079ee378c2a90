package upstream

import (
	"context"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/miekg/dns"
)

// What bounds the connections to one upstream.
const (
	maxConns    = 4                // open for new queries at one time: one, as RFC 7766 §6.2.2 recommends, until it is crowded
	crowded     = 64               // queries waiting on each connection before another is opened
	maxPending  = 1024             // IDs taken on a connection, given up ones included, before it takes no more queries
	idleTimeout = 15 * time.Second // without a query waiting (RFC 7766 §6.2.3: in the order of seconds)
	stallAfter  = time.Second      // of waiting without hearing anything: then new queries go elsewhere
)

// pool is the few connections to one upstream that queries share (RFC 7766 §6.2.1.1, RFC 7858 §3.4). One mutex guards
// the connections' state, too: there are few of them, and it is never held while anything waits.
type pool struct {
	connect    func(ctx context.Context) (net.Conn, error)
	mismatched *atomic.Uint64 // counts responses to no query

	mu    sync.Mutex
	conns []*conn
}

// exchange asks over a pooled connection. When that one is lost, as an idle one may be at any moment, the query is
// repeated once on another (RFC 7766 §6.2.4), which all that were on the first one share: a server that restarts is not met
// by a connection for each question.
func (p *pool) exchange(ctx context.Context, m *dns.Msg) (*Response, error) {
	packed, err := m.Pack()
	if err != nil {
		return nil, err
	}
	c, w := p.join(m, packed)
	r := c.wait(ctx, w)
	if r.again && ctx.Err() == nil {
		c, w = p.join(m, packed)
		r = c.wait(ctx, w)
	}
	return r.response, r.err
}

// join puts a query on the connection with the fewest, or on a new one.
func (p *pool) join(m *dns.Msg, packed []byte) (*conn, *waiter) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	var best *conn
	for _, c := range slices.Clone(p.conns) {
		switch {
		case c.worn(now):
			c.retire()
		case best == nil || c.waiting < best.waiting:
			best = c
		}
	}
	if best == nil || best.waiting >= crowded && len(p.conns) < maxConns {
		best = p.open()
		p.conns = append(p.conns, best)
	}
	return best, best.add(m, packed, now)
}

// open begins a connection. Called with mu held.
func (p *pool) open() *conn {
	c := &conn{pool: p, out: make(chan []byte), done: make(chan struct{}), pending: make(map[uint16]*waiter)}
	go c.run()
	return c
}

// close ends all connections, and the queries on them with net.ErrClosed.
func (p *pool) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range slices.Clone(p.conns) {
		c.fail(net.ErrClosed)
	}
}
