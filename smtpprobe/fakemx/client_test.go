package fakemx

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// A client is our end of a connection to a Server with a script. It runs in a synctest bubble: waits cost nothing.
type client struct {
	t     *testing.T
	conn  net.Conn
	in    *bufio.Reader
	began time.Time
	visit chan Visit
}

// meet connects to a Server that follows the script.
func meet(t *testing.T, script Script) *client {
	t.Helper()
	ours, theirs := net.Pipe()
	c := &client{t: t, conn: ours, in: bufio.NewReader(ours), began: time.Now(), visit: make(chan Visit, 1)}
	server := &Server{Name: "mx.example", Script: script, Done: func(v Visit) { c.visit <- v }}
	go server.Converse(t.Context(), theirs)
	return c
}

// lines reads that many lines, with their endings.
func (c *client) lines(n int) (read string) {
	c.t.Helper()
	for range n {
		line, err := c.in.ReadString('\n')
		if read += line; err != nil {
			c.t.Fatalf("%v after %q", err, read)
		}
	}
	return read
}

// tell sends a command and expects the first line of its reply.
func (c *client) tell(command, want string) {
	c.t.Helper()
	if _, err := io.WriteString(c.conn, command+"\r\n"); err != nil {
		c.t.Fatalf("%s: %v", command, err)
	}
	line := c.lines(1)
	for strings.HasPrefix(line, "250-") && c.lines(1)[3] == '-' {
	}
	if line != want+"\r\n" {
		c.t.Errorf("%s: %q, want %q", command, line, want)
	}
}

// over ends the connection and returns what the Server says of it.
func (c *client) over() Visit {
	c.conn.Close()
	return <-c.visit
}

// handshake does the client's part within 20 seconds, and goes on over TLS.
func (c *client) handshake() error {
	ctx, cancel := context.WithTimeout(c.t.Context(), 20*time.Second)
	defer cancel()
	conn := tls.Client(c.conn, &tls.Config{InsecureSkipVerify: true})
	err := conn.HandshakeContext(ctx)
	if err == nil {
		if leaf := conn.ConnectionState().PeerCertificates[0]; leaf.VerifyHostname("mx.example") != nil || leaf.CheckSignatureFrom(leaf) == nil && leaf.IsCA {
			err = fmt.Errorf("the certificate is for %v", leaf.DNSNames)
		}
		c.conn, c.in = conn, bufio.NewReader(conn)
	}
	return err
}

// parse is Parse of names that are right.
func parse(t *testing.T, names ...string) Script {
	t.Helper()
	script, err := Parse(names...)
	if err != nil {
		t.Fatal(err)
	}
	return script
}
