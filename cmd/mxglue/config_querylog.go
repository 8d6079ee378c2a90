package main

import (
	"strconv"
	"strings"

	"github.com/mxglue/mxglue/cmd/mxglue/querylog"
)

// QueryLog is the section querylog: what is written down of each query.
type QueryLog struct {
	Output string // a file, or unix: and the path of a socket; "": none
	Format string // json or dnstap
	Sample float64
}

// maxSocketPath is what the address of a Unix socket has room for, octets (unix(7)).
const maxSocketPath = 107

// logOutput accepts a file name, or the absolute path of a Unix socket.
func logOutput() kind[string] {
	return kind[string]{
		want: "a file name without control characters, or unix: and the absolute path of a socket, 107 octets at most",
		parse: func(text string) (string, bool) {
			path, socket := strings.CutPrefix(text, querylog.UnixPrefix)
			_, ok := fileName().parse(path)
			return text, ok && (!socket || strings.HasPrefix(path, "/") && len(path) <= maxSocketPath)
		},
	}
}

// share is the part of all that is taken: some, or all.
func share() kind[float64] {
	return kind[float64]{
		want: "a share above 0 and up to 1, such as 0.1",
		parse: func(text string) (float64, bool) {
			f, err := strconv.ParseFloat(text, 64)
			return f, err == nil && f > 0 && f <= 1
		},
	}
}
