package querylog

import (
	"bytes"
	"encoding/json"
	"errors"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/miekg/dns"
)

// A query that is added allocates nothing, whether there is room or not.
func TestAddAllocates(t *testing.T) {
	for _, format := range []Format{JSON, Dnstap} {
		l, _ := open(t, Options{Format: format, Dial: func() (net.Conn, error) { return nil, errors.New("nobody") }})
		q := query(t, "mail.example.", dns.TypeA)
		if n := testing.AllocsPerRun(batchQueries/2, func() { l.Add(q) }); n != 0 || l.Stats().Dropped != 0 {
			t.Errorf("%s: %v allocations with room, %+v", format, n, l.Stats())
		}
		for range 2 * batchQueries {
			l.Add(q)
		}
		if n := testing.AllocsPerRun(batchQueries, func() { l.Add(q) }); n != 0 {
			t.Errorf("%s: %v allocations without room", format, n)
		}
		if l.Stats().Dropped == 0 {
			t.Errorf("%s: nothing was dropped", format)
		}
	}
}

func TestConcurrent(t *testing.T) {
	file := filepath.Join(t.TempDir(), "queries.fstrm")
	l, _ := open(t, Options{Output: file, Format: Dnstap})
	q := query(t, "mail.example.", dns.TypeA)
	var adding sync.WaitGroup
	for range 8 {
		adding.Go(func() {
			for range 5000 {
				l.Add(q)
			}
		})
	}
	adding.Wait()
	l.Close()
	st, n := l.Stats(), len(taps(t, file))
	if st.Written+st.Dropped != 40_000 || st.Written != uint64(n) || n < batchQueries {
		t.Errorf("the file has %d, counted %+v of 40000", n, st)
	}
}

func BenchmarkAdd(b *testing.B) {
	l, err := Open(Options{Output: "/dev/null"})
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	q := query(b, "mail.example.", dns.TypeA)
	b.ReportAllocs()
	for b.Loop() {
		l.Add(q)
	}
	b.ReportMetric(float64(l.Stats().Dropped)/float64(b.N), "dropped/op")
}

func BenchmarkWrite(b *testing.B) {
	for _, format := range []Format{JSON, Dnstap} {
		b.Run(string(format), func(b *testing.B) {
			f, err := os.OpenFile("/dev/null", os.O_WRONLY, 0)
			if err != nil {
				b.Fatal(err)
			}
			s, err := newStream(f, Options{Format: format})
			if err != nil {
				b.Fatal(err)
			}
			queries := make([]Query, 1000)
			for i := range queries {
				queries[i] = query(b, "mail.example.", dns.TypeA)
			}
			for b.Loop() {
				if _, err := s.write(queries); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1000, "ns/query")
		})
	}
}

// FuzzLine: whatever a question says, one line of printable ASCII says it in JSON.
func FuzzLine(f *testing.F) {
	f.Add([]byte("\x04mail\x07example\x00\x00\x01\x00\x01"))
	f.Add([]byte("\x05a\"\n\xff\\\x00\xff\x00\x00\x01"))
	f.Add([]byte("\xc0\x00\x00\x01\x00\x01"))
	f.Fuzz(func(t *testing.T, question []byte) {
		if len(question) < 5 || len(question) > 259 {
			return
		}
		q := Query{Asked: asked, Answered: asked, Question: question, Reply: make([]byte, 12), size: 12}
		s := new(stream)
		s.lines = json.NewEncoder(s)
		if err := s.encode(&q); err != nil {
			t.Fatal(err)
		}
		var l line
		if err := json.Unmarshal(s.buf, &l); err != nil || l.Rcode != "NOERROR" || bytes.Count(s.buf, []byte("\n")) != 1 {
			t.Fatalf("%q: %v", s.buf, err)
		}
		for _, b := range s.buf[:len(s.buf)-1] {
			if b < ' ' || b > '~' {
				t.Fatalf("%q is not printable", s.buf)
			}
		}
	})
}
