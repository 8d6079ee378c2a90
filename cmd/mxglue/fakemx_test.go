package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mxglue/mxglue/smtpprobe/fakemx"
)

// The command from its start to Ctrl-C: it warns or not, says where it listens, and counts what a client did.
func TestFakeMX(t *testing.T) {
	for listen, warns := range map[string]bool{"127.0.0.1:0": false, "[::1]:0": false, "0.0.0.0:0": true} {
		t.Run(listen, func(t *testing.T) {
			ctx, interrupt := context.WithCancel(t.Context())
			defer interrupt()
			cmd := fakemxCommand()
			logs, logged := io.Pipe()
			var out strings.Builder
			cmd.SetArgs([]string{"--listen", listen, "--script", "554", "--json"})
			cmd.SetOut(&out)
			cmd.SetErr(logged)
			ended := make(chan error, 1)
			go func() { ended <- cmd.ExecuteContext(ctx); logged.Close() }()

			lines := bufio.NewScanner(logs)
			warned, address := false, ""
			for address == "" && lines.Scan() {
				warned = warned || strings.Contains(lines.Text(), "level=WARN")
				if _, rest, ok := strings.Cut(lines.Text(), `fakemx listens, Ctrl-C ends it" listen=`); ok {
					address, _, _ = strings.Cut(rest, " ")
				}
			}
			if warned != warns {
				t.Errorf("warned: %t, want %t", warned, warns)
			}
			talk(t, strings.Trim(address, `"`))
			lines.Scan() // the visit
			if !strings.Contains(lines.Text(), `said="EHLO \x1b[31m / QUIT"`) {
				t.Errorf("logged %s", lines.Text())
			}
			interrupt()
			if err := <-ended; err != nil {
				t.Fatal(err)
			}
			var counts fakemx.Counts
			if err := json.Unmarshal([]byte(out.String()), &counts); err != nil {
				t.Fatalf("%v: %s", err, out.String())
			}
			if want := (fakemx.Counts{Connections: 1, PeakPerClient: 1, Quits: 1}); counts != want {
				t.Errorf("counted %v, want %v", counts, want)
			}
		})
	}
}

// talk waits for the greeting, says EHLO with a colour in it, and QUIT.
func talk(t *testing.T, address string) {
	t.Helper()
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatalf("it listens on %q: %v", address, err)
	}
	if host, _, _ := net.SplitHostPort(address); host == "::" || host == "0.0.0.0" {
		address = "127.0.0.1:" + port
	}
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(10 * time.Second))
	in := bufio.NewReader(conn)
	for _, command := range []string{"", "EHLO \x1b[31m\r\n", "QUIT\r\n"} {
		io.WriteString(conn, command)
		if line, err := in.ReadString('\n'); err != nil {
			t.Errorf("%q: %q, %v", command, line, err)
		}
	}
}

// What is wrong with the flags is exit code 2, and the message names the flag.
func TestFakeMXUsage(t *testing.T) {
	notACert := filepath.Join(t.TempDir(), "not-a-cert.pem")
	if err := os.WriteFile(notACert, []byte("hello"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		args []string
		want string
	}{
		{[]string{"--script", "teaser=3s,tease"}, `--script: behaviour "tease" is unknown`},
		{[]string{"--listen", "2525"}, `--listen "2525": want ADDR:PORT, such as 127.0.0.1:2525`},
		{[]string{"--name", "mx example"}, `--name: "mx example" is no host name`},
		{[]string{"--cert", notACert}, "--cert and --key belong together"},
		{[]string{"--cert", notACert, "--key", notACert}, "--cert " + notACert},
	} {
		_, err := runCommand(t, fakemxCommand(), test.args...)
		var own exitError
		if !errors.As(err, &own) || own.code != exitConfig || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%q: %v, want exit code %d and %q", test.args, err, exitConfig, test.want)
		}
	}
	if _, err := runCommand(t, fakemxCommand(), "--listen", "127.0.0.1:99999"); err == nil || !strings.Contains(err.Error(), "--listen 127.0.0.1:99999") {
		t.Errorf("a port that is none: %v", err)
	}
}

// The help tells every behaviour.
func TestFakeMXHelp(t *testing.T) {
	help, err := runCommand(t, fakemxCommand(), "--help")
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range fakemx.Behaviours() {
		if !strings.Contains(help, "  "+b.Name) || !strings.Contains(help, b.Does) {
			t.Errorf("the help does not explain %s:\n%s", b.Name, help)
		}
	}
}
