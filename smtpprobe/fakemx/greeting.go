package fakemx

import (
	"errors"
	"net"
	"os"
	"time"
)

const (
	// earlyWindow is how long we listen for early talk before anything else, where the script asks for no longer wait. It
	// also lets a client see its connection established before it is reset.
	earlyWindow = 20 * time.Millisecond
	// endlessPause stands between two lines of an endless greeting.
	endlessPause = 10 * time.Millisecond
)

// greet does what the script has in place of a greeting, or greets. It tells whether the last line of a greeting has gone
// out: from then on the client may talk.
func (s *session) greet() bool {
	script := s.server.Script
	if !s.quiet(max(script.Delay, earlyWindow)) {
		return false
	}
	switch script.Fate {
	case Silent:
		s.quiet(s.server.maxTime())
		return false
	case Endless:
		for s.send("220-There is more to come\r\n") && s.quiet(endlessPause) {
		}
		return false
	case Resets:
		if tcp, ok := s.conn.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0) // so Close sends RST
		}
		return false
	case Closes:
		return false
	}
	lines, ends := script.greeting(s.server.name())
	for i, line := range lines {
		if script.Teaser > 0 && i == 1 && !s.quiet(script.Teaser) {
			return false
		}
		if !s.greetLine(line) {
			return false
		}
	}
	if !ends {
		s.quiet(s.server.maxTime())
	}
	s.code = replyCode(lines[len(lines)-1])
	return ends
}

// greetLine sends one line of the greeting, at once or octet by octet.
func (s *session) greetLine(line string) bool {
	script := s.server.Script
	if script.Ending == "" {
		line += "\r\n"
	} else {
		line += script.Ending
	}
	if script.Dribble <= 0 {
		return s.send(line)
	}
	for i := range len(line) {
		if !s.quiet(script.Dribble) || !s.send(line[i:i+1]) {
			return false
		}
	}
	return true
}

// quiet waits that long, and tells whether the client is still there and has been quiet. One that has not is told so and
// hung up on: "the sender SHOULD wait for the greeting before sending any commands" (RFC 5321 4.3.1).
func (s *session) quiet(wait time.Duration) bool {
	if s.conn.SetReadDeadline(time.Now().Add(wait)) != nil {
		return false
	}
	_, err := s.in.Peek(1)
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return s.conn.SetReadDeadline(time.Time{}) == nil
	case err == nil:
		s.Early, s.hungUp = true, true
		s.send("521 5.5.1 You talk before the greeting ends\r\n")
	}
	return false
}
