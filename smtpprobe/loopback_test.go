package smtpprobe

import (
	"bufio"
	"context"
	"errors"
	"net"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// strict is a server on a real socket that forgives nothing, as postscreen and Exim do: a client that talks
// before the last line of the greeting is told 554, and each connection must end with QUIT.
type strict struct {
	t        *testing.T
	listener net.Listener
	greeting []string
	served   chan []string // what each client said
	early    atomic.Int32
}

// earlyWindow is how long strict listens for early talk before each line of its greeting.
const earlyWindow = 50 * time.Millisecond

func newStrict(t *testing.T, greeting ...string) *strict {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &strict{t: t, listener: listener, greeting: greeting, served: make(chan []string, 10)}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go s.serve(conn)
		}
	}()
	return s
}

func (s *strict) serve(conn net.Conn) {
	var said []string
	defer func() { conn.Close(); s.served <- said }()
	in := bufio.NewReader(conn)
	for _, line := range s.greeting {
		conn.SetReadDeadline(time.Now().Add(earlyWindow))
		if _, err := in.Peek(1); !errors.Is(err, os.ErrDeadlineExceeded) {
			s.early.Add(1)
			conn.Write([]byte("554 you talk too soon\r\n"))
			return
		}
		conn.Write([]byte(line + "\r\n"))
	}
	conn.SetReadDeadline(time.Now().Add(10 * time.Second))
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		said = append(said, strings.TrimSuffix(line, "\r\n"))
		switch verb, _, _ := strings.Cut(said[len(said)-1], " "); verb {
		case "QUIT":
			conn.Write([]byte("221 bye\r\n"))
		case "EHLO":
			conn.Write([]byte("250-mx.example\r\n250 DSN\r\n"))
		default:
			conn.Write([]byte("500 what\r\n"))
		}
	}
}

// probe probes a domain with two exchangers, both on the server's address.
func (s *strict) probe(opt Options) Report {
	opt.AllowPrivate, opt.Port = true, uint16(s.listener.Addr().(*net.TCPAddr).Port)
	records := "d.example. MX 1 a.example.\nd.example. MX 2 b.example.\na.example. A 127.0.0.1\nb.example. A 127.0.0.1"
	ctx, cancel := context.WithTimeout(s.t.Context(), 20*time.Second)
	defer cancel()
	return (&Prober{Options: opt, Exchange: zone(s.t, records)}).Probe(ctx, "d.example")
}

// Over real sockets: patient before the greeting, polite after it, and one connection for two names.
func TestLoopback(t *testing.T) {
	for _, test := range []struct {
		name     string
		greeting []string
		helo     string
		said     string
		want     string
	}{
		{"220", []string{"220-mx.example", "220-wait", "220 ready"}, "probe.example", "EHLO probe.example, QUIT",
			"ok/ok a.example: 1 a.example ok [127.0.0.1 ok] 2 b.example ok [127.0.0.1 ok]"},
		{"554", []string{"554-no", "554 go away"}, "probe.example", "QUIT",
			"critical/critical nobody: 1 a.example greeting_5xx [127.0.0.1 greeting_5xx] 2 b.example greeting_5xx [127.0.0.1 greeting_5xx]"},
		{"450", []string{"450 later"}, "probe.example", "QUIT",
			"critical/critical nobody: 1 a.example greeting_4xx [127.0.0.1 greeting_4xx] 2 b.example greeting_4xx [127.0.0.1 greeting_4xx]"},
		{"codes differ", []string{"220-a", "250 b"}, "probe.example", "QUIT",
			"critical/critical nobody: 1 a.example bad_greeting [127.0.0.1 bad_greeting] 2 b.example bad_greeting [127.0.0.1 bad_greeting]"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newStrict(t, test.greeting...)
			if got := summary(s.probe(Options{Helo: test.helo})); got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
			if said := strings.Join(<-s.served, ", "); said != test.said {
				t.Errorf("the client said %q, want %q", said, test.said)
			}
			if n := s.early.Load(); n != 0 || len(s.served) != 0 {
				t.Errorf("%d early talkers, %d more connections", n, len(s.served))
			}
		})
	}
}

// Without a name of our own we say this host's, or the literal of the address we connect from.
func TestHeloWithoutName(t *testing.T) {
	s := newStrict(t, "220 mx")
	s.probe(Options{})
	host, err := os.Hostname()
	if err != nil || !strings.Contains(host, ".") {
		host = "[127.0.0.1]"
	}
	if said := <-s.served; said[0] != "EHLO "+host {
		t.Errorf("said %q, want EHLO %s", said, host)
	}
	if got := (Options{}).heloName(&net.TCPAddr{IP: net.ParseIP("fd00::1"), Port: 25}); host == "[127.0.0.1]" && got != "[IPv6:fd00::1]" {
		t.Errorf("over IPv6: %s", got)
	}
}

func TestRefusedAndReset(t *testing.T) {
	s := newStrict(t)
	s.listener.Close()
	if r := s.probe(Options{}); r.MX[0].Verdict != Refused || r.MX[0].Detail != "connection refused" || r.ExitCode() != 2 {
		t.Errorf("got %s: %s", summary(r), r.MX[0].Detail)
	}

	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	go func() {
		if conn, err := listener.Accept(); err == nil {
			conn.(*net.TCPConn).SetLinger(0) // RST
			conn.Close()
		}
	}()
	s.listener = listener
	if r := s.probe(Options{}); r.MX[0].Verdict != Reset {
		t.Errorf("got %s: %s", summary(r), r.MX[0].Detail)
	}
}
