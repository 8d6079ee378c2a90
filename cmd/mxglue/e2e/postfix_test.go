//go:build e2e

package e2e

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// mainCf is a Postfix that only sends: no listener, no local delivery, no chroot, its own queue, its own log.
const mainCf = `
compatibility_level = 3.6
queue_directory = %[1]s/queue
data_directory = %[1]s/data
maillog_file = %[1]s/maillog
maillog_file_prefixes = %[1]s
myhostname = gateway.example
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = all
alias_maps =
alias_database =
local_recipient_maps =
smtp_host_lookup = dns
smtp_connect_timeout = 5s
%[2]s
`

// masterCf has only the services that a sending Postfix uses.
const masterCf = `
pickup  unix   n - n 60   1 pickup
cleanup unix   n - n -    0 cleanup
qmgr    unix   n - n 300  1 qmgr
rewrite unix   - - n -    - trivial-rewrite
bounce  unix   - - n -    0 bounce
defer   unix   - - n -    0 bounce
trace   unix   - - n -    0 bounce
flush   unix   n - n 1000? 0 flush
proxymap unix  - - n -    - proxymap
smtp    unix   - - n -    - smtp
error   unix   - - n -    - error
retry   unix   - - n -    - error
scache  unix   - - n -    1 scache
tlsmgr  unix   - - n 1000? 1 tlsmgr
postlog unix-dgram n - n - 1 postlogd
`

// A postfix is a running Postfix with a configuration of its own.
type postfix struct {
	config  string // directory
	maillog string // file
}

// startPostfix runs a real Postfix until the test ends; settings are more lines of main.cf.
func startPostfix(t *testing.T, settings ...string) *postfix {
	t.Helper()
	dir := scratch(t, "postfix")
	p := &postfix{config: filepath.Join(dir, "config"), maillog: filepath.Join(dir, "maillog")}
	for _, d := range []string{"config", "queue"} { // "postfix start" makes what else it needs, with the right owners
		if err := os.Mkdir(filepath.Join(dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(dir, 0o755); err != nil { // Postfix refuses a queue below a directory that everybody may write
		t.Fatal(err)
	}
	writeFile(t, p.config, "main.cf", fmt.Sprintf(mainCf, dir, strings.Join(settings, "\n")))
	writeFile(t, p.config, "master.cf", masterCf)
	t.Cleanup(func() {
		_ = exec.Command("postfix", "-c", p.config, "stop").Run() // process 1's end takes it along in any case
		if t.Failed() {
			t.Logf("Postfix logged:\n%s", p.log())
		}
	})
	if r := run(t, exec.Command("postfix", "-c", p.config, "start")); r.code != 0 {
		t.Fatalf("postfix start: exit code %d\n%s%s", r.code, r.stdout, r.stderr)
	}
	return p
}

// log returns the mail log so far.
func (p *postfix) log() string {
	log, err := os.ReadFile(p.maillog)
	if err != nil {
		return err.Error()
	}
	return string(log)
}

// A delivery is what the mail log says of one recipient's mail.
type delivery struct {
	status  string        // sent, deferred, bounced
	relay   string        // mx1.three.example[10.77.0.11]:25
	connect time.Duration // "connection setup time including DNS, HELO and TLS": the third of delays=a/b/c/d
	line    string
}

var deliveryLine = regexp.MustCompile(`to=<([^>]*)>, relay=([^,]*),.* delays=[^/]*/[^/]*/([^/]*)/[^,]*,.* status=(\w+)`)

// send gives Postfix one mail and waits until its log says what became of it. A recipient is used once per Postfix.
func (p *postfix) send(t *testing.T, to, subject string) delivery {
	t.Helper()
	cmd := exec.Command("sendmail", "-C", p.config, "-f", "sender@gateway.example", to)
	cmd.Stdin = strings.NewReader("From: sender@gateway.example\nTo: " + to + "\nSubject: " + subject + "\n\nHello.\n")
	if r := run(t, cmd); r.code != 0 {
		t.Fatalf("sendmail: exit code %d\n%s%s", r.code, r.stdout, r.stderr)
	}
	var d delivery
	eventually(t, 30*time.Second, func() error {
		for _, m := range deliveryLine.FindAllStringSubmatch(p.log(), -1) {
			if m[1] == to {
				seconds, err := strconv.ParseFloat(m[3], 64)
				if err != nil {
					return err
				}
				d = delivery{status: m[4], relay: m[2], connect: time.Duration(seconds * float64(time.Second)), line: m[0]}
				return nil
			}
		}
		return fmt.Errorf("the mail log says nothing of the mail to %s", to)
	})
	return d
}

// A sink is a running smtp-sink: an exchanger that takes any mail and keeps it.
type sink struct{ dir string }

// startSink runs smtp-sink as the exchanger name on address, port 25.
func startSink(t *testing.T, name, address string) *sink {
	t.Helper()
	s := &sink{dir: scratch(t, "sink")}
	cmd := exec.Command("smtp-sink", "-u", "nobody", "-h", name, "-d", s.dir+"/mail.", address+":25", "64")
	cmd.Dir = s.dir
	d := start(t, cmd)
	eventually(t, 10*time.Second, func() error {
		d.running(t)
		conn, err := net.DialTimeout("tcp", address+":25", time.Second)
		if err != nil {
			return err
		}
		return conn.Close()
	})
	return s
}

// has says whether a mail with that subject arrived.
func (s *sink) has(t *testing.T, subject string) bool {
	t.Helper()
	files, err := filepath.Glob(s.dir + "/mail.*")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		mail, err := os.ReadFile(f)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
		if strings.Contains(string(mail), "Subject: "+subject+"\n") {
			return true
		}
	}
	return false
}

// startSinks runs the three exchangers of three.example.
func startSinks(t *testing.T) (mx1, mx2, mx3 *sink) {
	t.Helper()
	return startSink(t, "mx1.three.example", "10.77.0.11"), startSink(t, "mx2.three.example", "10.77.0.12"),
		startSink(t, "mx3.three.example", "10.77.0.13")
}
