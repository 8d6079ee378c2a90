package fakemx

import "time"

// Script says how a [Server] behaves. The zero value is a well-behaved exchanger; every field spoils one thing, and they
// combine.
type Script struct {
	Delay   time.Duration // silence before the greeting
	Teaser  time.Duration // a first line of the greeting, then this silence, then the rest, as postscreen does; 0: no such line
	Dribble time.Duration // silence before each octet of the greeting

	Greeting  []string // its lines, sent as they stand, be they SMTP or not; nil: "220 NAME ESMTP fakemx"
	Ending    string   // of the lines of the greeting; "": CRLF
	Fate      Fate     // of the connection, in place of a greeting
	Masked    bool     // a firewall in front hides the greeting's text and the STARTTLS keyword, as Cisco PIX did
	EHLO      string   // the reply that refuses EHLO, such as "502 5.5.2 What?"; "": accepted
	StartTLS  StartTLS
	MuteQuits bool // no reply to QUIT, and the connection stays open
}

// Fate is what becomes of a connection that gets no proper greeting.
type Fate int

// The fates.
const (
	Greets  Fate = iota // none of them: it greets
	Silent              // not a word
	Endless             // lines of a greeting that never ends
	Closes              // closed without a word
	Resets              // the same, with a TCP reset
)

// StartTLS is what becomes of the command STARTTLS (RFC 3207).
type StartTLS int

// What STARTTLS may meet.
const (
	Works    StartTLS = iota // offered, and works
	Absent                   // not offered; refused with 502
	Fails                    // offered, refused with 454 (RFC 3207 4)
	Injects                  // more plain text in the same segment as its 220, as somebody on the way would add it
	Garbles                  // 220, and then no TLS
	Hangs                    // 220, and then silence
	Implicit                 // not offered: TLS comes before the greeting, as on port 465 (RFC 8314 3)
)

// greeting is the lines of the greeting as they go out, and whether its last one ends a reply.
func (s Script) greeting(name string) (lines []string, ends bool) {
	lines = s.Greeting
	if len(lines) == 0 {
		lines = []string{"220 " + name + " ESMTP fakemx"}
	}
	if s.Masked {
		lines = []string{"220 ****************2*********0*****"}
	}
	last := lines[len(lines)-1]
	ends = replyCode(last) != 0 && (len(last) == 3 || last[3] == ' ')
	if s.Teaser > 0 {
		lines = append([]string{"220-" + name + " please wait"}, lines...)
	}
	return lines, ends
}

// replyCode is the code that begins a reply line (RFC 5321 4.2), 0 if none does.
func replyCode(line string) (code int) {
	if len(line) < 3 || len(line) > 3 && line[3] != ' ' && line[3] != '-' {
		return 0
	}
	for _, c := range []byte(line[:3]) {
		if c < '0' || c > '9' {
			return 0
		}
		code = code*10 + int(c-'0')
	}
	return code
}
