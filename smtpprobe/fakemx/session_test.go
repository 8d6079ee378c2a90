package fakemx

import (
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// Who leaves without QUIT is noted, unless we ended it.
func TestQuit(t *testing.T) {
	for _, test := range []struct {
		name, script  string
		talk          func(c *client)
		quit, missing bool
	}{
		{"polite", "", func(c *client) { c.tell("QUIT", "221 2.0.0 Bye") }, true, false},
		{"after 554", "554", func(c *client) {
			c.tell("EHLO a.example", "503 5.5.1 Bad sequence of commands")
			c.tell("quit", "221 2.0.0 Bye")
		}, true, false},
		{"gone after 554", "554", func(*client) {}, false, true},
		{"gone after 220", "", func(*client) {}, false, true},
		{"gone after EHLO", "", func(c *client) { c.tell("EHLO a.example", "250-mx.example") }, false, true},
		{"mute", "mute-quit", func(c *client) {
			io.WriteString(c.conn, "QUIT\r\n")
			c.conn.SetReadDeadline(time.Now().Add(5 * time.Minute))
			if _, err := c.in.ReadByte(); err == nil || err == io.EOF {
				c.t.Errorf("QUIT got %v, want silence", err)
			}
		}, true, false},
		{"out of time", "", func(c *client) {
			if _, err := c.in.ReadByte(); err != io.EOF || time.Since(c.began) != defaultTime {
				c.t.Errorf("%v after %v, want the end after %v", err, time.Since(c.began), defaultTime)
			}
		}, false, false},
		{"endless line", "", func(c *client) {
			go io.WriteString(c.conn, strings.Repeat("x", 2*maxLine))
			if got := c.lines(1); !strings.HasPrefix(got, "500 ") {
				c.t.Errorf("an endless line got %q, want 500", got)
			}
		}, false, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := meet(t, parse(t, strings.Fields(test.script)...))
				c.lines(1)
				test.talk(c)
				if v := c.over(); v.Quit != test.quit || v.MissingQuit != test.missing {
					t.Errorf("QUIT %t, missing %t; want %t, %t", v.Quit, v.MissingQuit, test.quit, test.missing)
				}
			})
		})
	}
}

// The dialogue of a mail: everything up to DATA, and never a mail.
func TestTakesNoMail(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := meet(t, Script{})
		c.lines(1)
		c.tell("EHLO a.example", "250-mx.example")
		c.tell("MAIL FROM:<>", "250 2.0.0 OK")
		c.tell("RCPT TO:<postmaster@mx.example>", "250 2.0.0 OK")
		c.tell("DATA", "554 5.3.0 A fake exchanger takes no mail")
		c.tell("RSET", "250 2.0.0 OK")
		c.tell("FLY", "500 5.5.2 Unknown command")
		c.tell("QUIT", "221 2.0.0 Bye")
		v := c.over()
		if got := strings.Join(v.Said, "|"); got != "EHLO a.example|MAIL FROM:<>|RCPT TO:<postmaster@mx.example>|DATA|RSET|FLY|QUIT" {
			t.Errorf("it heard %q", got)
		}
	})
}

// EHLO refused, and what is offered where.
func TestHello(t *testing.T) {
	for _, test := range []struct {
		script, ehlo string
		starttls     bool
	}{
		{"", "250-mx.example\r\n", true}, {"no-starttls", "250-mx.example\r\n", false}, {"pix", "250-mx.example\r\n", false},
		{"no-ehlo", "502 5.5.2 What is EHLO?\r\n", false}, {"ehlo-421", "421 4.3.2 Too busy, closing transmission channel\r\n", false},
	} {
		t.Run(test.script, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := meet(t, parse(t, strings.Fields(test.script)...))
				c.lines(1)
				io.WriteString(c.conn, "EHLO a.example\r\n")
				line := c.lines(1)
				rest := ""
				for last := line; last[3] == '-'; rest += last {
					last = c.lines(1)
				}
				if line != test.ehlo || strings.Contains(rest, "STARTTLS\r\n") != test.starttls {
					t.Errorf("EHLO got %q%q, want %q and STARTTLS %t", line, rest, test.ehlo, test.starttls)
				}
				c.tell("HELO a.example", "250 mx.example")
			})
		})
	}
}

// Whatever a client says, the dialogue ends, and what is remembered of it is bounded.
func FuzzClient(f *testing.F) {
	f.Add([]byte("EHLO a\r\nMAIL FROM:<>\r\nRCPT TO:<a@b>\r\nDATA\r\nQUIT\r\n"), uint8(0))
	f.Add([]byte("STARTTLS\r\n\x16\x03\x01\x00\x05hello"), uint8(0))
	f.Add([]byte(strings.Repeat("\n", 300)), uint8(5))
	all := Behaviours()
	f.Fuzz(func(t *testing.T, said []byte, which uint8) {
		synctest.Test(t, func(t *testing.T) {
			b := all[int(which)%len(all)]
			c := meet(t, parse(t, b.Name))
			go io.Copy(io.Discard, c.conn)
			time.Sleep(7 * time.Second) // the bubble's time: the greeting is over
			c.conn.SetWriteDeadline(time.Now().Add(time.Second))
			c.conn.Write(said)
			v := c.over()
			if len(v.Said) > maxCommands || len(strings.Join(v.Said, "")) > maxCommands*maxLine {
				t.Errorf("%d commands remembered", len(v.Said))
			}
		})
	})
}
