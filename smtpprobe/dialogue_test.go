package smtpprobe

import (
	"bufio"
	"context"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// A script is the server's side of a dialogue, a step per line:
//
//	S: 220 hi       sends the line, with CRLF
//	S" a\r\nb"      sends the text of a Go string as it is
//	C: QUIT         expects the line, with CRLF
//	PASS 20s        lets time pass
//	CLOSE           closes the connection
//
// The client must not have said a byte more than the script expects, at any step and at the end.
func (s *server) play(script string) {
	defer s.conn.Close()
	go s.listen()
	for step := range strings.Lines(script) {
		step = strings.TrimSpace(step)
		verb, text, _ := strings.Cut(step, " ")
		if verb != "C:" {
			s.expectSilence(step)
		}
		switch verb {
		case "S:":
			s.conn.Write([]byte(text + "\r\n"))
		case `S"`:
			raw, err := strconv.Unquote(`"` + text)
			if err != nil {
				s.t.Errorf("%s: %v", step, err)
			}
			s.conn.Write([]byte(raw))
		case "C:":
			if got := <-s.lines; got != text+"\r\n" {
				s.t.Errorf("the client said %q, want %q", got, text)
			}
		case "PASS":
			d, err := time.ParseDuration(text)
			if err != nil {
				s.t.Errorf("%s: %v", step, err)
			}
			time.Sleep(d) // the bubble's clock
		case "CLOSE":
			return
		}
	}
	for line := range s.lines {
		s.t.Errorf("the client also said %q", line)
	}
}

type server struct {
	t     *testing.T
	conn  net.Conn
	lines chan string // what the client said; closed when it has hung up
}

func (s *server) listen() {
	defer close(s.lines)
	for in := bufio.NewReader(s.conn); ; {
		line, err := in.ReadString('\n')
		if line != "" {
			s.lines <- line
		}
		if err != nil {
			return
		}
	}
}

// expectSilence fails the test if the client has said something by now.
func (s *server) expectSilence(step string) {
	synctest.Wait()
	select {
	case line, ok := <-s.lines:
		if ok {
			s.t.Errorf("before %q the client said %q", step, line)
		}
	default:
	}
}

// converse has one dialogue with a scripted server.
func converse(t *testing.T, ctx context.Context, opt Options, script string) Attempt {
	t.Helper()
	client, peer := net.Pipe()
	s := &server{t: t, conn: peer, lines: make(chan string, 10)}
	played := make(chan struct{})
	go func() { defer close(played); s.play(script) }()
	p := &Prober{Dial: func(context.Context, string, string) (net.Conn, error) { return client, nil }}
	opt.Helo = "probe.example"
	r := &run{prober: p, opt: opt.withDefaults(), report: Report{Domain: "d.example"}}
	a, _ := r.connect(ctx, netip.MustParseAddrPort("192.0.2.1:25"), "mx.example")
	<-played
	return a
}

const polite = "C: EHLO probe.example\nS: 250 mx\nC: QUIT\nS: 221 bye"

func TestDialogue(t *testing.T) {
	long := strings.Repeat("x", 3000)
	for _, test := range []struct {
		name    string
		script  string
		verdict Verdict
		code    int
		hello   string
		note    string        // part of a note; "" wants none
		detail  string        // part of the detail
		takes   time.Duration // all of it, on the bubble's clock
	}{
		{"220", "S: 220 mx\n" + polite, OK, 220, "EHLO", "", "", 0},
		{"220 in three lines, with pauses", "S: 220-a\nPASS 6s\nS: 220-b\nPASS 1s\nS: 220 c\n" + polite, OK, 220, "EHLO", "", "", 7 * time.Second},
		{"220 in pieces", "S\" 22\"\nPASS 1s\nS\" 0 m\"\nPASS 1s\nS\" x\\r\"\nPASS 1s\nS\" \\n\"\n" + polite, OK, 220, "EHLO", "", "", 3 * time.Second},
		{"bare 220", "S: 220\n" + polite, OK, 220, "EHLO", "", "", 0},
		{"LF only", "S\" 220 mx\\n\"\n" + polite, OK, 220, "EHLO", "LF alone", "", 0},
		{"250 for a greeting", "S: 250 mx\n" + polite, OK, 250, "EHLO", "greets with 250", "", 0},
		{"our own name", "S: 220 Probe.Example ESMTP\n" + polite, OK, 220, "EHLO", "loop", "", 0},
		{"masked by a PIX", "S: 220 ****0*2**\n" + polite, OK, 220, "EHLO", "masks", "", 0},
		{"greeting after 10 s", "PASS 10s\nS: 220 mx\n" + polite, OK, 220, "EHLO", "", "", 10 * time.Second},
		{"greeting after 20 s", "PASS 20s\nS: 220 mx\n" + polite, Slow, 220, "EHLO", "takes 20s", "", 20 * time.Second},
		{"silence", "PASS 29s", GreetingTimeout, 0, "", "", "within 30s", 30 * time.Second},
		{"dripping", "S\" 2\"\nPASS 9s\nS\" 2\"\nPASS 9s\nS\" 0\"\nPASS 9s\nS\"  \"", GreetingTimeout, 0, "", "", "within 30s", 30 * time.Second},
		{"a greeting without end", strings.Repeat("S: 220-wait\nPASS 4s\n", 7), GreetingTimeout, 220, "", "", "within 30s", 30 * time.Second},
		{"554, and no answer to QUIT", "S: 554 no\nC: QUIT", Greeting5xx, 554, "", "", "alive", 2 * time.Second},
		{"521", "S: 521 never\nC: QUIT\nS: 221 bye", Greeting5xx, 521, "", "", "never takes mail", 0},
		{"421", "S: 421 busy\nC: QUIT\nS: 221 bye", Greeting4xx, 421, "", "", "busy", 0},
		{"450", "S: 450 later\nC: QUIT\nCLOSE", Greeting4xx, 450, "", "", "for now", 0},
		{"354", "S: 354 go\nC: QUIT\nS: 221 bye", BadGreeting, 354, "", "", "354", 0},
		{"codes differ", "S: 220-a\nS: 554 no\nC: QUIT\nS: 221 bye", BadGreeting, 554, "", "", "different codes", 0},
		{"endless line", "S: 220 " + long, BadGreeting, 0, "", "", "too long", 0},
		{"endless lines", strings.Repeat("S: 220-x\n", 101), BadGreeting, 220, "", "", "too long", 0},
		{"garbage inside", "S: 220-a\nS: hello", BadGreeting, 220, "", "", "malformed", 0},
		{"SSH", "S: SSH-2.0-OpenSSH_9.2", NotSMTP, 0, "", "", `"SSH-2.0-OpenSSH_9.2"`, 0},
		{"binary, without a line", "S\" \\x00\\x1b[2J\"", NotSMTP, 0, "", "", `"\x00\x1b[2J"`, 30 * time.Second},
		{"hangs up", "CLOSE", ClosedBeforeGreeting, 0, "", "", "closed", 0},
		{"hangs up inside the greeting", "S: 220-a\nCLOSE", ClosedBeforeGreeting, 220, "", "", "closed", 0},
		{"HELO", "S: 220 mx\nC: EHLO probe.example\nS: 502 what\nC: HELO probe.example\nS: 250 mx\nC: QUIT\nS: 221 bye", OK, 220, "HELO", "refuses EHLO with 502 what", "", 0},
		{"neither", "S: 220 mx\nC: EHLO probe.example\nS: 550 a\nC: HELO probe.example\nS: 550 b\nC: QUIT\nS: 221 bye", OK, 220, "", "refuses HELO with 550 b", "", 0},
		{"421 to EHLO", "S: 220 mx\nC: EHLO probe.example\nS: 421 later\nC: QUIT\nS: 221 bye", OK, 220, "", "421 later", "", 0},
		{"no answer to EHLO", "S: 220 mx\nC: EHLO probe.example\nPASS 30s\nC: QUIT\nS: 221 bye", OK, 220, "", "EHLO fails (timed out)", "", 30 * time.Second},
		{"garbage for EHLO", "S: 220 mx\nC: EHLO probe.example\nS: huh\nC: QUIT\nS: 221 bye", OK, 220, "", "not an SMTP reply", "", 0},
		{"hangs up after EHLO", "S: 220 mx\nC: EHLO probe.example\nCLOSE", OK, 220, "", "connection closed", "", 0},
		{"no answer to QUIT", "S: 220 mx\nC: EHLO probe.example\nS: 250 mx\nC: QUIT", OK, 220, "EHLO", "", "", 5 * time.Second},
		{"dripping to the end", "S: 220 mx\nC: EHLO probe.example\nS: 250 mx\nC: QUIT\n" + strings.Repeat("S: 221-a\nPASS 2s\n", 2), OK, 220, "EHLO", "", "", 5 * time.Second},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				a := converse(t, t.Context(), Options{}, test.script)
				if a.Verdict != test.verdict || a.Code != test.code || a.Hello != test.hello {
					t.Errorf("got %s, code %d, hello %q", a.Verdict, a.Code, a.Hello)
				}
				if notes := strings.Join(a.Notes, "; "); !strings.Contains(notes, test.note) || test.note == "" && notes != "" {
					t.Errorf("notes %q, want %q", notes, test.note)
				}
				if !strings.Contains(a.Detail, test.detail) || test.detail == "" && a.Detail != "" {
					t.Errorf("detail %q, want %q", a.Detail, test.detail)
				}
				if took := time.Since(start); took != test.takes {
					t.Errorf("took %v, want %v", took, test.takes)
				}
			})
		})
	}
}

func TestGreetingIsEscapedAndBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := converse(t, t.Context(), Options{}, `S" 220-caf\u00e9 \u009b31m \x1b]0;owned\a\r\n220 \xff\u202e\r\n"`+"\n"+polite)
		if want := "café \\u{9b}31m \\x1b]0;owned\\x07\n\\xff\\u{202e}"; a.Greeting != want {
			t.Errorf("greeting %q, want %q", a.Greeting, want)
		}
		a = converse(t, t.Context(), Options{}, strings.Repeat("S: 220-"+strings.Repeat("é", 100)+"\n", 9)+"S: 220 x\n"+polite)
		if len(a.Greeting) > maxGreeting || !strings.HasSuffix(a.Greeting, "é…") {
			t.Errorf("greeting of %d bytes: %q", len(a.Greeting), a.Greeting)
		}
	})
}

func TestExtensions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := converse(t, t.Context(), Options{}, `S: 220 mx
			C: EHLO probe.example
			S: 250-mx.example greets probe.example
			S: 250-size 10240000
			S: 250-DSN
			S: 250-AUTH=LOGIN PLAIN
			S: 250-AUTH LOGIN PLAIN
			S" 250-X-\x1b[31m\r\n"
			S: 250 8bitmime
			C: QUIT
			S: 221 bye`)
		want := []string{"SIZE 10240000", "DSN", "AUTH LOGIN PLAIN", `X-\x1b[31M`, "8BITMIME"}
		if !slices.Equal(a.Extensions, want) {
			t.Errorf("extensions %q, want %q", a.Extensions, want)
		}
	})
}

func TestTeaser(t *testing.T) {
	for script, want := range map[string]bool{
		"S: 220-wait\nPASS 1100ms\nS: 220 mx\nC: QUIT\nS: 221 bye": true,
		"S: 220-wait\nPASS 900ms\nS: 220 mx\nC: QUIT\nS: 221 bye":  false,
		"PASS 3s\nS: 220 mx\nC: QUIT\nS: 221 bye":                  false,
	} {
		synctest.Test(t, func(t *testing.T) {
			if a := converse(t, t.Context(), Options{Depth: DepthGreeting}, script); a.Teaser != want {
				t.Errorf("%q: teaser %v", script, a.Teaser)
			}
		})
	}
}

func TestPhasesAreMeasured(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := converse(t, t.Context(), Options{}, `PASS 1500ms
			S: 220-mx
			PASS 250ms
			S: 220 mx
			C: EHLO probe.example
			PASS 40ms
			S: 250 mx
			C: QUIT
			PASS 5ms
			S: 221 bye`)
		if a.Teaser {
			t.Error("a quarter of a second is no teaser")
		}
		if want := (Phases{FirstByte: 1500, Greeting: 1750, Hello: 40, Quit: 5}); a.MS != want {
			t.Errorf("got %+v, want %+v", a.MS, want)
		}
	})
}

// The caller's time and the time of the address end a probe; QUIT goes out all the same once there was a greeting.
func TestTimeIsUp(t *testing.T) {
	const mute = "S: 220 mx\nC: EHLO probe.example\nPASS 3s\nC: QUIT"
	for _, test := range []struct {
		name    string
		script  string
		opt     Options
		caller  time.Duration // when the caller gives up; 0: never
		verdict Verdict
		takes   time.Duration
	}{
		{"caller, before the greeting", "PASS 2s", Options{}, 3 * time.Second, LocalError, 3 * time.Second},
		{"caller, inside the greeting", "S: 220-a\nPASS 2s", Options{}, 3 * time.Second, LocalError, 3 * time.Second},
		{"caller, at EHLO", mute, Options{}, 3 * time.Second, OK, 4 * time.Second},
		{"caller, at QUIT", "S: 220 mx\nC: EHLO probe.example\nS: 250 mx\nC: QUIT", Options{}, 3 * time.Second, OK, 3 * time.Second},
		{"address, before the greeting", "PASS 2s", Options{Timeouts: Timeouts{Address: 3 * time.Second}}, 0, GreetingTimeout, 3 * time.Second},
		{"address, at EHLO", mute, Options{Timeouts: Timeouts{Address: 3 * time.Second}}, 0, OK, 4 * time.Second},
	} {
		for _, cancels := range []bool{false, true} {
			t.Run(test.name+map[bool]string{false: " (deadline)", true: " (cancel)"}[cancels], func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					ctx, cancel := context.WithCancel(t.Context())
					defer cancel()
					if test.caller > 0 && cancels {
						time.AfterFunc(test.caller, cancel)
					} else if test.caller > 0 {
						ctx, cancel = context.WithTimeout(ctx, test.caller)
						defer cancel()
					}
					start := time.Now()
					a := converse(t, ctx, test.opt, test.script)
					if took := time.Since(start); a.Verdict != test.verdict || took != test.takes {
						t.Errorf("got %s after %v, want %s after %v", a.Verdict, took, test.verdict, test.takes)
					}
				})
			})
		}
	}
}

// slowConn takes its time to end a reading.
type slowConn struct{ net.Conn }

func (c slowConn) SetReadDeadline(at time.Time) error {
	err := c.Conn.SetReadDeadline(at)
	if at.Before(time.Now()) {
		time.Sleep(time.Second / 2) // the bubble's clock
		err = c.Conn.SetReadDeadline(at)
	}
	return err
}

// What ends the reading of one reply must not end that of the next: QUIT has its own second.
func TestCutEndsOneReadingOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, peer := net.Pipe()
		defer peer.Close()
		go attend(peer, "220 mx")
		s := &session{conn: slowConn{client}, replies: newReplyReader(client), attempt: &Attempt{}}
		ctx, cancel := context.WithCancel(t.Context())
		if _, err := s.read(ctx, time.Minute); err != nil {
			t.Fatal(err)
		}
		time.AfterFunc(time.Second, cancel)
		if _, err := s.read(ctx, time.Minute); !isTimeout(err) {
			t.Errorf("cut: %v", err)
		}
		start := time.Now()
		if _, err := s.read(context.WithoutCancel(ctx), time.Second); !isTimeout(err) || time.Since(start) != time.Second {
			t.Errorf("%v after %v, want a second's patience", err, time.Since(start))
		}
	})
}

func TestConnectTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		p := &Prober{Exchange: zone(t, "d.example. A 11.0.0.1"), Dial: (&network{peers: map[string]string{"11.0.0.1": "filtered"}}).dial}
		if r := p.Probe(t.Context(), "d.example"); r.MX[0].Verdict != TimeoutConnect || time.Since(start) != 10*time.Second {
			t.Errorf("%s after %v, want 10 s", summary(r), time.Since(start))
		}
	})
}
