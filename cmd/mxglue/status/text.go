package status

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"unicode"

	"github.com/mxglue/mxglue/cache"
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
		line := s.lineOf(u)
		fmt.Fprintf(upstreams, "  %s\t%s\t%s\n", line.Address, strings.Join(line.Cells, "\t"), line.State)
	}
	upstreams.Flush()

	if s.Monitor != nil {
		s.Monitor.writeText(&text)
	}

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

// WriteDump writes what the cache knows for a terminal, a line each. Signatures are left out: they are long, and what they
// are worth is in the column AD.
func WriteDump(w io.Writer, all []cache.Known) error {
	var text strings.Builder
	table := newTable(&text)
	fmt.Fprintln(table, "NAME\tTYPE\tRANK\tSTATE\tTTL\tAD\tBY\tUPSTREAM\tRECORDS")
	for _, k := range all {
		ad := "-"
		if k.AD {
			ad = "ad"
		}
		if k.CD {
			ad = "cd"
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%d\t%s\t%s\t%s\t%s\n", k.Name, k.Type, k.Rank, k.State, k.TTL, ad, k.By, dash(k.Upstream), says(k))
	}
	table.Flush()
	_, err := io.WriteString(w, tidy(text.String()))
	return err
}

// says is what an entry answers: the data of its records, with the type of those that are not of its own, or the RCODE.
func says(k cache.Known) string {
	var parts []string
	for _, record := range k.Records {
		fields := strings.SplitN(record, "\t", 5) // name, TTL, class, type, data: zone file form
		switch {
		case len(fields) < 5:
			parts = append(parts, strings.Join(fields, " "))
		case fields[3] == k.Type:
			parts = append(parts, fields[4])
		case fields[3] != "RRSIG":
			parts = append(parts, fields[3]+" "+fields[4])
		}
	}
	switch {
	case parts != nil:
		return strings.Join(parts, ", ")
	case k.Rcode == "NOERROR":
		return "no such record"
	}
	return k.Rcode
}

func dash(text string) string {
	if text == "" {
		return "-"
	}
	return text
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
