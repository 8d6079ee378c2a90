package fakemx

import (
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// What a client meets that waits for the greeting: its octets, and how long they take.
func TestGreetings(t *testing.T) {
	for _, test := range []struct {
		script string
		want   string // what comes before the client says anything
		took   time.Duration
	}{
		{"", "220 mx.example ESMTP fakemx\r\n", earlyWindow},
		{"delay", "220 mx.example ESMTP fakemx\r\n", 6 * time.Second},
		{"delay=2m", "220 mx.example ESMTP fakemx\r\n", 2 * time.Minute},
		{"teaser=3s", "220-mx.example please wait\r\n220 mx.example ESMTP fakemx\r\n", 3*time.Second + earlyWindow},
		{"dribble=1s", "220 mx.example ESMTP fakemx\r\n", 29*time.Second + earlyWindow},
		{"421", "421 4.3.2 Service not available, closing transmission channel\r\n", earlyWindow},
		{"450", "450 4.7.1 Try again later\r\n", earlyWindow},
		{"521", "521 5.3.2 This host takes no mail\r\n", earlyWindow},
		{"554", "554 5.7.1 No SMTP service for you\r\n", earlyWindow},
		{"bare-220", "220\r\n", earlyWindow},
		{"lf-only", "220 mx.example ESMTP fakemx\n", earlyWindow},
		{"codes-differ", "220-Welcome\r\n554 Or not\r\n", earlyWindow},
		{"ssh", "SSH-2.0-OpenSSH_9.2p1\r\n", earlyWindow},
		{"pix", "220 ****************2*********0*****\r\n", earlyWindow},
		{"delay=1s,teaser=2s,lf-only,bare-220", "220-mx.example please wait\n220\n", 3 * time.Second},
	} {
		t.Run(test.script, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := meet(t, parse(t, strings.FieldsFunc(test.script, func(r rune) bool { return r == ',' })...))
				if got := c.lines(strings.Count(test.want, "\n")); got != test.want {
					t.Errorf("it says %q, want %q", got, test.want)
				}
				if took := time.Since(c.began); took != test.took {
					t.Errorf("after %v, want %v", took, test.took)
				}
				if v := c.over(); v.Early {
					t.Error("a client that said nothing is called an early talker")
				}
			})
		})
	}
}

// No greeting at all: nothing, no end, the connection's end.
func TestFates(t *testing.T) {
	for script, want := range map[string]string{"silent": "", "close": "", "reset": "", "endless": "220-There is more to come\r\n"} {
		t.Run(script, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := meet(t, parse(t, script))
				c.conn.SetReadDeadline(time.Now().Add(time.Minute))
				said, err := io.ReadAll(c.in)
				if open := err != nil; open != (script == "silent" || script == "endless") {
					t.Errorf("after a minute: %v", err)
				}
				if rest := strings.ReplaceAll(string(said), "220-There is more to come\r\n", ""); !strings.HasPrefix(string(said), want) || rest != "" {
					t.Errorf("it says %.60q, want %q and no more than that", said, want)
				}
				if v := c.over(); v.MissingQuit {
					t.Error("QUIT is missed where the greeting never ended")
				}
			})
		})
	}
}

// A client that talks before the greeting's last line is told so, wherever the greeting stands.
func TestEarlyTalker(t *testing.T) {
	for script, lines := range map[string]int{"delay": 0, "teaser": 1, "dribble=1s": 0, "silent": 0, "ssh": 1, "": 0} {
		t.Run(script, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := meet(t, parse(t, strings.Fields(script)...))
				c.lines(lines)
				io.WriteString(c.conn, "EHLO early.example\r\n")
				rest, err := io.ReadAll(c.in)
				if err != nil || !strings.HasPrefix(string(rest), "521 5.5.1 ") {
					t.Errorf("it says %q (%v), want 521 and the end", rest, err)
				}
				if v := c.over(); !v.Early || v.MissingQuit {
					t.Errorf("the visit: %+v, want early talk and no missing QUIT", v)
				}
			})
		})
	}
}
