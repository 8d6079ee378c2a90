//go:build linux

package main

import (
	"embed"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
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
	program string                 // path
	conf    string                 // file in servers/; "" for none
	args    func(setting) []string // what it is started with
	spreads bool                   // it can have a thread for each CPU
	version string                 // "" if it is not installed
}

type kind int

const (
	echo kind = iota
	own
	peer
)

// setting is what the files in servers/ leave open.
type setting struct {
	Port, StatusPort, UpstreamPort int
	Entries                        int // room in the cache
	MiB                            int // the same as memory, more than enough
	Threads                        int // for queries
	Dir, Conf, User                string
}

// runner is a server that runs.
type runner struct {
	*server
	*process
	cell    *cell
	setting setting
	client  *udpClient
	backlog *backlog      // how it is asked if its CPUs are nobody else's
	started time.Duration // until its first answer
	idle    int           // what memory it has then, octets
	next    source
}

// launch starts a server for a cell and waits for its first answer. n is unique.
func launch(s *server, c *cell, scratch string, n, upstreamPort int) (*runner, error) {
	dir := filepath.Join(scratch, strconv.Itoa(n))
	if err := os.Mkdir(dir, 0o755); err != nil {
		return nil, err
	}
	set := setting{UpstreamPort: upstreamPort, Entries: c.entries, MiB: max(64, c.entries>>10), Threads: len(c.cpus()),
		Dir: dir, Conf: filepath.Join(dir, s.conf), User: "root"}
	if u, err := user.Current(); err == nil {
		set.User = u.Username
	}
	var err1, err2 error
	set.Port, err1 = freePort()
	set.StatusPort, err2 = freePort()
	if err := errors.Join(err1, err2, set.write(s.conf)); err != nil {
		return nil, err
	}
	client, err := dialUDP(set.Port, s.kind == echo)
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(s.program, s.args(set)...)
	cmd.Dir = dir
	began := time.Now()
	p, err := start(cmd, c.cpus(), filepath.Join(dir, "output"))
	if err != nil {
		client.close()
		return nil, err
	}
	r := &runner{server: s, process: p, cell: c, setting: set, client: client, next: c.source()}
	at, err := client.first(pack("first.bench.example", typeA, false), p.ended, began.Add(10*time.Second))
	if err != nil {
		r.end()
		return nil, err
	}
	r.started, r.idle = at.Sub(began), p.rss()
	if c.spread > 0 {
		r.backlog, err = pile(p, set.Port, s.kind == echo, set.Threads, r.next)
	}
	if err != nil {
		r.end()
		return nil, err
	}
	return r, nil
}

// write writes a file of servers/ with the setting filled in.
func (s setting) write(name string) error {
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
	return os.WriteFile(s.Conf, []byte(text.String()), 0o644)
}

func (r *runner) end() {
	r.client.close()
	if r.backlog != nil {
		r.backlog.close()
	}
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
