package doctor

import (
	"encoding/json"
	"fmt"
	"io"
)

// colours are the SGR parameters (ECMA-48 §8.3.117) of the statuses: green, yellow, red.
var colours = map[Status]string{OK: "32", Warn: "33", Fail: "1;31"}

// Write prints a finding for a person: status, check, what was seen, and below what to do.
func Write(w io.Writer, f Finding, colour bool) {
	status := fmt.Sprintf("%-4s", f.Status)
	if colour {
		status = "\x1b[" + colours[f.Status] + "m" + status + "\x1b[0m"
	}
	fmt.Fprintf(w, "%s  %-14s  %s\n", status, f.Check, f.Text) // a closed pipe has nobody to tell
	if f.Advice != "" {
		fmt.Fprintf(w, "%22s→ %s\n", "", f.Advice)
	}
}

// WriteJSON prints all findings as one array.
func WriteJSON(w io.Writer, findings []Finding) error {
	if findings == nil {
		findings = []Finding{}
	}
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(findings)
}
