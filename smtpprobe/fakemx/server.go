package fakemx

import (
	"bufio"
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/netip"
	"sync"
	"time"
)

// Bounds of the zero Server.
const (
	defaultName        = "fakemx.example"
	defaultConnections = 64
	defaultTime        = 10 * time.Minute
)

// A Server is a mail exchanger that follows a script. The zero value behaves well. Set its fields before the first
// connection; a Server is safe for concurrent use then.
type Server struct {
	Name           string        // its own name, in the greeting and in a certificate it makes; "": fakemx.example
	Script         Script        // how it behaves
	TLS            *tls.Config   // the certificate to show; nil: one for Name, signed by itself
	MaxConnections int           // at the same time, more are told 421; 0: 64
	MaxTime        time.Duration // of one connection, which is closed then; 0: 10 minutes
	Done           func(Visit)   // hears of each visit's end, from many goroutines at once; nil: nobody does

	mu     sync.Mutex
	counts Counts
	open   int
	openBy map[netip.Addr]int
	ownTLS *tls.Config
}

// Serve accepts connections until ctx ends, closes the listener and waits for the connections, whose ends that is too. The
// error is the listener's; ctx's end is none.
func (s *Server) Serve(ctx context.Context, listener net.Listener) error {
	var sessions sync.WaitGroup
	defer sessions.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	context.AfterFunc(ctx, func() { listener.Close() })
	for {
		conn, err := listener.Accept()
		switch {
		case ctx.Err() != nil:
			if conn != nil {
				conn.Close()
			}
			return nil
		case err != nil:
			return err
		}
		sessions.Go(func() { s.Converse(ctx, conn) })
	}
}

// Converse has the whole dialogue over one connection and closes it. It returns when the client has left, MaxTime is over
// or ctx ends.
func (s *Server) Converse(ctx context.Context, conn net.Conn) {
	defer conn.Close()
	client := addressOf(conn)
	if !s.enter(client) {
		_ = conn.SetWriteDeadline(time.Now().Add(time.Second))
		_, _ = io.WriteString(conn, "421 4.7.0 Too many connections\r\n") // whether it arrives is the client's affair
		return
	}
	ctx, cancel := context.WithTimeout(ctx, s.maxTime())
	defer cancel()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	visit := &session{server: s, conn: conn, in: bufio.NewReaderSize(conn, maxLine), Visit: Visit{Client: client}}
	visit.run(ctx)
	visit.MissingQuit = visit.greeted && !visit.Quit && !visit.TLSFailed && !visit.hungUp && ctx.Err() == nil
	s.leave(visit.Visit)
	if s.Done != nil {
		s.Done(visit.Visit)
	}
}

func (s *Server) name() string {
	if s.Name == "" {
		return defaultName
	}
	return s.Name
}

func (s *Server) maxConnections() int {
	if s.MaxConnections <= 0 {
		return defaultConnections
	}
	return s.MaxConnections
}

func (s *Server) maxTime() time.Duration {
	if s.MaxTime <= 0 {
		return defaultTime
	}
	return s.MaxTime
}

// addressOf is the client's address; the zero Addr where the connection has none, as a pipe.
func addressOf(conn net.Conn) netip.Addr {
	end, err := netip.ParseAddrPort(conn.RemoteAddr().String())
	if err != nil {
		return netip.Addr{}
	}
	return end.Addr().Unmap()
}
