package smtpprobe

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"syscall"
	"time"
)

const (
	// atOnce is the time within which ENETUNREACH is our own kernel's word, not a router's: no packet left.
	atOnce = 10 * time.Millisecond
	// quitGrace is what QUIT is given when the time of the address or of the caller is up.
	quitGrace = time.Second

	cutShort = "cut short by the caller"
)

// session is one connection to an exchanger. The attempt is filled in as it goes.
type session struct {
	conn    net.Conn
	replies *replyReader
	opt     Options
	helo    string
	attempt *Attempt
}

// connect makes one connection and has the whole dialogue over it. reached: not all of it failed on our side.
func (r *run) connect(ctx context.Context, to netip.AddrPort) (a Attempt, reached bool) {
	a = Attempt{Address: to.Addr(), Port: to.Port()}
	whole, cancel := context.WithTimeout(ctx, r.opt.Timeouts.Address)
	defer cancel()
	start := time.Now()
	conn, err := r.dialWithin(whole, to.String())
	took := time.Since(start)
	if err == nil {
		a.MS.Connect = milliseconds(took)
		s := &session{conn: conn, replies: newReplyReader(conn), opt: r.opt, helo: r.opt.heloName(conn.LocalAddr()), attempt: &a}
		s.converse(whole)
	} else {
		a.Verdict, a.Detail = dialVerdict(err, took), describe(err)
	}
	if isCut(ctx) && (a.Verdict == TimeoutConnect || a.Verdict == GreetingTimeout) {
		a.Verdict, a.Detail = LocalError, cutShort // our time was up, not the peer's
	}
	return a, err == nil || a.Verdict != LocalError
}

// dialWithin dials under the connect timeout.
func (r *run) dialWithin(ctx context.Context, address string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, r.opt.Timeouts.Connect)
	defer cancel()
	return r.dial(ctx, address)
}

// dialVerdict tells a peer's failure from our own.
func dialVerdict(err error, took time.Duration) Verdict {
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return Refused
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.ECONNABORTED):
		return Reset
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH) && took >= atOnce:
		return Unreachable
	case isTimeout(err), errors.Is(err, context.Canceled):
		return TimeoutConnect
	}
	return LocalError // no route (ENETUNREACH, EADDRNOTAVAIL), a local firewall, no file descriptors ...
}

// isTimeout tells whether err is a deadline's or TCP's own giving up.
func isTimeout(err error) bool {
	var timeout interface{ Timeout() bool }
	return errors.As(err, &timeout) && timeout.Timeout()
}

// converse greets, says hello and quits, and closes the connection.
func (s *session) converse(ctx context.Context) {
	defer s.conn.Close()
	if !s.greet(ctx) {
		return
	}
	patience := s.opt.Timeouts.QuitRefused
	if s.attempt.Verdict == OK || s.attempt.Verdict == Slow {
		s.hello(ctx)
		patience = s.opt.Timeouts.Quit
	}
	s.quit(ctx, patience)
}

// greet reads the greeting and judges it. It tells whether the greeting's last line has been read: before,
// nothing may be sent (RFC 5321 4.3.1: the sender SHOULD wait for the greeting before sending commands;
// postscreen and Exim punish who does not).
func (s *session) greet(ctx context.Context) bool {
	connected := time.Now()
	greeting, err := s.read(ctx, s.opt.Timeouts.Greeting)
	took := time.Since(connected)
	if !greeting.firstByte.IsZero() {
		s.attempt.MS.FirstByte = milliseconds(greeting.firstByte.Sub(connected))
	}
	if greeting.complete {
		s.attempt.MS.Greeting = milliseconds(took)
	}
	s.judge(greeting, err, took)
	return greeting.complete
}

// hello says EHLO, and HELO where that is refused (RFC 5321 3.2). What goes wrong here is noted; the
// exchanger has said 220 all the same.
func (s *session) hello(ctx context.Context) {
	start := time.Now()
	defer func() { s.attempt.MS.Hello = milliseconds(time.Since(start)) }()
	for _, verb := range []string{"EHLO", "HELO"} {
		rep, err := s.command(ctx, verb+" "+s.helo, s.opt.Timeouts.Hello)
		switch {
		case ctx.Err() != nil:
			s.note("the time was up before it answered %s", verb)
			return
		case err != nil:
			s.note("it greets, but %s fails (%s)", verb, describe(err))
			return
		case rep.code/100 == 2:
			s.attempt.Hello = verb
			if verb == "EHLO" {
				s.attempt.Extensions = parseExtensions(rep.lines)
			}
			return
		}
		s.note("it refuses %s with %d %s", verb, rep.code, escapeLine(rep.lines))
		if rep.code/100 != 5 {
			return // 421 ends the session, and any other 4xx may take EHLO later
		}
	}
}

// quit says QUIT and waits for the reply: "the sender MUST NOT intentionally close the transmission channel
// until it sends a QUIT command, and it SHOULD wait until it receives the reply" (RFC 5321 4.1.1.10). So
// QUIT goes out even when the time is up or the dialogue went wrong.
//
// It is not sent where the greeting's last line never came (silence, no end, not SMTP): a session begins
// with the greeting (RFC 5321 3.1), nothing may be sent before it, and such a connection is simply closed.
func (s *session) quit(ctx context.Context, patience time.Duration) {
	start := time.Now()
	if isCut(ctx) {
		patience = min(patience, quitGrace)
		ctx = context.WithoutCancel(ctx)
	}
	if s.send("QUIT", quitGrace) != nil {
		return
	}
	if _, err := s.read(ctx, patience); err == nil {
		s.attempt.MS.Quit = milliseconds(time.Since(start))
	}
}

// command sends a line and reads the reply to it. No pipelining: one command, one reply.
func (s *session) command(ctx context.Context, line string, timeout time.Duration) (reply, error) {
	if err := s.send(line, timeout); err != nil {
		return reply{}, err
	}
	return s.read(ctx, timeout)
}

// send writes a command line.
func (s *session) send(line string, timeout time.Duration) error {
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
	return rep, err
}

// note records an oddity.
func (s *session) note(format string, args ...any) {
	s.attempt.Notes = append(s.attempt.Notes, fmt.Sprintf(format, args...))
}
