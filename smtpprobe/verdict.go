package smtpprobe

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"syscall"
	"time"
)

// judge gives the attempt the verdict on its greeting.
func (s *session) judge(greeting reply, err error, took time.Duration) {
	a := s.attempt
	a.Code, a.Greeting = greeting.code, escapeLines(greeting.lines)
	switch {
	case err != nil:
		a.Verdict, a.Detail = brokenVerdict(greeting, err)
		if a.Verdict == GreetingTimeout {
			a.Detail = fmt.Sprintf("no whole greeting within %v", took.Round(time.Millisecond))
		}
	case greeting.code/100 == 2:
		a.Verdict = OK
		if took > s.opt.Slow {
			a.Verdict = Slow
			s.note("it takes %v to greet, and not every sender waits that long", took.Round(100*time.Millisecond))
		}
	case greeting.code/100 == 4 || greeting.code/100 == 5:
		a.Verdict, a.Detail = refusalVerdict(greeting.code)
	default:
		a.Verdict, a.Detail = BadGreeting, fmt.Sprintf("no greeting begins with %03d", greeting.code)
	}
	s.noteOddities(greeting)
}

// brokenVerdict judges a greeting that is none, or that did not end well.
func brokenVerdict(greeting reply, err error) (Verdict, string) {
	switch {
	case errors.Is(err, errNotReply):
		return NotSMTP, `it says "` + Escape(greeting.stray) + `"`
	case errors.Is(err, errTooLong), errors.Is(err, errMalformed), errors.Is(err, errCodesDiffer):
		return BadGreeting, err.Error()
	case isTimeout(err):
		return GreetingTimeout, "" // judge knows how long it was
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrClosedPipe):
		return ClosedBeforeGreeting, "connection closed before the greeting ended"
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return Unreachable, describe(err)
	}
	return Reset, describe(err)
}

// refusalVerdict judges a greeting of 4xx or 5xx: the server lives, and refuses this client. It is not down.
func refusalVerdict(code int) (Verdict, string) {
	switch {
	case code == 421:
		return Greeting4xx, "alive, but busy or shutting down (421)"
	case code/100 == 4:
		return Greeting4xx, "alive, refuses this client for now"
	case code == 521: // RFC 7504 3
		return Greeting5xx, "alive, and never takes mail (521): an MX record to remove"
	}
	return Greeting5xx, "alive, refuses this client"
}

// noteOddities notes what is odd about a greeting without deciding its verdict.
func (s *session) noteOddities(greeting reply) {
	if greeting.bareLF {
		s.note("it ends lines with LF alone, where RFC 5321 section 2.3.8 wants CRLF")
	}
	if !greeting.complete || greeting.code/100 != 2 {
		return
	}
	text := greeting.lines[0]
	first, _, _ := strings.Cut(text, " ")
	if greeting.code != 220 { // Postfix takes any 2xx, other senders 220 only
		s.note("it greets with %d: not every sender takes that for 220", greeting.code)
	}
	if strings.EqualFold(first, s.helo) {
		s.note("it greets with our own name %s: mail sent there may loop", s.helo)
	}
	if strings.Contains(text, "*") && strings.Trim(text, "*20 \t") == "" {
		s.note("a firewall masks its greeting (all asterisks, as Cisco's PIX does), which breaks ESMTP")
	}
}

// parseExtensions reads the EHLO keywords (RFC 5321 4.1.1.1) from the lines after the first: the keyword in
// upper case, its parameters as they came, each pair once. "AUTH=LOGIN", an old form, becomes "AUTH LOGIN".
func parseExtensions(lines []string) []string {
	var extensions []string
	for _, line := range lines[1:] {
		line = strings.TrimSpace(line)
		end := strings.IndexAny(line, " =")
		if end < 0 {
			end = len(line)
		}
		e := strings.ToUpper(line[:end])
		if end < len(line) {
			e += " " + strings.TrimSpace(line[end+1:])
		}
		e = clip(Escape(e), maxExtension)
		if e != "" && !slices.Contains(extensions, e) {
			extensions = append(extensions, e)
		}
	}
	return extensions
}

// escapeLine is the last line of a reply, fit for a Report.
func escapeLine(lines []string) string {
	return clip(Escape(lines[len(lines)-1]), maxDetail)
}
