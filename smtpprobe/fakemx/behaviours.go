package fakemx

import (
	"fmt"
	"strings"
	"time"
)

// maxWait is the longest wait that a script may ask for: as long as RFC 5321 4.5.3.2.1 tells a client to be patient.
const maxWait = 5 * time.Minute

// A Behaviour is one thing that a [Script] can be told by name.
type Behaviour struct {
	Name  string
	Does  string        // one line for people
	Takes time.Duration // what NAME alone means where NAME=DURATION is understood too; 0: the name stands alone

	part string // of the dialogue that it decides: two behaviours for one part exclude each other
	set  func(*Script, time.Duration)
}

// Behaviours lists all of them, in the order of the dialogue.
func Behaviours() []Behaviour {
	return []Behaviour{
		{"delay", "wait, then greet", 6 * time.Second, "delay", func(s *Script, d time.Duration) { s.Delay = d }},
		{"teaser", "send a 220- line, wait, then the 220 line, as postscreen does", 6 * time.Second, "teaser",
			func(s *Script, d time.Duration) { s.Teaser = d }},
		{"dribble", "send the greeting octet by octet", 100 * time.Millisecond, "dribble", func(s *Script, d time.Duration) { s.Dribble = d }},
		greeting("421", "greet with 421: shutting down, or too many connections", "421 4.3.2 Service not available, closing transmission channel"),
		greeting("450", "greet with 450: not now", "450 4.7.1 Try again later"),
		greeting("521", "greet with 521: this host never takes mail (RFC 7504)", "521 5.3.2 This host takes no mail"),
		greeting("554", "greet with 554: not you (RFC 5321 3.1)", "554 5.7.1 No SMTP service for you"),
		greeting("bare-220", "greet with the code alone, which is legal input (RFC 5321 4.2)", "220"),
		greeting("codes-differ", "greet with two lines whose codes differ", "220-Welcome", "554 Or not"),
		greeting("ssh", "greet as an SSH server does", "SSH-2.0-OpenSSH_9.2p1"),
		fate("silent", "accept the connection and say nothing", Silent),
		fate("endless", "send lines of a greeting that never ends", Endless),
		fate("close", "close the connection without a word", Closes),
		fate("reset", "reset the connection without a word", Resets),
		simple("pix", "hide the greeting and STARTTLS behind asterisks, as a Cisco PIX does", "greeting", func(s *Script) { s.Masked = true }),
		simple("lf-only", "end the lines of the greeting with LF alone", "ending", func(s *Script) { s.Ending = "\n" }),
		simple("no-ehlo", "refuse EHLO with 502, take HELO", "ehlo", func(s *Script) { s.EHLO = "502 5.5.2 What is EHLO?" }),
		simple("ehlo-421", "answer EHLO with 421", "ehlo", func(s *Script) { s.EHLO = "421 4.3.2 Too busy, closing transmission channel" }),
		startTLS("no-starttls", "do not offer STARTTLS", Absent),
		startTLS("starttls-454", "offer STARTTLS, then refuse it with 454", Fails),
		startTLS("starttls-inject", "send plain text in the same segment as the 220 of STARTTLS", Injects),
		startTLS("bad-tls", "answer STARTTLS with 220, and the TLS handshake with text", Garbles),
		startTLS("tls-hang", "answer STARTTLS with 220, and the TLS handshake with silence", Hangs),
		startTLS("implicit-tls", "speak TLS from the first octet, as on port 465", Implicit),
		simple("mute-quit", "do not answer QUIT, keep the connection open", "quit", func(s *Script) { s.MuteQuits = true }),
	}
}

func greeting(name, does string, lines ...string) Behaviour {
	return simple(name, does, "greeting", func(s *Script) { s.Greeting = lines })
}

func fate(name, does string, f Fate) Behaviour {
	return simple(name, does, "greeting", func(s *Script) { s.Fate = f })
}

func startTLS(name, does string, what StartTLS) Behaviour {
	return simple(name, does, "starttls", func(s *Script) { s.StartTLS = what })
}

func simple(name, does, part string, set func(*Script)) Behaviour {
	return Behaviour{Name: name, Does: does, part: part, set: func(s *Script, _ time.Duration) { set(s) }}
}

// Parse makes a script of behaviours, each NAME or NAME=DURATION. None at all is a well-behaved exchanger. The error names
// the one that is unknown, is given a wrong duration, or says otherwise than one before it.
func Parse(names ...string) (Script, error) {
	var script Script
	chosen := map[string]string{} // by part of the dialogue
	for _, n := range names {
		name, value, valued := strings.Cut(n, "=")
		b, err := find(name)
		if err != nil {
			return Script{}, err
		}
		wait := b.Takes
		switch {
		case chosen[b.part] != "":
			return Script{}, fmt.Errorf("behaviours %s and %s exclude each other", chosen[b.part], name)
		case valued && b.Takes == 0:
			return Script{}, fmt.Errorf("behaviour %q: %s takes no duration", n, name)
		case valued:
			if wait, err = time.ParseDuration(value); err != nil || wait <= 0 || wait > maxWait {
				return Script{}, fmt.Errorf("behaviour %q: %q is not a duration above 0 and up to %v, such as %v", n, value, maxWait, b.Takes)
			}
		}
		chosen[b.part] = name
		b.set(&script, wait)
	}
	return script, nil
}

// find looks a behaviour up.
func find(name string) (Behaviour, error) {
	var known []string
	for _, b := range Behaviours() {
		if b.Name == name {
			return b, nil
		}
		known = append(known, b.Name)
	}
	return Behaviour{}, fmt.Errorf("behaviour %q is unknown; there are %s", name, strings.Join(known, ", "))
}
