//go:build e2e

package e2e

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	dnstap "github.com/dnstap/golang-dnstap"
	"github.com/miekg/dns"
)

// loggedQuery is what the tests look at of a line of the query log.
type loggedQuery struct {
	Time                                         time.Time
	Client, Name, Type, Rcode, Source, Transport string
	TookMS                                       float64 `json:"took_ms"`
	Size                                         int
}

// awaitLines waits until a query log has so many lines, and reads them.
func awaitLines(t *testing.T, file string, lines int) (all []loggedQuery) {
	t.Helper()
	var text []byte
	eventually(t, 5*time.Second, func() (err error) {
		if text, err = os.ReadFile(file); err == nil && bytes.Count(text, []byte("\n")) != lines {
			err = fmt.Errorf("want %d lines in %s:\n%s", lines, file, text)
		}
		return err
	})
	for in := bufio.NewScanner(bytes.NewReader(text)); in.Scan(); {
		var q loggedQuery
		if err := json.Unmarshal(in.Bytes(), &q); err != nil {
			t.Errorf("%s: %v", in.Text(), err)
		}
		all = append(all, q)
	}
	return all
}

// The capture again: the log tells the upstream's answer from the glue and the cache, and goes on in a new file after a
// SIGHUP; nothing is lost in between.
func TestQueryLog(t *testing.T) {
	startUpstream(t, upstreamAddress, 20*time.Millisecond, capturedResolver(t))
	file := filepath.Join(scratch(t, "querylog"), "queries.json")
	d := serve(t, "MXGLUE_QUERYLOG_OUTPUT="+file)
	began := time.Now()
	ask(t, "udp", "127.0.0.1", "enprovence.com.", dns.TypeMX)
	ask(t, "udp", "127.0.0.1", "Mail.Monaco.net.", dns.TypeA)
	ask(t, "tcp", "127.0.0.1", "enprovence.com.", dns.TypeMX)

	all := awaitLines(t, file, 3)
	want := []loggedQuery{
		{Client: "127.0.0.1", Name: "enprovence.com.", Type: "MX", Rcode: "NOERROR", Source: "upstream", Transport: "udp"},
		{Client: "127.0.0.1", Name: "mail.monaco.net.", Type: "A", Rcode: "NOERROR", Source: "glue", Transport: "udp"},
		{Client: "127.0.0.1", Name: "enprovence.com.", Type: "MX", Rcode: "NOERROR", Source: "cache", Transport: "tcp"},
	}
	for i, q := range all {
		if q.Time.Before(began.Add(-time.Second)) || q.Time.After(time.Now()) {
			t.Errorf("%s was asked at %v, not at %v", q.Name, q.Time, began)
		}
		if (q.TookMS >= 20) != (q.Source == "upstream") || q.TookMS >= 1000 {
			t.Errorf("%s from %s took %v ms; the upstream is 20 ms away", q.Name, q.Source, q.TookMS)
		}
		if q.Size < 40 || q.Size > 512 {
			t.Errorf("%s: a reply of %d octets", q.Name, q.Size)
		}
		q.Time, q.TookMS, q.Size = time.Time{}, 0, 0
		if q != want[i] {
			t.Errorf("logged %+v, want %+v", q, want[i])
		}
	}

	if err := os.Rename(file, file+".1"); err != nil {
		t.Fatal(err)
	}
	d.signal(t, syscall.SIGHUP)
	awaitLines(t, file, 0) // it is there
	ask(t, "udp", "127.0.0.1", "dns2.monaco.net.", dns.TypeA)
	if q := awaitLines(t, file, 1)[0]; q.Name != "dns2.monaco.net." {
		t.Errorf("after the rotation %+v was logged", q)
	}
	ask(t, "udp", "127.0.0.1", "dns2.monaco.net.", dns.TypeA)
	stop(t, d)
	awaitLines(t, file, 2) // what came just before the end, too
	awaitLines(t, file+".1", 3)
}

// A collector listens, freezes without a word, and dies: every client is answered at once all the while.
func TestQueryLogCollector(t *testing.T) {
	startUpstream(t, upstreamAddress, 0, capturedResolver(t))
	socket := filepath.Join(scratch(t, "querylog"), "tap.sock")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	d := serve(t, "MXGLUE_QUERYLOG_OUTPUT=unix:"+socket, "MXGLUE_QUERYLOG_FORMAT=dnstap")
	ask(t, "udp", "127.0.0.1", "enprovence.com.", dns.TypeMX)
	conn, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	in, err := dnstap.NewReader(conn, &dnstap.ReaderOptions{Bidirectional: true, Timeout: 10 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	tap := new(dnstap.Dnstap)
	if err := dnstap.NewDecoder(in, 1<<17).Decode(tap); err != nil {
		t.Fatal(err)
	}
	reply, m := new(dns.Msg), tap.GetMessage()
	if err := reply.Unpack(m.GetResponseMessage()); err != nil || len(reply.Answer) != 2 || reply.Question[0].Name != "enprovence.com." {
		t.Errorf("error %v, the message in the tap is\n%v", err, reply)
	}
	if m.GetType() != dnstap.Message_CLIENT_RESPONSE || string(tap.GetExtra()) != "upstream" || !strings.HasPrefix(string(tap.GetVersion()), "mxglue") {
		t.Errorf("the tap says %v", tap)
	}

	slowest := time.Duration(0)
	for i := range 3000 { // nobody reads them
		if i == 1500 {
			conn.Close()
			listener.Close()
		}
		began := time.Now()
		if _, err := exchange("udp", dnsAddress, "mail.monaco.net.", dns.TypeA); err != nil {
			t.Fatal(err)
		}
		slowest = max(slowest, time.Since(began))
	}
	if slowest > time.Second {
		t.Errorf("with nobody to read the log, a client waited for %v", slowest)
	}
	eventually(t, 10*time.Second, func() error {
		if !strings.Contains(d.output.String(), "the query log is not written") {
			return errors.New("mxglue does not say that the log is not written")
		}
		return nil
	})
}

// A file that cannot be opened is told of at the start, and DNS is served all the same: mail needs it, and not the log.
func TestQueryLogErrors(t *testing.T) {
	startUpstream(t, upstreamAddress, 20*time.Millisecond, capturedResolver(t))
	d := serve(t, "MXGLUE_QUERYLOG_OUTPUT=/nonexistent/queries.json")
	ask(t, "udp", "127.0.0.1", "enprovence.com.", dns.TypeMX)
	mentions(t, "what mxglue says", d.output.String(), "going on without the query log", "querylog.output", "/nonexistent/queries.json", "no such file or directory")
}
