package smtpprobe

import (
	"bufio"
	"errors"
	"io"
	"time"
)

// Limits of one reply. RFC 5321 4.5.3.1.5 gives a reply line 512 octets; real ones are longer, and
// Postfix takes 2048.
const (
	maxLine       = 2048 // octets, line ending included
	maxReplyBytes = 64 << 10
	maxReplyLines = 100
)

var (
	errNotReply    = errors.New("not an SMTP reply")
	errTooLong     = errors.New("too long")
	errMalformed   = errors.New("malformed line inside the reply")
	errCodesDiffer = errors.New("the lines of the reply carry different codes")
)

// reply is one SMTP reply (RFC 5321 4.2). Its texts are the peer's own bytes: Escape before showing.
type reply struct {
	code      int      // of the last line read
	lines     []string // the text of each line, without code, separator and line ending
	complete  bool     // the last line ("NNN text" or "NNN") has been read
	bareLF    bool     // some line ended in LF without CR
	stray     string   // the beginning of a line that is no reply line, or that never ended
	firstByte time.Time
}

// replyReader reads replies from one connection.
type replyReader struct{ in *bufio.Reader }

// newReplyReader returns a reader whose buffer is as long as a line may be: a line that does not fit is too long.
func newReplyReader(conn io.Reader) *replyReader {
	return &replyReader{bufio.NewReaderSize(conn, maxLine)}
}

// read reads up to the end of a reply. With an error, the reply tells what had come so far; only one whose
// codes differ is complete none the less. The time it may take is the connection's deadline.
func (r *replyReader) read() (reply, error) {
	var rep reply
	if _, err := r.in.Peek(1); err != nil {
		return rep, err
	}
	rep.firstByte = time.Now()
	differ, size := false, 0
	for len(rep.lines) < maxReplyLines {
		line, err := r.in.ReadSlice('\n')
		size += len(line)
		if err != nil {
			return rep.stopped(line, err)
		}
		if size > maxReplyBytes {
			return rep, errTooLong
		}
		line, crlf := trimEnding(line)
		code, text, last, ok := parseLine(line)
		if !ok {
			return rep.stopped(line, errMalformed)
		}
		differ = differ || len(rep.lines) > 0 && code != rep.code
		rep.code, rep.complete, rep.bareLF = code, last, rep.bareLF || !crlf
		rep.lines = append(rep.lines, text)
		if last && differ {
			return rep, errCodesDiffer
		}
		if last {
			return rep, nil
		}
	}
	return rep, errTooLong
}

// stopped notes the line, whole or in part, at which reading stopped because of err.
func (rep reply) stopped(line []byte, err error) (reply, error) {
	rep.stray = string(line[:min(len(line), maxStray)])
	switch {
	case len(rep.lines) == 0 && (err == errMalformed || !beginsReply(line)):
		return rep, errNotReply
	case err == bufio.ErrBufferFull:
		return rep, errTooLong
	}
	return rep, err
}

// trimEnding cuts the line ending off and tells whether it was CRLF. LF alone is taken too.
func trimEnding(line []byte) (text []byte, crlf bool) {
	line = line[:len(line)-1]
	if n := len(line); n > 0 && line[n-1] == '\r' {
		return line[:n-1], true
	}
	return line, false
}

// parseLine takes a reply line apart: three digits, then its end, a space or a hyphen (RFC 5321 4.2). The
// code alone is legal input ("be prepared to process the code alone", RFC 5321 4.2).
func parseLine(line []byte) (code int, text string, last, ok bool) {
	if len(line) < 3 || !beginsReply(line) {
		return 0, "", false, false
	}
	code = int(line[0]-'0')*100 + int(line[1]-'0')*10 + int(line[2]-'0')
	if len(line) == 3 {
		return code, "", true, true
	}
	return code, string(line[4:]), line[3] == ' ', true
}

// beginsReply tells whether a reply line can begin with these bytes, be they the whole of it or a part.
func beginsReply(line []byte) bool {
	for _, c := range line[:min(len(line), 3)] {
		if c < '0' || c > '9' {
			return false
		}
	}
	return len(line) < 4 || line[3] == ' ' || line[3] == '-'
}
