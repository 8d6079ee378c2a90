package smtpprobe

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// What is kept of a peer's words, in bytes after escaping.
const (
	maxGreeting  = 1024
	maxExtension = 128
	maxDetail    = 256
	maxStray     = 100 // of what is not SMTP, before escaping
)

// Escape returns s with everything that is not printable written as \xNN or \u{NNNN}: control characters,
// terminal escapes, bytes that are no UTF-8, and marks that change the writing direction. The result is
// valid UTF-8 and escaping it again changes nothing.
func Escape(s string) string {
	var b strings.Builder
	for len(s) > 0 {
		r, n := utf8.DecodeRuneInString(s)
		switch {
		case r == utf8.RuneError && n == 1:
			fmt.Fprintf(&b, `\x%02x`, s[0])
		case unicode.IsPrint(r):
			b.WriteRune(r)
		case r < utf8.RuneSelf:
			fmt.Fprintf(&b, `\x%02x`, r)
		default:
			fmt.Fprintf(&b, `\u{%x}`, r)
		}
		s = s[n:]
	}
	return b.String()
}

// clip shortens valid UTF-8 to at most limit bytes, the mark of the cut included.
func clip(s string, limit int) string {
	const mark = "…"
	if len(s) <= limit {
		return s
	}
	cut := limit - len(mark)
	for cut > 0 && !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + mark
}

// escapeLines is Escape for the lines of a reply, joined by newlines: the only control character that a Report carries.
func escapeLines(lines []string) string {
	escaped := make([]string, len(lines))
	for i, line := range lines {
		escaped[i] = Escape(line)
	}
	return clip(strings.Join(escaped, "\n"), maxGreeting)
}
