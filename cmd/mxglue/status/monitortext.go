package status

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/mxglue/mxglue/smtpprobe"
)

// maxNotes is how many domains are named as what to look at.
const maxNotes = 10

// Columns head the table of domains, beside the domain, its state and the reason.
func (m Monitored) Columns() []string { return []string{"since", "MX up", "probed"} }

// A monitoredLine is one domain in a table.
type monitoredLine struct {
	Domain string
	State  string
	Bad    bool
	Cells  []string // as Columns
	Reason string
}

// Lines are the domains, ready to be read.
func (m Monitored) Lines() []monitoredLine {
	lines := make([]monitoredLine, len(m.Domains))
	for i, d := range m.Domains {
		line := monitoredLine{Domain: d.Domain, State: d.state(), Reason: d.Last.Reason, Cells: []string{instant(d.Since), "–", instant(d.Last.At)}}
		line.Bad = d.Status == smtpprobe.StatusCritical || d.Status == smtpprobe.StatusUnknown
		if !d.Last.At.IsZero() {
			line.Cells[1] = fmt.Sprintf("%d of %d", d.Last.Up, d.Last.Of)
		}
		lines[i] = line
	}
	return lines
}

// state is where a domain stands, in a word or two.
func (d MonitoredDomain) state() string {
	text := string(d.Status)
	switch {
	case d.Last.At.IsZero():
		return "not probed yet"
	case text == "":
		text = "not settled yet"
	}
	if d.Flapping {
		text += ", flapping"
	}
	return text
}

// EventLines are the events as sentences, each with its time.
func (m Monitored) EventLines() []string {
	lines := make([]string, len(m.Events))
	for i, e := range m.Events {
		lines[i] = instant(e.At) + "  " + e.Text
	}
	return lines
}

// Summary counts the domains by state, the worst first.
func (m Monitored) Summary() string {
	if m.Off != "" {
		return "nothing, for it does not run"
	}
	counts := map[smtpprobe.Status]int{}
	for _, d := range m.Domains {
		counts[d.Status]++
	}
	var parts []string
	for _, s := range []smtpprobe.Status{smtpprobe.StatusCritical, smtpprobe.StatusUnknown, smtpprobe.StatusWarning, smtpprobe.StatusOK} {
		if counts[s] > 0 {
			parts = append(parts, fmt.Sprintf("%s %s", Count(counts[s]), s))
		}
	}
	if counts[""] > 0 {
		parts = append(parts, Count(counts[""])+" not settled yet")
	}
	if parts == nil {
		return "no domain"
	}
	return strings.Join(parts, ", ")
}

// notes are what an operator should look at, in sentences.
func (m Monitored) notes() (notes []string) {
	if m.Off != "" {
		notes = append(notes, "The monitor does not run: "+m.Off+".")
	}
	if m.Trouble != "" {
		notes = append(notes, "The events of the monitor cannot be read: "+m.Trouble+".")
	}
	if m.StoreErrors > 0 {
		notes = append(notes, Counted(m.StoreErrors, "results of the monitor could not be kept: the log says why (monitor.store)."))
	}
	if !m.Blocked.IsZero() {
		notes = append(notes, "Port 25 seems blocked here since "+instant(m.Blocked)+": nobody answers, whatever the domain.")
	}
	more := 0
	for _, d := range m.Domains {
		switch {
		case d.Status == smtpprobe.StatusOK || d.Status == "":
		case more < maxNotes:
			more++
			notes = append(notes, fmt.Sprintf("%s is %s since %s; the last probe: %s", d.Domain, d.state(), instant(d.Since), d.Last.Reason))
		default:
			more++
		}
	}
	if more > maxNotes {
		notes = append(notes, Counted(more-maxNotes, "more mail domains are in trouble."))
	}
	return notes
}

// writeText writes the same for a terminal.
func (m Monitored) writeText(w io.Writer) {
	table := newTable(w)
	fmt.Fprintf(table, "\nMail domains\tstate\t%s\tlast probe\n", strings.Join(m.Columns(), "\t"))
	for _, line := range m.Lines() {
		fmt.Fprintf(table, "  %s\t%s\t%s\t%s\n", line.Domain, line.State, strings.Join(line.Cells, "\t"), line.Reason)
	}
	table.Flush()
	if len(m.Events) > 0 {
		fmt.Fprintf(w, "\nWhat changed there\n")
	}
	for _, line := range m.EventLines() {
		fmt.Fprintf(w, "  %s\n", line)
	}
}

// instant writes a time to the minute; a dash for none.
func instant(t time.Time) string {
	if t.IsZero() {
		return "–"
	}
	return t.UTC().Format("2006-01-02 15:04Z")
}
