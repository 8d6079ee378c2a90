package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/mxglue/mxglue/smtpprobe"
)

// Widths in characters: what a table of addresses and times leaves of a terminal.
const (
	greetingWidth   = 48
	extensionsWidth = 200
)

// writeReport prints a probe for a person: the verdict, a table in order of preference, what is odd, and in
// the last line who takes the mail now. Everything that came from outside is escaped.
func writeReport(w io.Writer, r smtpprobe.Report) {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s. %s\n", smtpprobe.Escape(r.Domain), strings.ToUpper(string(r.Status)), smtpprobe.Escape(r.Reason))
	if len(r.MX) > 0 {
		b.WriteByte('\n')
		writeTable(&b, r.MX)
		b.WriteByte('\n')
	}
	for _, line := range remarks(r) {
		fmt.Fprintf(&b, "%s\n", smtpprobe.Escape(line))
	}
	fmt.Fprintf(&b, "%s\n", smtpprobe.Escape(whoTakesMail(r)))
	io.WriteString(w, b.String()) // a closed pipe has nobody to tell
}

// writeTable prints a row for each attempt, and one for each exchanger without any.
func writeTable(w io.Writer, exchangers []smtpprobe.Exchanger) {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "PREF\tEXCHANGER\tADDRESS\tSOURCE\tVERDICT\tCODE\tGREETING\tCONNECT MS\tGREETING MS")
	for _, e := range exchangers {
		if len(e.Attempts) == 0 {
			fmt.Fprintf(table, "%4d\t%s\t-\t-\t%s\t-\t%s\t-\t-\n", e.Preference, smtpprobe.Escape(e.Name), e.Verdict, aside(e.Detail))
		}
		for _, a := range e.Attempts {
			fmt.Fprintf(table, "%4d\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", e.Preference, smtpprobe.Escape(e.Name), a.Address,
				orDash(smtpprobe.Escape(a.Source)), a.Verdict, code(a.Code), greetingCell(e, a), elapsed(a.MS.Connect), elapsed(a.MS.Greeting))
		}
	}
	table.Flush()
}

// greetingCell is the greeting on one line, or in parentheses what there is to say instead.
func greetingCell(e smtpprobe.Exchanger, a smtpprobe.Attempt) string {
	switch {
	case a.Shared == e.Name:
		return aside("visited less than a minute ago")
	case a.Shared != "":
		return aside("same server as " + a.Shared)
	case a.Greeting == "" && a.Code != 0 && a.Detail == "":
		return aside("no text")
	case a.Greeting == "" || a.Verdict == smtpprobe.BadGreeting:
		return aside(a.Detail)
	}
	return shorten(smtpprobe.Escape(strings.ReplaceAll(a.Greeting, "\n", " / ")), greetingWidth)
}

// aside puts a text in parentheses.
func aside(text string) string {
	if text == "" {
		return "-"
	}
	return "(" + shorten(smtpprobe.Escape(text), greetingWidth) + ")"
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// code is the three digits of a reply, or a dash where none came.
func code(c int) string {
	if c == 0 {
		return "-"
	}
	return fmt.Sprintf("%03d", c)
}

// elapsed is a duration in milliseconds; 0 stands for a phase that was not reached.
func elapsed(ms float64) string {
	if ms == 0 {
		return "-"
	}
	return fmt.Sprintf("%.1f", ms)
}

// shorten cuts a text to a number of characters, the mark of the cut included.
func shorten(s string, width int) string {
	if r := []rune(s); len(r) > width {
		return string(r[:width-1]) + "…"
	}
	return s
}

// remarks are the lines between the table and the last line.
func remarks(r smtpprobe.Report) []string {
	var lines []string
	blocked := false
	names := make([]string, 0, len(r.MX))
	for _, e := range r.MX {
		names = append(names, e.Name)
		offered := false
		for _, a := range e.Attempts {
			blocked = blocked || a.Verdict == smtpprobe.BlockedAddress
			if len(a.Extensions) > 0 && a.Shared == "" && !offered {
				offered = true
				lines = append(lines, e.Name+" offers "+shorten(strings.Join(a.Extensions, ", "), extensionsWidth)+".")
			}
		}
	}
	if !slices.Equal(names, r.Order) {
		lines = append(lines, "Tried in the order "+strings.Join(r.Order, ", ")+": equal preferences are shuffled.")
	}
	for _, warning := range r.Warnings {
		lines = append(lines, "Warning: "+warning)
	}
	if blocked {
		lines = append(lines, "Note: --allow-private connects to loopback and private addresses too.")
	}
	return lines
}

// whoTakesMail is the last line: who takes the mail now, or what a sender would do with it.
func whoTakesMail(r smtpprobe.Report) string {
	if r.TakesMail != nil {
		line := *r.TakesMail + " takes the mail now"
		switch before := slices.Index(r.Order, *r.TakesMail); {
		case r.Status == smtpprobe.StatusCritical:
			line += ", from senders that ignore the null MX beside it"
		case before > 0:
			line += ", after " + strings.Join(r.Order[:before], ", ") + " did not"
		}
		return line + "."
	}
	switch r.Verdict {
	case smtpprobe.NullMX, smtpprobe.NXDomain, smtpprobe.NoAddress: // RFC 7505 4.2, RFC 5321 5.1: reported as an error
		return "Nobody takes mail for " + r.Domain + ": a sender returns it at once."
	case smtpprobe.DNSFail:
		return "Nobody knows who takes mail for " + r.Domain + ": a sender that fares the same keeps it and tries again."
	case smtpprobe.Critical:
		if notTried(r) {
			return "Nobody is known to take mail for " + r.Domain + ": its addresses were not connected to."
		}
		// RFC 5321 4.5.4.1: retries go on for 4 to 5 days at least
		return "Nobody takes mail for " + r.Domain + " now: a sender keeps it and tries again, for some days."
	}
	return "Unknown who takes mail for " + r.Domain + " now: it could not be found out from here."
}

// notTried says whether every address was refused by us.
func notTried(r smtpprobe.Report) bool {
	return len(r.MX) > 0 && !slices.ContainsFunc(r.MX, func(e smtpprobe.Exchanger) bool { return e.Verdict != smtpprobe.BlockedAddress })
}
