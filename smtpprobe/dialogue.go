package smtpprobe

import (
	"context"
	"time"
)

// converse has the dialogue as far as the depth goes, quits, and closes the connection.
func (s *session) converse(ctx context.Context) {
	defer s.close()
	if s.opt.ImplicitTLS {
		s.attempt.handshake = &handshake{offered: true, serverName: s.serverName}
		if !s.secure(ctx) {
			s.attempt.Verdict, s.attempt.Detail = TLSFailed, s.attempt.handshake.failure()
			return
		}
	}
	if !s.greet(ctx) {
		return
	}
	patience := s.opt.Timeouts.QuitRefused
	if s.attempt.Verdict == OK || s.attempt.Verdict == Slow {
		s.talk(ctx)
		patience = s.opt.Timeouts.Quit
	}
	s.quit(ctx, patience)
}

// talk is what stands between a greeting of 220 and QUIT. What goes wrong here is noted; the exchanger has
// said 220 all the same.
func (s *session) talk(ctx context.Context) {
	if s.opt.Depth < DepthTLS {
		return
	}
	start := time.Now()
	s.attempt.Hello, s.attempt.Extensions = s.hello(ctx)
	s.attempt.MS.Hello = milliseconds(time.Since(start))
	if s.attempt.Hello == "" || !s.opt.ImplicitTLS && !s.startTLS(ctx) {
		return
	}
	if s.opt.Depth >= DepthRCPT {
		s.recipient(ctx)
	}
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
		s.attempt.Teaser = len(greeting.lines) > 1 && time.Since(greeting.firstByte) > teaserGap
	}
	s.judge(greeting, err, took)
	return greeting.complete
}

// teaserGap is how much later the last line of a greeting comes where the first is there to tempt those who do not wait.
const teaserGap = time.Second

// hello says EHLO, and HELO where that is refused (RFC 5321 3.2). It returns the command that was accepted,
// and the extensions offered.
func (s *session) hello(ctx context.Context) (verb string, extensions []string) {
	for _, verb := range []string{"EHLO", "HELO"} {
		rep, err := s.command(ctx, verb+" "+s.helo, s.opt.Timeouts.Hello)
		switch {
		case ctx.Err() != nil:
			s.note("the time was up before it answered %s", verb)
			return "", nil
		case err != nil:
			s.note("it greets, but %s fails (%s)", verb, describe(err))
			return "", nil
		case rep.code/100 == 2 && verb == "EHLO":
			return verb, parseExtensions(rep.lines)
		case rep.code/100 == 2:
			return verb, nil
		}
		s.note("it refuses %s with %d %s", verb, rep.code, escapeLine(rep.lines))
		if rep.code/100 != 5 {
			break // 421 ends the session, and any other 4xx may take EHLO later
		}
	}
	return "", nil
}

// recipient asks whether the postmaster of the domain would get mail, which every domain's must (RFC 5321
// 4.5.1). The sender is null, no message is sent, and RSET takes all back.
func (s *session) recipient(ctx context.Context) {
	for _, c := range []struct{ verb, line string }{
		{"MAIL", "MAIL FROM:<>"},
		{"RCPT", "RCPT TO:<postmaster@" + s.domain + ">"},
	} {
		rep, err := s.command(ctx, c.line, s.opt.Timeouts.Recipient)
		if err != nil {
			s.note("%s fails (%s)", c.verb, describe(err))
			return
		}
		if c.verb == "MAIL" && rep.code/100 == 2 { // of the mailbox that says nothing yet, and perhaps RCPT is never answered
			continue
		}
		s.attempt.Recipient = &Recipient{Command: c.verb, Code: rep.code, Text: escapeLine(rep.lines)}
		if rep.code == 421 {
			return
		} else if rep.code/100 != 2 {
			break
		}
	}
	if _, err := s.command(ctx, "RSET", s.opt.Timeouts.Recipient); err != nil {
		s.note("RSET fails (%s)", describe(err))
	}
}

// quit says QUIT and waits for the reply: "the sender MUST NOT intentionally close the transmission channel
// until it sends a QUIT command, and it SHOULD wait until it receives the reply" (RFC 5321 4.1.1.10). So
// QUIT goes out even when the time is up or the dialogue went wrong.
//
// It is not sent where the greeting's last line never came (silence, no end, not SMTP): a session begins
// with the greeting (RFC 5321 3.1), nothing may be sent before it, and such a connection is simply closed. Nor
// is it sent after a handshake that failed: neither side can tell what would come through.
func (s *session) quit(ctx context.Context, patience time.Duration) {
	if s.lost {
		return
	}
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
