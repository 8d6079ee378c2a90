package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/mxglue/mxglue/smtpprobe"
)

// Widths in characters: what a greeting and the EHLO keywords get of a line.
const (
	greetingWidth   = 60
	extensionsWidth = 160
)

// textWriter prints a probe for a person: the verdict, a matrix of addresses and stages, what the servers said, the
// findings, the worst first, and in the last line who takes the mail now. Everything that came from outside is escaped.
type textWriter struct {
	out   io.Writer
	paint painter
	brief bool // the first line only: for lists
}

func (w textWriter) write(o outcome) error {
	var b strings.Builder
	r := o.Report
	fmt.Fprintf(&b, "%s: %s. %s\n", smtpprobe.Escape(r.Domain), w.status(r.Status), smtpprobe.Escape(r.Reason))
	if !w.brief {
		if len(r.MX) > 0 {
			b.WriteString(w.paint.in(dim, rrset(r)) + "\n")
			w.writeMatrix(&b, r)
			b.WriteByte('\n')
		}
		for _, line := range words(r) {
			fmt.Fprintln(&b, smtpprobe.Escape(line))
		}
		w.writeFindings(&b, r.Findings)
		for _, line := range remarks(r) {
			fmt.Fprintln(&b, smtpprobe.Escape(line))
		}
		fmt.Fprintf(&b, "%s: %s%s\n", w.status(r.Status), smtpprobe.Escape(whoTakesMail(r)), warned(r))
	}
	_, err := io.WriteString(w.out, b.String())
	return err
}

func (w textWriter) end() error { return nil }

// status is one of the four words.
func (w textWriter) status(s smtpprobe.Status) string {
	return w.paint.in(severityColour[smtpprobe.Severity(s)], strings.ToUpper(string(s)))
}

// rrset is where the MX answer came from; nothing where there was no MX question.
func rrset(r smtpprobe.Report) string {
	if r.Source == "" {
		return ""
	}
	signed := "not signed"
	if r.AD {
		signed = "signed (AD)"
	}
	if len(r.MX) == 1 && r.MX[0].Implicit {
		return fmt.Sprintf("No MX record (answer from %s, %s): the domain itself is its MX host, as RFC 5321 section 5.1 has it.\n", smtpprobe.Escape(r.Source), signed)
	}
	return fmt.Sprintf("MX answer from %s, %d s left, %s.\n", smtpprobe.Escape(r.Source), r.TTL, signed)
}

// writeFindings prints what was found, the worst first.
func (w textWriter) writeFindings(out io.Writer, findings []smtpprobe.Finding) {
	for _, f := range folded(worstFirst(findings)) {
		text, rule := f.Text, ""
		if len(f.also) > 0 {
			text += " Also: " + strings.Join(f.also, ", ") + "."
		}
		if f.Rule != "" {
			rule = " [" + smtpprobe.Escape(f.Rule) + "]"
		}
		word := fmt.Sprintf("%-8s", strings.ToUpper(string(f.Severity)))
		fmt.Fprintf(out, "%s  %s%s\n", w.paint.in(severityColour[f.Severity], word), smtpprobe.Escape(text), w.paint.in(dim, rule))
	}
}

// foldedFinding is a finding, and what else it holds for.
type foldedFinding struct {
	smtpprobe.Finding
	also []string
}

// folded leaves out what is as it should be, and makes one of what holds for several and is no warning.
func folded(findings []smtpprobe.Finding) (lines []foldedFinding) {
	at := make(map[string]int)
	for _, f := range findings {
		if f.Severity == smtpprobe.SeverityOK {
			continue
		}
		kind := string(f.Severity) + f.Code + f.Rule
		if i, known := at[kind]; known && (f.Severity == smtpprobe.SeverityInfo || f.Severity == smtpprobe.SeverityUnknown) {
			lines[i].also = append(lines[i].also, f.About)
			continue
		}
		at[kind] = len(lines)
		lines = append(lines, foldedFinding{Finding: f})
	}
	return lines
}

// words are what the servers said: greeting, keywords, certificate, and the dialogue if it was kept.
func words(r smtpprobe.Report) (lines []string) {
	for _, e := range r.MX {
		for _, a := range e.Attempts {
			name := e.Name
			if len(e.Attempts) > 1 {
				name += " (" + a.Address.String() + ")"
			}
			switch {
			case a.Shared == e.Name:
				lines = append(lines, fmt.Sprintf("%s was visited %.0f s ago: this is what it did then.", name, a.Age))
			case a.Shared != "":
				lines = append(lines, name+" is the same server as "+a.Shared+".")
			case a.Greeting != "":
				lines = append(lines, name+" says: "+shorten(strings.ReplaceAll(a.Greeting, "\n", " / "), greetingWidth))
			case a.Detail != "" && a.Verdict != smtpprobe.Refused && a.Verdict != smtpprobe.Skipped: // of which the matrix says all
				lines = append(lines, name+": "+a.Detail+".")
			}
			if len(a.Extensions) > 0 && a.Shared == "" {
				lines = append(lines, "  offers "+shorten(strings.Join(a.Extensions, ", "), extensionsWidth))
			}
			if t := a.TLS; t != nil && len(t.Chain) > 0 && a.Shared == "" {
				lines = append(lines, fmt.Sprintf("  %s %s %s; certificate %s, until %s", t.Version, t.Cipher, t.KeyExchange, t.Chain[0].Subject, t.NotAfter.Format(time.DateOnly)),
					"  TLSA for its key: "+t.SPKI)
			}
			for _, said := range a.Transcript {
				lines = append(lines, "  "+said)
			}
		}
	}
	return lines
}

// remarks are the lines between the findings and the last line.
func remarks(r smtpprobe.Report) (lines []string) {
	for _, d := range r.Differences {
		lines = append(lines, fmt.Sprintf("The cache has %s %s: %s; asked now it is %s.", d.Name, d.Type, orNothing(d.Cached), orNothing(d.Fresh)))
	}
	names, private, special, self := []string{}, false, false, false
	for _, e := range r.MX {
		names = append(names, e.Name)
		for _, a := range e.Attempts {
			blocked, liftable := a.Verdict == smtpprobe.BlockedAddress, smtpprobe.PrivateAddress(a.Address)
			private, special = private || blocked && liftable, special || blocked && !liftable
		}
	}
	self = slices.ContainsFunc(r.Findings, func(f smtpprobe.Finding) bool { return f.Code == "mx_self" })
	if !slices.Equal(names, r.Order) {
		lines = append(lines, "Tried in the order "+strings.Join(r.Order, ", ")+": equal preferences are shuffled.")
	}
	if private {
		lines = append(lines, "--allow-private connects to loopback and private addresses too.")
	}
	if special {
		lines = append(lines, "smtpprobe.allow in config.yaml names special addresses to connect to all the same.")
	}
	if self && slices.ContainsFunc(r.MX, func(e smtpprobe.Exchanger) bool { return e.Verdict == smtpprobe.Skipped }) {
		lines = append(lines, "--include-self probes this host, too.")
	}
	return lines
}

func orNothing(data []string) string {
	if len(data) == 0 {
		return "nothing"
	}
	return strings.Join(data, ", ")
}

// shorten cuts a text to a number of characters, the mark of the cut included.
func shorten(s string, width int) string {
	if r := []rune(s); len(r) > width {
		return string(r[:width-1]) + "…"
	}
	return s
}
