package status

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"unicode"
)

// WriteText writes a Snapshot for a terminal, aligned: the same figures as the page.
func WriteText(w io.Writer, s Snapshot) error {
	var text strings.Builder
	fmt.Fprintf(&text, "mxglue %s, up %s\n", s.Version, s.Uptime())
	for _, note := range s.Notes() {
		fmt.Fprintf(&text, "! %s\n", note)
	}
	upstreams := newTable(&text)
	fmt.Fprintf(upstreams, "\nUpstreams\t%s\tstate\n", strings.Join(upstreamColumns, "\t"))
	for _, u := range s.Upstreams {
		line := lineOf(u)
		fmt.Fprintf(upstreams, "  %s\t%s\t%s\n", line.Address, strings.Join(line.Cells, "\t"), line.State)
	}
	upstreams.Flush()

	figures := newTable(&text)
	for _, section := range append([]Section{{"Saved", s.Tiles()}}, s.Sections()...) {
		fmt.Fprintf(figures, "\t\t\n%s\t\t\n", section.Title) // with the cells of every line, so that all sections align
		for _, f := range section.Figures {
			fmt.Fprintf(figures, "  %s\t%s\t%s\n", f.Label, f.Value, f.Help)
		}
	}
	figures.Flush()
	_, err := io.WriteString(w, tidy(text.String()))
	return err
}

func newTable(w io.Writer) *tabwriter.Writer {
	return tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
}

// tidy drops the blanks at the ends of lines, and keeps what came over the network from commanding the terminal.
func tidy(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		b.WriteString(strings.Map(printable, strings.TrimRight(line, " \n")))
		b.WriteByte('\n')
	}
	return b.String()
}

func printable(r rune) rune {
	if unicode.IsPrint(r) {
		return r
	}
	return '?'
}
