package main

import (
	"io"
	"os"

	"golang.org/x/term"

	"github.com/mxglue/mxglue/smtpprobe"
)

// colour is an SGR parameter of ECMA-48; the empty one is none.
type colour string

const (
	none   colour = ""
	dim    colour = "2"
	red    colour = "31"
	green  colour = "32"
	yellow colour = "33"
	cyan   colour = "36"
)

var severityColour = map[smtpprobe.Severity]colour{
	smtpprobe.SeverityOK: green, smtpprobe.SeverityWarning: yellow, smtpprobe.SeverityCritical: red, smtpprobe.SeverityUnknown: cyan,
}

// painter tells whether to paint.
type painter bool

// paints tells whether an output is a terminal, and its user wants colours: NO_COLOR, if set to anything, says no
// (no-color.org).
func paints(out io.Writer) painter {
	return painter(isTerminal(out) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb")
}

func isTerminal(out io.Writer) bool {
	file, ok := out.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}

// in paints a text.
func (p painter) in(c colour, text string) string {
	if !p || c == none || text == "" {
		return text
	}
	return "\x1b[" + string(c) + "m" + text + "\x1b[0m"
}
