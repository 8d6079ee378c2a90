package smtpprobe

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/netip"
	"time"
)

// quitGrace is what QUIT is given when the time of the address or of the caller is up.
const quitGrace = time.Second

// What is kept of a transcript.
const (
	maxTranscript     = 300 // lines
	maxTranscriptLine = 512 // bytes, after escaping
)

// session is one connection to an exchanger: one command out, one reply in, never two under way. The attempt
// is filled in as it goes.
type session struct {
	conn       net.Conn // the socket, or TLS over it
	socket     net.Conn
	replies    *replyReader
	opt        Options
	helo       string
	domain     string // of RCPT
	serverName string // SNI
	tlsConfig  *tls.Config
	attempt    *Attempt
	lost       bool // in no state to take a command
}

// newSession takes a connection over.
func (r *run) newSession(conn net.Conn, serverName string, a *Attempt) *session {
	s := &session{conn: conn, socket: conn, replies: newReplyReader(conn), opt: r.opt, helo: r.opt.heloName(conn.LocalAddr()),
		domain: r.report.Domain, serverName: serverName, attempt: a}
	if end, err := netip.ParseAddrPort(conn.LocalAddr().String()); err == nil {
		a.local = end.Addr().Unmap().WithZone("")
	}
	s.tlsConfig = s.modern()
	s.opt.Depth = max(s.opt.Depth, s.opt.Reach)
	return s
}

// close ends TLS politely, where the socket takes that at once, and then closes the socket.
func (s *session) close() {
	if s.conn != s.socket {
		stop := time.AfterFunc(quitGrace, func() { s.socket.Close() }) // tls.Conn.Close would wait 5 s
		s.conn.Close()
		stop.Stop()
	}
	s.socket.Close()
}

// command sends a line and reads the reply to it. No pipelining: one command, one reply.
func (s *session) command(ctx context.Context, line string, timeout time.Duration) (reply, error) {
	if err := s.send(line, timeout); err != nil {
		return reply{}, err
	}
	rep, err := s.read(ctx, timeout)
	if err == nil && rep.code == 421 { // the server is going, and wants to be left alone for a while (RFC 5321 3.8)
		s.attempt.told421 = true
	}
	return rep, err
}

// send writes a command line.
func (s *session) send(line string, timeout time.Duration) error {
	s.record("C: %s", line)
	if err := s.conn.SetWriteDeadline(time.Now().Add(timeout)); err != nil {
		return err
	}
	_, err := io.WriteString(s.conn, line+"\r\n")
	return err
}

// read reads one reply. The deadline covers the whole of it, so dripping buys no time; when ctx ends before,
// the reading ends too.
func (s *session) read(ctx context.Context, timeout time.Duration) (reply, error) {
	if err := s.conn.SetReadDeadline(time.Now().Add(timeout)); err != nil {
		return reply{}, err
	}
	ended := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(ended)
		_ = s.conn.SetReadDeadline(time.Unix(1, 0)) // fails only once closed, and then nobody reads
	})
	rep, err := s.replies.read()
	if !stop() {
		<-ended // or it would cut the next reading short
	}
	s.recordReply(rep, err)
	return rep, err
}

// note records an oddity.
func (s *session) note(format string, args ...any) {
	s.attempt.Notes = append(s.attempt.Notes, fmt.Sprintf(format, args...))
}

// record adds a line to the transcript.
func (s *session) record(format string, args ...any) {
	if t := &s.attempt.Transcript; s.opt.Transcript && len(*t) < maxTranscript {
		*t = append(*t, clip(Escape(fmt.Sprintf(format, args...)), maxTranscriptLine))
	}
}

// recordReply adds a reply to the transcript, line by line.
func (s *session) recordReply(rep reply, err error) {
	for i, line := range rep.lines {
		separator := "-"
		if rep.complete && i == len(rep.lines)-1 {
			separator = " "
		}
		s.record("S: %03d%s%s", rep.code, separator, line)
	}
	if rep.stray != "" {
		s.record("S: %s", rep.stray)
	}
	if err != nil {
		s.record("-- %s", describe(err))
	}
}
