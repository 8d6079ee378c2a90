package querylog

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	dnstap "github.com/dnstap/golang-dnstap"
	framestream "github.com/farsightsec/golang-framestream"
)

const (
	patience = 2 * time.Second // with one piece, and with a connection
	piece    = 64 << 10        // octets
)

// target is what a stream goes to: an *os.File or a net.Conn.
type target interface {
	io.ReadWriteCloser
	SetDeadline(time.Time) error
}

// stream is an open file or connection. What is written to it waits for flush.
type stream struct {
	out    target
	buf    []byte
	lines  *json.Encoder       // nil for dnstap
	frames *framestream.Writer // nil for JSON
	tap    *dnstap.Dnstap      // the message that goes into one frame after the other
}

// newStream begins a stream of the format, and closes out if that cannot be. dnstap shakes hands with whoever is at the other
// end of a connection, and not with a file.
func newStream(out target, o Options) (*stream, error) {
	s := &stream{out: out}
	if o.Format == JSON {
		s.lines = json.NewEncoder(s)
		s.lines.SetEscapeHTML(false)
		return s, nil
	}
	_, connection := out.(net.Conn)
	var err error
	s.frames, err = framestream.NewWriter(s, &framestream.WriterOptions{
		ContentTypes: [][]byte{dnstap.FSContentType}, Bidirectional: connection})
	if err == nil {
		err = s.flush()
	}
	if err != nil {
		out.Close()
		return nil, fmt.Errorf("no dnstap stream: %w", err)
	}
	host, _ := os.Hostname() // without a name it is nobody's
	s.tap = &dnstap.Dnstap{Identity: []byte(host), Version: []byte(o.Version), Type: dnstap.Dnstap_MESSAGE.Enum()}
	return s, nil
}

// Write keeps p for flush.
func (s *stream) Write(p []byte) (int, error) {
	s.buf = append(s.buf, p...)
	return len(p), nil
}

// Read reads the other side's part of a handshake, for which it has to have ours.
func (s *stream) Read(p []byte) (int, error) {
	if err := s.flush(); err != nil {
		return 0, err
	}
	return s.out.Read(p)
}

// flush writes what was kept; nothing is kept any more, whatever comes of it.
func (s *stream) flush() error {
	_ = s.out.SetDeadline(time.Now().Add(patience)) // an error means a file of the kind that has none
	if len(s.buf) == 0 {
		return nil
	}
	n, err := s.out.Write(s.buf)
	s.buf = s.buf[:0]
	if err != nil && n > 0 {
		s.mend(n)
	}
	return err
}

// mend takes the n octets that a failed write has left in a file out again, so that what comes next can be read. Where it
// cannot, a line at least ends.
func (s *stream) mend(n int) {
	f, ok := s.out.(*os.File)
	if !ok {
		return // a connection ends here
	}
	info, err := f.Stat()
	if err == nil && info.Mode().IsRegular() {
		err = f.Truncate(max(0, info.Size()-int64(n)))
	}
	if (err != nil || !info.Mode().IsRegular()) && s.lines != nil {
		s.buf = append(s.buf, '\n')
	}
}

// write writes queries in pieces, and returns how many are through: on an error, those before the piece that failed.
func (s *stream) write(queries []Query) (n int, err error) {
	for n < len(queries) {
		next := n
		for ; next < len(queries) && len(s.buf) < piece; next++ {
			if err := s.encode(&queries[next]); err != nil {
				return n, err
			}
		}
		if s.frames != nil {
			_ = s.frames.Flush() // to Write, which has no error
		}
		if err := s.flush(); err != nil {
			return n, err
		}
		n = next
	}
	return n, nil
}

// close ends the stream. It may be too late for the other side to take notice.
func (s *stream) close() {
	if s.frames != nil {
		_ = s.frames.Close()
	}
	_ = s.flush()
	_ = s.out.Close()
}
