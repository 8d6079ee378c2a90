package smtpprobe

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"unicode"
	"unicode/utf8"
)

func TestReplyReader(t *testing.T) {
	long := strings.Repeat("x", maxLine)
	for _, test := range []struct {
		name     string
		input    string
		code     int
		lines    []string
		complete bool
		bareLF   bool
		stray    string
		err      error
	}{
		{name: "one line", input: "220 mx.example ESMTP\r\n", code: 220, lines: []string{"mx.example ESMTP"}, complete: true},
		{name: "several lines", input: "220-a\r\n220-\r\n220 c\r\n", code: 220, lines: []string{"a", "", "c"}, complete: true},
		{name: "the code alone", input: "220\r\n", code: 220, lines: []string{""}, complete: true},
		{name: "the code alone ends several", input: "220-a\r\n220\r\n", code: 220, lines: []string{"a", ""}, complete: true},
		{name: "LF only", input: "220 a\n", code: 220, lines: []string{"a"}, complete: true, bareLF: true},
		{name: "one LF among CRLF", input: "220-a\n220 b\r\n", code: 220, lines: []string{"a", "b"}, complete: true, bareLF: true},
		{name: "a CR inside is text", input: "220 a\rb\r\n", code: 220, lines: []string{"a\rb"}, complete: true},
		{name: "the next reply is left alone", input: "220 a\r\n250 b\r\n", code: 220, lines: []string{"a"}, complete: true},
		{name: "codes differ", input: "220-a\r\n554 no\r\n", code: 554, lines: []string{"a", "no"}, complete: true, err: errCodesDiffer},
		{name: "an odd code is still a reply", input: "999 what\r\n", code: 999, lines: []string{"what"}, complete: true},
		{name: "longest line", input: "220 " + long[:maxLine-6] + "\r\n", code: 220, lines: []string{long[:maxLine-6]}, complete: true},
		{name: "line too long", input: "220 " + long[:maxLine-5] + "\r\n", stray: "220 " + long[:96], err: errTooLong},
		{name: "most lines", input: strings.Repeat("220-\r\n", maxReplyLines-1) + "220 \r\n", code: 220, lines: make([]string, maxReplyLines), complete: true},
		{name: "too many lines", input: strings.Repeat("220-\r\n", maxReplyLines) + "220 \r\n", code: 220, lines: make([]string, maxReplyLines), err: errTooLong},
		{name: "too many bytes", input: strings.Repeat("220-"+long[:1018]+"\r\n", 65), code: 220, lines: slices.Repeat([]string{long[:1018]}, 64), err: errTooLong},
		{name: "SSH", input: "SSH-2.0-OpenSSH_9.2\r\n", stray: "SSH-2.0-OpenSSH_9.2", err: errNotReply},
		{name: "no line ending, and no SMTP", input: "SSH-2.0", stray: "SSH-2.0", err: errNotReply},
		{name: "not SMTP, without end", input: long + long, stray: long[:100], err: errNotReply},
		{name: "two digits", input: "22 a\r\n", stray: "22 a", err: errNotReply},
		{name: "two digits alone", input: "22\r\n", stray: "22", err: errNotReply},
		{name: "four digits", input: "2200 a\r\n", stray: "2200 a", err: errNotReply},
		{name: "empty line", input: "\r\n220 a\r\n", err: errNotReply},
		{name: "garbage inside", input: "220-a\r\nhello\r\n220 b\r\n", code: 220, lines: []string{"a"}, stray: "hello", err: errMalformed},
		{name: "nothing", input: "", err: io.EOF},
		{name: "end inside a line", input: "220 mx", stray: "220 mx", err: io.EOF},
		{name: "end inside a reply", input: "220-mx\r\n", code: 220, lines: []string{"mx"}, err: io.EOF},
	} {
		t.Run(test.name, func(t *testing.T) {
			for _, in := range []io.Reader{strings.NewReader(test.input), iotest.OneByteReader(strings.NewReader(test.input))} {
				rep, err := newReplyReader(in).read()
				if !errors.Is(err, test.err) || (err != nil) != (test.err != nil) {
					t.Errorf("error %v, want %v", err, test.err)
				}
				if rep.code != test.code || rep.complete != test.complete || rep.bareLF != test.bareLF || rep.stray != test.stray {
					t.Errorf("got code %d, complete %v, bareLF %v, stray %q", rep.code, rep.complete, rep.bareLF, rep.stray)
				}
				if !slices.Equal(rep.lines, test.lines) {
					t.Errorf("lines %q, want %q", rep.lines, test.lines)
				}
			}
		})
	}
}

func TestReplyReaderReadsOneAfterTheOther(t *testing.T) {
	r := newReplyReader(strings.NewReader("220 a\r\n250-b\r\n250 c\r\n221 d\r\n"))
	for _, want := range []string{"a", "b,c", "d"} {
		rep, err := r.read()
		if got := strings.Join(rep.lines, ","); err != nil || got != want {
			t.Errorf("got %q, %v; want %q", got, err, want)
		}
	}
}

// FuzzReplyReader: whatever a peer sends, and be it without end, a reply stays within its limits, consists of
// what was sent, and no more is taken from the connection than a reply may have.
func FuzzReplyReader(f *testing.F) {
	for _, seed := range []string{
		"220 mx.example ESMTP\r\n", "220-a\r\n220 b\r\n", "220\r\n", "220-a\n220\n", "220-a\r\n554 no\r\n",
		"421 busy\r\n", "SSH-2.0-x\r\n", "220-" + strings.Repeat("x", 3000), strings.Repeat("220-\r\n", 200),
		"250-SIZE 1\r\n250-AUTH=LOGIN\r\n250 x\r\n", "\x00\xff\r\n", "220 \x1b[31m\u009b\r\n", "2\r\n", "",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, input []byte) {
		in := &repeater{input: slices.Concat(input, []byte{'\n'})}
		rep, err := newReplyReader(in).read()
		if in.taken > maxReplyBytes+maxLine {
			t.Errorf("read %d bytes for one reply", in.taken)
		}
		if len(rep.lines) > maxReplyLines || len(rep.stray) > maxStray {
			t.Errorf("%d lines, stray of %d bytes", len(rep.lines), len(rep.stray))
		}
		if rep.complete != (err == nil || err == errCodesDiffer) {
			t.Errorf("complete is %v with error %v", rep.complete, err)
		}
		for _, line := range rep.lines {
			if strings.Contains(line, "\n") || !bytes.Contains(in.input, []byte(line)) {
				t.Errorf("the peer never said %q", line)
			}
		}
		if err != nil {
			return
		}
		for _, e := range parseExtensions(rep.lines) {
			if len(e) > maxExtension || Escape(e) != e || !utf8.ValidString(e) {
				t.Errorf("extension %q", e)
			}
		}
		text := escapeLines(rep.lines)
		if len(text) > maxGreeting || !utf8.ValidString(text) || strings.ContainsFunc(text, func(r rune) bool { return r != '\n' && !unicode.IsPrint(r) }) {
			t.Errorf("greeting %q", text)
		}
	})
}

// repeater says the same thing for ever.
type repeater struct {
	input []byte
	taken int
}

func (r *repeater) Read(p []byte) (int, error) {
	n := copy(p, r.input[r.taken%len(r.input):])
	r.taken += n
	return n, nil
}
