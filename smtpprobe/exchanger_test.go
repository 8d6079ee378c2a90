package smtpprobe

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode"

	"github.com/mxglue/mxglue/smtpprobe/sts"
)

// Whatever an exchanger says, and however it ends, the probe ends in time, and the report can be written, read, and shown on
// a terminal. What is said behind the greeting comes line by line of the client's.
func FuzzExchanger(f *testing.F) {
	f.Add("220 mx.example ESMTP\r\n", "250-mx.example\r\n250 STARTTLS\r\n", "454 not now\r\n", "221 bye\r\n")
	f.Add("220-a\x1b[2J\r\n554 \xff\n", "", "", "")
	f.Add("220 x\r\n", "502 no\r\n", "250 \u202emx\r\n", "421 =1+1;|\r\n")
	f.Add("220\r\n", "250-"+strings.Repeat("a", 2100)+"\r\n", "250-x\r\n", strings.Repeat("250-y\r\n", 200))
	f.Add("220 x\r\n", "250-x\r\n250 starttls\r\n", "220 go\r\n\x16\x03\x03\x00\x02\x01\x00", "\x15\x03\x03\x00\x02\x02\x28")
	f.Fuzz(func(t *testing.T, greeting, first, second, third string) {
		synctest.Test(t, func(t *testing.T) {
			began := time.Now()
			p := &Prober{Exchange: zone(t, oneHost), Options: Options{Helo: "probe.example", Depth: DepthRCPT, Transcript: true}}
			p.STS = func(context.Context, string) sts.Result { return sts.Result{Status: sts.None} }
			p.Dial = func(context.Context, string, string) (net.Conn, error) {
				client, peer := net.Pipe()
				go says(peer, greeting, first, second, third)
				return client, nil
			}
			r := p.Probe(t.Context(), "d.example")
			if took := time.Since(began); took > 100*time.Second { // 90 s for the address, and the goodbye
				t.Errorf("it took %v", took)
			}
			text, err := json.Marshal(r)
			if err != nil {
				t.Fatal(err)
			}
			var read Report
			if err := json.Unmarshal(text, &read); err != nil {
				t.Fatal(err)
			}
			if again, _ := json.Marshal(read); string(again) != string(text) {
				t.Errorf("written as %s, and read as %s", text, again)
			}
			var words any
			if err := json.Unmarshal(text, &words); err != nil {
				t.Fatal(err)
			}
			shown := fmt.Sprint(words) // the newlines are those of a greeting of several lines
			if strings.ContainsFunc(shown, func(c rune) bool { return c != '\n' && !unicode.IsPrint(c) }) {
				t.Errorf("not printable: %q", shown)
			}
		})
	})
}

// says is a server that greets, says one thing more after each line or piece that it hears, and hangs up.
func says(conn net.Conn, words ...string) {
	defer conn.Close()
	in := bufio.NewReader(conn)
	for _, word := range words {
		if _, err := conn.Write([]byte(word)); err != nil {
			return
		}
		if _, err := in.ReadString('\n'); err != nil {
			return
		}
	}
}
