//go:build linux

package main

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"text/template"
	"time"
)

//go:embed servers
var files embed.FS // what servers are configured with, and the echo

// server is one that is measured.
type server struct {
	name    string
	kind    kind
	program string                               // path
	conf    string                               // file in servers/; "" for none
	args    func(conf string, port int) []string // what it is started with
	version string                               // "" if it is not installed
}

type kind int

const (
	echo kind = iota
	own
	peer
)

// peers returns those that we know, with their versions if they are installed. scratch is for a copy of Unbound: Debian's
// AppArmor profile goes by its path, and forbids a configuration elsewhere than /etc/unbound.
func peers(scratch string) ([]*server, error) {
	all := []*server{
		{name: "Unbound", program: "unbound", conf: "unbound.conf", version: "-V", args: func(conf string, _ int) []string { return []string{"-d", "-p", "-c", conf} }},
		{name: "dnsmasq", program: "dnsmasq", conf: "dnsmasq.conf", version: "--version", args: func(conf string, _ int) []string { return []string{"-C", conf} }},
		{name: "PowerDNS Recursor", program: "pdns_recursor", conf: "recursor.conf", version: "--version", args: func(conf string, _ int) []string { return []string{"--config-dir=" + filepath.Dir(conf)} }},
		{name: "dnsdist", program: "dnsdist", conf: "dnsdist.conf", version: "--version", args: func(conf string, _ int) []string {
			return []string{"--supervised", "--disable-syslog", "-C", conf}
		}},
	}
	for _, s := range all {
		s.kind = peer
		path, err := exec.LookPath(s.program)
		if err != nil {
			path, err = exec.LookPath("/usr/sbin/" + s.program) // which is not in everybody's PATH
		}
		if err != nil {
			s.version = ""
			continue
		}
		s.program, s.version = path, versionOf(path, s.version)
		if s.name == "Unbound" {
			binary, err := os.ReadFile(path)
			if err != nil {
				return nil, err
			}
			s.program = filepath.Join(scratch, "unbound")
			if err := os.WriteFile(s.program, binary, 0o755); err != nil {
				return nil, err
			}
		}
	}
	return all, nil
}

// versionOf returns the first version number that a program prints of itself.
func versionOf(program string, arg string) string {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	out, _ := exec.CommandContext(ctx, program, arg).CombinedOutput() // one that prints no version gets a question mark
	if v := regexp.MustCompile(`\d+\.\d+(\.\d+)?`).Find(out); v != nil {
		return string(v)
	}
	return "?"
}

// setting is what the files in servers/ leave open.
type setting struct {
	Port, StatusPort, UpstreamPort int
	Entries                        int // room in the cache
	MiB                            int // the same as memory, more than enough
	Dir, User                      string
}

// runner is a server that runs.
type runner struct {
	*server
	*process
	port    int
	client  *udpClient
	started time.Duration // until its first answer
	idle    int           // what memory it has then, octets
	next    source
}

// launch starts a server and waits for its first answer. n is unique.
func launch(s *server, scratch string, n, upstreamPort, entries int) (*runner, error) {
	dir := filepath.Join(scratch, strconv.Itoa(n))
	if err := os.Mkdir(dir, 0o755); err != nil {
		return nil, err
	}
	set := setting{UpstreamPort: upstreamPort, Entries: entries, MiB: max(64, entries>>10), Dir: dir, User: "root"}
	if u, err := user.Current(); err == nil {
		set.User = u.Username
	}
	var err1, err2 error
	set.Port, err1 = freePort()
	set.StatusPort, err2 = freePort()
	conf := filepath.Join(dir, s.conf)
	if err := errors.Join(err1, err2, set.write(s.conf, conf)); err != nil {
		return nil, err
	}
	client, err := dialUDP(set.Port, s.kind == echo)
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(s.program, s.args(conf, set.Port)...)
	cmd.Dir = dir
	began := time.Now()
	p, err := start(cmd, serverCPU, filepath.Join(dir, "output"))
	if err != nil {
		client.close()
		return nil, err
	}
	r := &runner{server: s, process: p, port: set.Port, client: client}
	at, err := client.first(pack("first.bench.example", typeA, false), p.ended, began.Add(10*time.Second))
	if err != nil {
		r.end()
		return nil, err
	}
	r.started, r.idle = at.Sub(began), p.rss()
	return r, nil
}

// write writes a file of servers/ with the setting filled in.
func (s setting) write(name, to string) error {
	if name == "" {
		return nil
	}
	t, err := template.ParseFS(files, "servers/"+name)
	if err != nil {
		return err
	}
	var text strings.Builder
	if err := t.Execute(&text, s); err != nil {
		return err
	}
	return os.WriteFile(to, []byte(text.String()), 0o644)
}

func (r *runner) end() {
	r.client.close()
	r.stop()
}

// freePort returns a port of 127.0.0.1 that was free for both UDP and TCP a moment ago.
func freePort() (int, error) {
	for range 100 {
		u, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
		if err != nil {
			return 0, err
		}
		at := u.LocalAddr().(*net.UDPAddr)
		t, err := net.ListenTCP("tcp4", &net.TCPAddr{IP: at.IP, Port: at.Port})
		u.Close()
		if err == nil {
			t.Close()
			return at.Port, nil
		}
	}
	return 0, fmt.Errorf("no port of 127.0.0.1 is free for both UDP and TCP")
}
