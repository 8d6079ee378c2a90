package server

import (
	"context"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mxglue/mxglue/cache/wire"
)

// Options are the server's settings. The zero value of a field means the default named beside it.
type Options struct {
	Listen         []netip.AddrPort // for UDP and TCP; port 0 draws one
	Allow          []netip.Prefix   // the clients that are answered (loopback)
	MaxWaiting     int              // the most queries waiting for an upstream (1024)
	TCPConnections int              // the most TCP connections (256)
	TCPPerClient   int              // the most TCP connections of one address (32)
	Sockets        Sockets          // taken over where Listen would open others (none)
	Log            *slog.Logger     // (slog.Default)
}

// Server is to be made with its fields set, listens once and serves once. What its fields say then can be changed while it
// serves: Reconfigure.
type Server struct {
	Options
	// Answer appends the reply to q if it has one at hand, and returns nil if not. It must not wait. dst may be the memory
	// that q was parsed from.
	Answer func(dst []byte, q *wire.Query, now time.Time) []byte
	// Near is told of a batch of queries before they are answered one by one, so that memory can be on its way. What it
	// returns says nothing. nil is none.
	Near func(batch []wire.Query) int
	// Resolve appends the reply to q, or returns nil for none. It may wait until ctx ends.
	Resolve func(ctx context.Context, dst []byte, q *wire.Query) []byte

	settings atomic.Pointer[settings]

	udp     []*udpSocket
	tcp     []net.Listener
	waiting atomic.Int64 // queries that wait for an upstream
	idle    idlers

	conns connTable
	stats struct {
		udp, tcp, dropped, malformed, refused, tcpRejected, tcpRejectedClient atomic.Uint64
	}
}

// settings are what queries are answered by. They are replaced whole: no query meets a part of the old and a part of the new.
type settings struct {
	Options
	answer  func(dst []byte, q *wire.Query, now time.Time) []byte
	resolve func(ctx context.Context, dst []byte, q *wire.Query) []byte
}

// Reconfigure makes every query from now on go by the fields as they have been set anew: Allow, the limits, Answer and
// Resolve. Listen, Log and Near are as they were. Nothing that is open or waits is ended for a lower limit. One goroutine at
// a time may set the fields and call it.
func (s *Server) Reconfigure() {
	s.defaults()
	s.settings.Store(&settings{s.Options, s.Answer, s.Resolve})
}

// defaults fills in what is not set.
func (s *Server) defaults() {
	if s.Allow == nil {
		s.Allow = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}
	}
	if s.MaxWaiting <= 0 {
		s.MaxWaiting = 1024
	}
	if s.TCPConnections <= 0 {
		s.TCPConnections = 256
	}
	if s.TCPPerClient <= 0 {
		s.TCPPerClient = 32
	}
	if s.Log == nil {
		s.Log = slog.Default()
	}
	if s.Near == nil {
		s.Near = func([]wire.Query) int { return 0 }
	}
}

// begin makes the server ready for its sockets.
func (s *Server) begin() {
	s.Reconfigure()
	s.conns.byClient = make(map[netip.Addr]int)
	s.conns.open = make(map[net.Conn]struct{})
}

// drainTime is how long queries that wait for an upstream may go on after Serve's context has ended.
const drainTime = 5 * time.Second

// Serve answers until ctx ends, then takes no more queries, lets those that wait finish within five seconds, and closes
// the sockets.
func (s *Server) Serve(ctx context.Context) {
	work, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	var readers, waiting sync.WaitGroup
	for i, u := range s.udp {
		readers.Go(func() { s.serveUDP(work, u, uint8(i), &waiting) })
	}
	for _, t := range s.tcp {
		readers.Go(func() { s.serveTCP(work, t, &waiting) })
	}
	s.idle.trim(ctx) // until it ends
	for _, u := range s.udp {
		u.conn.SetReadDeadline(time.Unix(1, 0)) // ends the reader; the socket still writes
	}
	for _, t := range s.tcp {
		t.Close()
	}
	s.conns.stopReading()
	readers.Wait()
	end := time.AfterFunc(drainTime, func() {
		cancel()
		s.conns.close() // of clients that take their replies drop by drop
	})
	defer end.Stop()
	waiting.Wait()
	s.idle.close()
	for _, u := range s.udp {
		u.close()
	}
}

// allowed says whether a client is answered.
func (s *settings) allowed(client netip.Addr) bool {
	for _, p := range s.Allow {
		if p.Contains(client) {
			return true
		}
	}
	return false
}

// admit parses a message and counts what is wrong with it. It returns wire.Accept for a query that is to be answered. For all else
// it returns the reply to send, an error appended to dst, or nil for none.
func (s *Server) admit(by *settings, dst []byte, q *wire.Query, msg []byte, tcp bool) (reply []byte, v wire.Verdict) {
	v = q.Parse(msg, tcp)
	switch {
	case v == wire.Drop:
		s.stats.malformed.Add(1)
		return nil, v
	case !by.allowed(q.Client):
		s.stats.refused.Add(1)
		return wire.AppendError(dst, q, wire.RcodeRefused), wire.Drop
	case v == wire.FormErr:
		s.stats.malformed.Add(1)
	}
	if v != wire.Accept {
		reply = wire.AppendError(dst, q, v.Rcode())
	}
	return reply, v
}

// counts says whether a message with this verdict is counted as a query.
func counts(v wire.Verdict) bool { return v != wire.Drop && v != wire.FormErr }

// enter takes a place among the queries that wait for an upstream; false if none is free.
func (s *Server) enter(by *settings) bool {
	if s.waiting.Add(1) <= int64(by.MaxWaiting) {
		return true
	}
	s.waiting.Add(-1)
	s.stats.dropped.Add(1)
	return false
}

func (s *Server) leave() { s.waiting.Add(-1) }

// Stats returns the counters since Listen.
func (s *Server) Stats() Stats {
	return Stats{
		UDPQueries: s.stats.udp.Load(), TCPQueries: s.stats.tcp.Load(), Dropped: s.stats.dropped.Load(),
		Malformed: s.stats.malformed.Load(), Refused: s.stats.refused.Load(),
		TCPConnections: s.conns.count(), TCPRejected: s.stats.tcpRejected.Load(),
		TCPRejectedClient: s.stats.tcpRejectedClient.Load(),
	}
}
