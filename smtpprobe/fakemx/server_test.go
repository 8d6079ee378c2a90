package fakemx

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// What a Server counts over real sockets: connections, how many at once, who misbehaved.
func TestCounts(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	visits := make(chan Visit, 10)
	server := &Server{MaxConnections: 2, Script: Script{Delay: 300 * time.Millisecond}, Done: func(v Visit) { visits <- v }}
	served := make(chan error, 1)
	go func() { served <- server.Serve(ctx, listener) }()
	dial := func() *client {
		conn, err := net.Dial("tcp", listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		conn.SetDeadline(time.Now().Add(10 * time.Second))
		return &client{t: t, conn: conn, in: bufio.NewReader(conn), visit: visits}
	}
	a, b := dial(), dial()
	a.lines(1)
	b.lines(1)
	if got := dial().lines(1); !strings.HasPrefix(got, "421 ") {
		t.Errorf("the third at once is told %q, want 421", got)
	}
	a.tell("QUIT", "221 2.0.0 Bye")
	a.over()
	b.over() // without
	early := dial()
	io.WriteString(early.conn, "EHLO early.example\r\n")
	early.lines(1)
	early.over()
	stays := dial()
	stays.lines(1)
	cancel()
	select {
	case err := <-served:
		if err != nil {
			t.Errorf("Serve: %v", err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("Serve does not end with its context")
	}
	want := Counts{Connections: 5, TurnedAway: 1, PeakPerClient: 2, EarlyTalkers: 1, Quits: 1, MissingQuits: 1}
	if got := server.Counts(); got != want {
		t.Errorf("counted %v\nwant    %v", got, want)
	}
	if len(server.openBy) != 0 {
		t.Errorf("clients that have left are remembered: %v", server.openBy)
	}
}

// A reset is one: the client's kernel says so.
func TestReset(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go (&Server{Script: Script{Fate: Resets, Delay: 200 * time.Millisecond}}).Serve(t.Context(), listener)
	conn, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := conn.Read(make([]byte, 1)); err == nil || errors.Is(err, io.EOF) || !strings.Contains(err.Error(), "reset") {
		t.Errorf("the connection ends with %v, want a reset", err)
	}
}
