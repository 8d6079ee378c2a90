package fakemx

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"strings"
)

// Bounds of one session.
const (
	maxLine     = 2048 // octets of a command line; RFC 5321 4.5.3.1.4 gives it 512
	maxCommands = 100
)

// session is one connection.
type session struct {
	Visit
	server  *Server
	conn    net.Conn
	in      *bufio.Reader
	code    int  // of the greeting's last line
	greeted bool // the last line of the greeting has gone out
	hungUp  bool // we end the connection, so nobody can blame the client
}

// run has the dialogue.
func (s *session) run(ctx context.Context) {
	if s.server.Script.StartTLS == Implicit && s.handshake(ctx) != nil {
		return
	}
	if s.greeted = s.greet(); !s.greeted {
		return
	}
	for range maxCommands {
		line, err := s.in.ReadSlice('\n')
		if errors.Is(err, bufio.ErrBufferFull) {
			s.send("500 5.5.2 Line too long\r\n")
			s.hungUp = true
			return
		}
		if err != nil {
			return
		}
		command := strings.TrimRight(string(line), "\r\n")
		s.Said = append(s.Said, command)
		if !s.obey(ctx, command) {
			return
		}
	}
	s.send("421 4.7.0 Too many commands\r\n")
	s.hungUp = true
}

// obey answers one command, and tells whether the dialogue goes on.
func (s *session) obey(ctx context.Context, command string) bool {
	verb, _, _ := strings.Cut(command, " ")
	script := s.server.Script
	switch verb = strings.ToUpper(verb); {
	case verb == "QUIT":
		s.Quit = true
		if script.MuteQuits {
			_, _ = io.Copy(io.Discard, s.in) // until the client has enough of it
			return false
		}
		s.send("221 2.0.0 Bye\r\n")
		return false
	case s.code/100 != 2: // RFC 5321 3.1: the server waits for QUIT, and 503 is all else it says
		return s.send("503 5.5.1 Bad sequence of commands\r\n")
	case verb == "EHLO" && script.EHLO != "":
		return s.send(script.EHLO + "\r\n")
	case verb == "EHLO":
		return s.send(s.keywords())
	case verb == "STARTTLS":
		return s.startTLS(ctx)
	}
	return s.send(reply(verb, s.server.name()) + "\r\n")
}

// reply is the reply to a command that no script spoils.
func reply(verb, name string) string {
	switch verb {
	case "HELO":
		return "250 " + name
	case "MAIL", "RCPT", "RSET", "NOOP":
		return "250 2.0.0 OK"
	case "VRFY":
		return "252 2.0.0 Cannot say" // RFC 5321 3.5.3
	case "DATA":
		return "554 5.3.0 A fake exchanger takes no mail"
	}
	return "500 5.5.2 Unknown command"
}

// keywords is the reply to EHLO (RFC 5321 4.1.1.1). STARTTLS is not offered twice (RFC 3207 4.2).
func (s *session) keywords() string {
	offer := "STARTTLS"
	switch {
	case s.TLS || s.server.Script.StartTLS == Absent:
		offer = "HELP"
	case s.server.Script.Masked:
		offer = "XXXXXXXA"
	}
	return "250-" + s.server.name() + "\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-ENHANCEDSTATUSCODES\r\n250 " + offer + "\r\n"
}

// send writes, and tells whether it could. What bounds it in time is the end of the connection, see Converse.
func (s *session) send(text string) bool {
	_, err := io.WriteString(s.conn, text)
	return err == nil
}
