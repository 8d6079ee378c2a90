package fakemx

import (
	"io"
	"strings"
	"testing"
	"testing/synctest"
)

// STARTTLS in all its ways, over the pipe.
func TestStartTLS(t *testing.T) {
	for _, test := range []struct {
		script    string
		reply     string // to STARTTLS, to the end of what is said in clear
		handshake bool   // is begun by the client
		works     bool
	}{
		{"", "220 2.0.0 Ready to start TLS\r\n", true, true},
		{"no-starttls", "502 5.5.1 No STARTTLS here\r\n", false, false},
		{"starttls-454", "454 4.7.0 TLS not available due to temporary reason\r\n", false, false},
		{"starttls-inject", "220 2.0.0 Ready to start TLS\r\n250-injected.example\r\n250 AUTH PLAIN\r\n", true, true},
		{"bad-tls", "220 2.0.0 Ready to start TLS\r\n", true, false},
		{"tls-hang", "220 2.0.0 Ready to start TLS\r\n", true, false},
	} {
		t.Run(test.script, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := meet(t, parse(t, strings.Fields(test.script)...))
				c.lines(1)
				io.WriteString(c.conn, "STARTTLS\r\n")
				segment := make([]byte, 4096)
				n, err := c.in.Read(segment) // of a pipe: what one Write wrote
				if got := string(segment[:n]); err != nil || got != test.reply {
					t.Fatalf("STARTTLS got %q (%v), want %q", got, err, test.reply)
				}
				if test.handshake {
					err := c.handshake()
					if (err == nil) != test.works {
						t.Errorf("the handshake: %v", err)
					}
				}
				if !test.handshake || test.works {
					c.tell("QUIT", "221 2.0.0 Bye")
				}
				v := c.over()
				if v.TLS != test.works || v.TLSFailed != (test.handshake && !test.works) || v.MissingQuit {
					t.Errorf("the visit: %+v", v)
				}
			})
		})
	}
}

// After the handshake STARTTLS is gone; TLS from the first octet has it nowhere.
func TestInsideTLS(t *testing.T) {
	for _, script := range []string{"", "implicit-tls"} {
		synctest.Test(t, func(t *testing.T) {
			c := meet(t, parse(t, strings.Fields(script)...))
			if script == "" {
				c.lines(1)
				c.tell("STARTTLS", "220 2.0.0 Ready to start TLS")
			}
			if err := c.handshake(); err != nil {
				t.Fatal(err)
			}
			if script != "" {
				c.lines(1)
			}
			io.WriteString(c.conn, "EHLO a.example\r\n")
			if got := c.lines(5); strings.Contains(got, "STARTTLS") || !strings.HasSuffix(got, "250 HELP\r\n") {
				t.Errorf("inside TLS it offers %q", got)
			}
			c.tell("QUIT", "221 2.0.0 Bye")
			if v := c.over(); !v.TLS || !v.Quit {
				t.Errorf("the visit: %+v", v)
			}
		})
	}
}

// Commands behind STARTTLS in the same segment are an attack's work, or a client's that does not wait.
func TestTalksBehindStartTLS(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := meet(t, Script{})
		c.lines(1)
		c.tell("STARTTLS\r\nMAIL FROM:<mallory@example>", "554 5.5.1 You talk before the reply to STARTTLS")
		if v := c.over(); !v.Early || v.TLS {
			t.Errorf("the visit: %+v, want early talk", v)
		}
	})
}
