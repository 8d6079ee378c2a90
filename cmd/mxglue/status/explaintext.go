package status

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/mxglue/mxglue/cache"
	"github.com/mxglue/mxglue/resolver"
)

// WriteExplanation writes an Explanation for a terminal: a table of what is known, then a sentence each on what it means.
func WriteExplanation(w io.Writer, e Explanation) error {
	var text strings.Builder
	table := newTable(&text)
	fmt.Fprintln(table, "PREF\tNAME\tTYPE\tSTATE\tTTL\tAD\tRANK\tSOURCE\tLEARNED\tBY\tUPSTREAM\tSAYS")
	explainMemory(table, "", e.MX)
	for _, host := range e.Exchangers {
		preference := fmt.Sprintf("%4d", host.Preference)
		if host.Implicit {
			preference = "   -"
		}
		explainMemory(table, preference, host.A)
		explainMemory(table, "", host.AAAA)
		explainMemory(table, "", host.TLSA)
	}
	table.Flush()
	text.WriteByte('\n')
	if e.More > 0 {
		fmt.Fprintf(&text, "Not shown: %s, of worse preference.\n", Counted(e.More, "more exchangers"))
	}
	for _, line := range remarks(e) {
		fmt.Fprintln(&text, line)
	}
	_, err := io.WriteString(w, tidy(text.String()))
	return err
}

// explainMemory writes a row for everything that is known of a question, or one for nothing.
func explainMemory(table *tabwriter.Writer, preference string, m resolver.Memory) {
	name, source := m.Name, sourceOf(m)
	if m.Best().State == "" { // nothing but what answers queries with CD
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t-\t-\t-\t%s\t-\t-\t-\t%s\n", preference, name, m.Type, m.State, source, saysMemory(m))
		preference, name, source = "", "", "-"
	}
	for _, k := range m.Known {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%d\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", preference, name, m.Type, k.State, k.TTL, bitOf(k),
			k.Rank, source, ago(k), by(k), dash(k.Upstream), clipped(saysKnown(k)))
		preference, name, source = "", "", "-"
	}
}

// sourceOf is where the first of what is known came from; glue with the MX owner in whose answer it came.
func sourceOf(m resolver.Memory) string {
	if m.Source == "glue" && m.Claim != nil {
		return "glue of " + mxOwner(*m.Claim)
	}
	return dash(m.Source)
}

func mxOwner(c cache.Claim) string {
	if c.Owner == "" {
		return "several MX owners"
	}
	return bare(c.Owner)
}

// ago is how long ago it came.
func ago(k cache.Known) string {
	switch age := time.Duration(k.Age) * time.Second; {
	case age == 0:
		return "just now"
	case age < time.Minute:
		return fmt.Sprintf("%d s ago", k.Age)
	default:
		return Duration(age) + " ago"
	}
}

// by is who had it asked, and for whom.
func by(k cache.Known) string {
	if !k.Client.IsValid() {
		return k.By
	}
	return k.By + " for " + k.Client.String()
}

func bitOf(k cache.Known) string {
	switch {
	case k.CD:
		return "cd"
	case k.AD:
		return "ad"
	}
	return "-"
}

// maxSays is how many characters of an answer are shown: the data of a TLSA record need not be read.
const maxSays = 60

func clipped(text string) string {
	if all := []rune(text); len(all) > maxSays {
		return string(all[:maxSays-1]) + "…"
	}
	return text
}

// saysKnown is what an entry answers.
func saysKnown(k cache.Known) string {
	if k.Why != "" {
		return k.Rcode + ": " + k.Why
	}
	return says(k)
}

// saysMemory is what there is to say of a question of which nothing is remembered.
func saysMemory(m resolver.Memory) string {
	switch m.State {
	case resolver.Needless:
		return "(nobody asks: the addresses are not authentic)"
	case resolver.Unknown:
		return "(nobody has asked)"
	}
	if len(m.Data) == 0 {
		return "no such record"
	}
	return clipped(strings.Join(m.Data, ", "))
}
