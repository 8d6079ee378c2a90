//go:build e2e

package e2e

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// patience is how long a client of the soak waits: longer than mxglue may take, so that late is not lost.
const patience = 8 * time.Second

// A tally is what became of the queries of one kind.
type tally struct {
	kind string

	mu                                    sync.Mutex
	asked, answered, servfail, unanswered int
	longest                               time.Duration
}

// note enters the end of one query; nil is none.
func (c *tally) note(waited time.Duration, r *dns.Msg) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked++
	if r == nil {
		c.unanswered++
		return
	}
	c.answered++
	if r.Rcode == dns.RcodeServerFailure {
		c.servfail++
	}
	c.longest = max(c.longest, waited)
}

// keep calls do once per interval, each time in a goroutine of its own, until ctx ends.
func (c *tally) keep(ctx context.Context, all *sync.WaitGroup, interval time.Duration, do func(c *tally, n int)) {
	all.Go(func() {
		tick := time.NewTicker(interval)
		defer tick.Stop()
		for n := 0; ; n++ {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				all.Go(func() { do(c, n) })
			}
		}
	})
}

// ask asks one question over UDP.
func (c *tally) ask(name string, qtype uint16) {
	client := dns.Client{Timeout: patience}
	began := time.Now()
	r, _, err := client.Exchange(new(dns.Msg).SetQuestion(name, qtype), dnsAddress)
	if err != nil {
		r = nil
	}
	c.note(time.Since(began), r)
}

// askMany asks for the A records of many names over one connection, without waiting in between: over TCP all of them in
// one write (RFC 7766 section 6.2.1.1), over UDP some at a time. The replies come in any order.
func (c *tally) askMany(network string, names []string) error {
	conn, err := net.Dial(network, dnsAddress)
	if err != nil {
		return err
	}
	defer conn.Close()
	var packed [][]byte
	for id, name := range names {
		q := new(dns.Msg).SetQuestion(name, dns.TypeA)
		q.Id = uint16(id)
		octets, err := q.Pack()
		if err != nil {
			return err
		}
		packed = append(packed, octets)
	}
	began := time.Now()
	if err := conn.SetDeadline(began.Add(patience)); err != nil {
		return err
	}
	written := make(chan error, 1)
	go func() { written <- write(conn, network, packed) }()
	replies := &dns.Conn{Conn: conn, UDPSize: dns.MaxMsgSize}
	got := make(map[uint16]bool)
	for len(got) < len(names) {
		r, err := replies.ReadMsg()
		if errors.Is(err, os.ErrDeadlineExceeded) {
			break
		}
		if err != nil {
			return err
		}
		if int(r.Id) >= len(names) || got[r.Id] || len(r.Question) != 1 || r.Question[0].Name != names[r.Id] {
			return fmt.Errorf("a reply to no question that was asked, or the second to one:\n%v", r)
		}
		got[r.Id] = true
		c.note(time.Since(began), r)
	}
	for range len(names) - len(got) {
		c.note(0, nil)
	}
	return <-written
}

// write sends messages; over UDP no faster than a queue of ordinary length drains.
func write(conn net.Conn, network string, messages [][]byte) error {
	if network == "tcp" {
		var framed []byte
		for _, m := range messages {
			framed = append(binary.BigEndian.AppendUint16(framed, uint16(len(m))), m...)
		}
		_, err := conn.Write(framed)
		return err
	}
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for i, m := range messages {
		if i%10 == 0 {
			<-tick.C
		}
		if _, err := conn.Write(m); err != nil {
			return err
		}
	}
	return nil
}

// halfOpen connects from 127.0.0.2, sends half a message, and waits until mxglue ends the connection.
func halfOpen() error {
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}, Timeout: patience}
	conn, err := dialer.Dial("tcp", dnsAddress)
	if err != nil {
		return err
	}
	defer conn.Close()
	_, _ = conn.Write([]byte{0, 40, 1, 2, 3}) // it may have been turned away already
	if err := conn.SetReadDeadline(time.Now().Add(2 * patience)); err != nil {
		return err
	}
	if n, err := conn.Read(make([]byte, 1)); n > 0 || errors.Is(err, os.ErrDeadlineExceeded) {
		return fmt.Errorf("half a message was answered with %d octets, %w; want the connection closed", n, err)
	}
	return nil
}

// complain enters an error of a client that is none of mxglue's silence.
func complain(t *testing.T, err error) {
	if err != nil {
		t.Error(err)
	}
}
