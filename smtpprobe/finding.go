package smtpprobe

import (
	"fmt"
	"slices"
)

// Severity is how much a finding matters to the domain's mail.
type Severity string

// The severities of findings.
const (
	SeverityOK       Severity = "ok"
	SeverityInfo     Severity = "info"
	SeverityWarning  Severity = "warning"
	SeverityCritical Severity = "critical"
	SeverityUnknown  Severity = "unknown"
)

// Finding is one thing that was seen, with the rule it was held against.
type Finding struct {
	Severity Severity `json:"severity"`
	Code     string   `json:"code"`           // stable, for machines
	Rule     string   `json:"rule,omitempty"` // "RFC 7672 §2.2.2"
	About    string   `json:"about"`          // domain, exchanger, or exchanger and address
	Text     string   `json:"text"`           // a sentence, with the evidence
}

// maxFindings bounds the findings of one report: 50 addresses of 10 exchangers can have a good many.
const maxFindings = 300

// find adds a finding, each once.
func (r *run) find(severity Severity, code, rule, about, format string, args ...any) {
	f := Finding{Severity: severity, Code: code, Rule: rule, About: about, Text: fmt.Sprintf(format, args...)}
	if len(r.report.Findings) < maxFindings && !slices.Contains(r.report.Findings, f) {
		r.report.Findings = append(r.report.Findings, f)
	}
}

// warn adds a finding that is a warning.
func (r *run) warn(code, rule, about, format string, args ...any) {
	r.find(SeverityWarning, code, rule, about, format, args...)
}

// gatherNotes makes warnings of what was odd, once per address.
func (r *run) gatherNotes() {
	for _, e := range r.report.MX {
		for _, a := range e.Attempts {
			for _, note := range a.Notes {
				if about := e.about(&a); !r.noted[a.Address.String()+note] {
					r.noted[a.Address.String()+note] = true
					r.warn("dialogue", "", about, "%s: %s.", about, note)
				}
			}
		}
	}
}

// warnings are the texts of the findings that are warnings or worse.
func warnings(findings []Finding) []string {
	texts := []string{}
	for _, f := range findings {
		if f.Severity == SeverityWarning || f.Severity == SeverityCritical {
			texts = append(texts, f.Text)
		}
	}
	return texts
}
