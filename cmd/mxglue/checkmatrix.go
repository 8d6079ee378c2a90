package main

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/mxglue/mxglue/smtpprobe"
)

// cell is one cell of the matrix.
type cell struct {
	text   string
	colour colour
}

// stages are the columns of the matrix. The one before them is for preference and name, or for the address.
var stages = []string{"DNS", "CONNECT", "GREETING", "EHLO", "TLS", "CERT", "DANE", "MTA-STS"}

// writeMatrix prints a line for each exchanger with what senders do, and one below it for each of its addresses, stage
// by stage.
func (w textWriter) writeMatrix(out io.Writer, r smtpprobe.Report) {
	head := []cell{{text: "PREF  MX AND ADDRESS"}}
	for _, s := range stages {
		head = append(head, cell{text: s})
	}
	rows := [][]cell{head}
	for _, e := range r.MX {
		rows = append(rows, []cell{{text: fmt.Sprintf("%4d  %s", e.Preference, smtpprobe.Escape(e.Name))}, {text: senderWords(e)}})
		for _, a := range e.Attempts {
			rows = append(rows, append([]cell{{text: "      " + a.Address.String()}}, stageCells(r, e, a)...))
		}
	}
	w.writeRows(out, rows)
}

// writeRows aligns the columns; the last cell of a row takes what it needs.
func (w textWriter) writeRows(out io.Writer, rows [][]cell) {
	widths := make([]int, len(stages)+1)
	for _, row := range rows {
		for i, c := range row[:len(row)-1] {
			widths[i] = max(widths[i], utf8.RuneCountInString(c.text))
		}
	}
	for _, row := range rows {
		var line strings.Builder
		for i, c := range row {
			line.WriteString(w.paint.in(c.colour, c.text))
			if i < len(row)-1 {
				line.WriteString(strings.Repeat(" ", widths[i]-utf8.RuneCountInString(c.text)+2))
			}
		}
		fmt.Fprintln(out, line.String())
	}
}

// senderWords are what the three kinds of senders do at an exchanger, or why nothing is known.
func senderWords(e smtpprobe.Exchanger) string {
	if len(e.Attempts) == 0 {
		if e.Detail == "" {
			return string(e.Verdict)
		}
		return string(e.Verdict) + ": " + smtpprobe.Escape(e.Detail)
	}
	return fmt.Sprintf("plain: %s, DANE: %s, MTA-STS: %s", e.Senders.Plain, e.Senders.DANE, e.Senders.STS)
}
