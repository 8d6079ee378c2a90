package querylog

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	dnstap "github.com/dnstap/golang-dnstap"
	"github.com/miekg/dns"
)

// taps reads a dnstap file to its end, which has to be a proper one.
func taps(t *testing.T, file string) (all []*dnstap.Dnstap) {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r, err := dnstap.NewReader(f, nil)
	if err != nil {
		t.Fatal(err)
	}
	for d := dnstap.NewDecoder(r, 1<<17); ; {
		m := new(dnstap.Dnstap)
		switch err := d.Decode(m); {
		case errors.Is(err, io.EOF):
			return all
		case err != nil:
			t.Fatalf("after %d messages: %v", len(all), err)
		}
		all = append(all, m)
	}
}

func TestDnstapFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "queries.fstrm")
	q := query(t, "Mail.Example.", dns.TypeA)
	q6 := query(t, "mail.example.", dns.TypeA)
	q6.Client, q6.TCP = netip.MustParseAddr("2001:db8::1"), true
	for range 2 { // the second sets the first's file aside
		l, _ := open(t, Options{Output: file, Format: Dnstap, Version: "mxglue 1"})
		l.Add(q)
		l.Add(q6)
		l.Close()
	}
	for _, name := range []string{file, file + ".old"} {
		all := taps(t, name)
		if len(all) != 2 {
			t.Fatalf("%s has %d messages, want 2", name, len(all))
		}
		m := all[0].Message
		if all[0].GetType() != dnstap.Dnstap_MESSAGE || string(all[0].Version) != "mxglue 1" || string(all[0].Extra) != "glue" {
			t.Errorf("version %q, extra %q; want mxglue 1, glue", all[0].Version, all[0].Extra)
		}
		at := time.Unix(int64(m.GetQueryTimeSec()), int64(m.GetQueryTimeNsec()))
		until := time.Unix(int64(m.GetResponseTimeSec()), int64(m.GetResponseTimeNsec()))
		if !at.Equal(q.Asked) || until.Sub(at) != 12500*time.Microsecond {
			t.Errorf("asked %v, answered %v after that; want %v and 12.5ms", at, until.Sub(at), q.Asked)
		}
		if m.GetType() != dnstap.Message_CLIENT_RESPONSE || !bytes.Equal(m.ResponseMessage, q.Reply) ||
			!bytes.Equal(m.QueryAddress, []byte{192, 0, 2, 25}) || m.GetSocketFamily() != dnstap.SocketFamily_INET ||
			m.GetSocketProtocol() != dnstap.SocketProtocol_UDP {
			t.Errorf("the message is %v", m)
		}
		m = all[1].Message
		if len(m.QueryAddress) != 16 || m.GetSocketFamily() != dnstap.SocketFamily_INET6 || m.GetSocketProtocol() != dnstap.SocketProtocol_TCP {
			t.Errorf("over TCP and IPv6 the message is %v", m)
		}
	}
}

// A file that has been moved away ends as a dnstap file has to, and the new one begins as one.
func TestDnstapReopen(t *testing.T) {
	file := filepath.Join(t.TempDir(), "queries.fstrm")
	l, _ := open(t, Options{Output: file, Format: Dnstap})
	l.Add(query(t, "a.example.", dns.TypeA))
	if err := l.Reopen(); err != nil { // in its place: it goes on
		t.Fatal(err)
	}
	if err := os.Rename(file, file+".1"); err != nil {
		t.Fatal(err)
	}
	if err := l.Reopen(); err != nil {
		t.Fatal(err)
	}
	l.Add(query(t, "b.example.", dns.TypeA))
	l.Close()
	if n := len(taps(t, file+".1")) + len(taps(t, file)); n != 2 {
		t.Errorf("%d messages in both files, want 2", n)
	}
	if _, err := os.Stat(file + ".old"); err == nil {
		t.Error("a file in its place was set aside")
	}
}

// The collector of the dnstap tools takes what comes over a socket, handshake and all.
func TestDnstapSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tap.sock")
	listener, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	got, ended := make(chan *dnstap.Dnstap, 1), make(chan error, 1)
	go func() { ended <- collect(listener, got) }()
	l, said := open(t, Options{Output: UnixPrefix + path, Format: Dnstap})
	q := query(t, "mail.example.", dns.TypeA)
	l.Add(q)
	select {
	case m := <-got:
		if !bytes.Equal(m.GetMessage().ResponseMessage, q.Reply) {
			t.Errorf("got %v", m)
		}
	case err := <-ended:
		t.Fatal(err)
	case <-time.After(10 * time.Second):
		t.Fatalf("nothing came: %q", said.lines(""))
	}
	l.Close()
	if err := <-ended; !errors.Is(err, io.EOF) {
		t.Errorf("the collector saw no end, but %v", err)
	}
	if lines := said.lines(""); len(lines) != 0 {
		t.Errorf("said %q, want nothing", lines)
	}
}

// collect takes one connection, and what comes over it until it ends.
func collect(listener net.Listener, got chan<- *dnstap.Dnstap) error {
	conn, err := listener.Accept()
	if err != nil {
		return err
	}
	defer conn.Close()
	r, err := dnstap.NewReader(conn, &dnstap.ReaderOptions{Bidirectional: true, Timeout: 10 * time.Second})
	if err != nil {
		return err
	}
	for d := dnstap.NewDecoder(r, 1<<17); ; {
		m := new(dnstap.Dnstap)
		if err := d.Decode(m); err != nil {
			return err
		}
		got <- m
	}
}

// A reader of JSON lines that answers no dnstap handshake is an error that says so, and nothing hangs.
func TestDnstapWithoutHandshake(t *testing.T) {
	ours, theirs := net.Pipe()
	go io.Copy(io.Discard, theirs)
	go theirs.Write(make([]byte, 100))
	if _, err := newStream(ours, Options{Format: Dnstap}); err == nil {
		t.Error("a handshake of zeros is none")
	}
}
