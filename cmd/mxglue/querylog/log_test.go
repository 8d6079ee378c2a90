package querylog

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/miekg/dns"
)

var asked = time.Date(2026, 5, 4, 3, 2, 1, 500_000_000, time.UTC)

// query is a query for a name, answered with one address after 12.5 ms.
func query(t testing.TB, name string, qtype uint16) Query {
	t.Helper()
	m := new(dns.Msg)
	m.SetQuestion(name, qtype)
	m.Response = true
	m.Answer = []dns.RR{&dns.A{Hdr: dns.RR_Header{Name: name, Rrtype: dns.TypeA, Class: dns.ClassINET, Ttl: 60}, A: net.IPv4(192, 0, 2, 1)}}
	packed, err := m.Pack()
	if err != nil {
		t.Fatal(err)
	}
	_, end, err := dns.UnpackDomainName(packed, 12)
	if err != nil {
		t.Fatal(err)
	}
	return Query{Asked: asked, Answered: asked.Add(12500 * time.Microsecond), Client: netip.MustParseAddr("192.0.2.25"),
		Question: packed[12 : end+4], Reply: packed, Source: "glue"}
}

// numbered adds queries for names that begin with their number.
func numbered(t testing.TB, l *Log, from, to int) {
	t.Helper()
	for i := from; i < to; i++ {
		l.Add(query(t, fmt.Sprintf("%d.example.", i), dns.TypeA))
	}
}

// open opens a log that the test's end closes, and returns what it says to the operator.
func open(t *testing.T, o Options) (*Log, *said) {
	t.Helper()
	s := new(said)
	o.Log = slog.New(slog.NewTextHandler(s, nil))
	l, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Close)
	return l, s
}

// said is what a logger has written.
type said struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (s *said) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.buf.Write(p)
}

// lines are those with a text in them.
func (s *said) lines(text string) (found []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for line := range strings.Lines(s.buf.String()) {
		if strings.Contains(line, text) {
			found = append(found, line)
		}
	}
	return found
}

// names reads JSON lines and returns their names; a line that is none is an error.
func names(t *testing.T, r io.Reader) (all []string) {
	t.Helper()
	for in := bufio.NewScanner(r); in.Scan(); {
		var l line
		if err := json.Unmarshal(in.Bytes(), &l); err != nil {
			t.Errorf("%q: %v", in.Text(), err)
		}
		all = append(all, l.Name)
	}
	return all
}

func namesIn(t *testing.T, file string) []string {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	return names(t, f)
}

func TestJSONLines(t *testing.T) {
	file := filepath.Join(t.TempDir(), "queries.json")
	for range 2 { // the second goes on where the first has ended
		l, _ := open(t, Options{Output: file})
		l.Add(query(t, "Mail.Example.", dns.TypeA))
		odd := query(t, `a\"\010<b\.c.example.`, 65280)
		odd.Client, odd.TCP, odd.Source = netip.MustParseAddr("2001:db8::1"), true, "failure"
		odd.Reply[3] |= dns.RcodeServerFailure
		l.Add(odd)
		l.Close()
		if st := l.Stats(); st != (Stats{Written: 2}) {
			t.Errorf("counted %+v, want 2 written", st)
		}
	}
	const want = `{"time":"2026-05-04T03:02:01.5Z","client":"192.0.2.25","name":"mail.example.","type":"A","rcode":"NOERROR",` +
		`"source":"glue","took_ms":12.5,"size":58,"transport":"udp"}` + "\n" +
		`{"time":"2026-05-04T03:02:01.5Z","client":"2001:db8::1","name":"a\\\"\\010<b\\.c.example.","type":"TYPE65280","rcode":"SERVFAIL",` +
		`"source":"failure","took_ms":12.5,"size":64,"transport":"tcp"}` + "\n"
	got, err := os.ReadFile(file)
	if err != nil || string(got) != want+want {
		t.Errorf("error %v, wrote\n%s\nwant twice\n%s", err, got, want)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, want 0600: it tells who writes to whom", info.Mode())
	}
}

func TestOpenErrors(t *testing.T) {
	dir := t.TempDir()
	pipe := filepath.Join(dir, "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	for output, want := range map[string]string{
		dir + "/none/queries.json": "no such file or directory",
		dir:                        "is a directory",
		pipe:                       "no such device or address", // nobody reads it
	} {
		_, err := Open(Options{Output: output})
		if err == nil || !strings.Contains(err.Error(), "query log "+output+": "+want+"; it takes a file") {
			t.Errorf("%s: error %v, want one that names it and says %q", output, err, want)
		}
	}
	if _, err := Open(Options{Output: "/dev/full", Format: Dnstap}); err == nil || !strings.Contains(err.Error(), "no space left") {
		t.Errorf("a dnstap stream that cannot begin: error %v", err)
	}
}

func TestSample(t *testing.T) {
	l, _ := open(t, Options{Output: filepath.Join(t.TempDir(), "q"), Sample: 0.1})
	chosen := 0
	for range 100_000 {
		if l.Chosen() {
			chosen++
		}
	}
	if chosen < 9400 || chosen > 10600 { // six standard deviations
		t.Errorf("%d of 100000 chosen, want a tenth", chosen)
	}
	for _, sample := range []float64{0, 1} {
		all, _ := open(t, Options{Output: filepath.Join(t.TempDir(), "q"), Sample: sample})
		for range 1000 {
			if !all.Chosen() {
				t.Fatalf("sample %v leaves a query out", sample)
			}
		}
	}
}
