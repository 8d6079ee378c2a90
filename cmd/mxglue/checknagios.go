package main

import (
	"cmp"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/mxglue/mxglue/smtpprobe"
)

// thresholds are those of --warning and --critical, seconds; 0: none.
type thresholds struct{ warning, critical float64 }

// check finds what is wrong with the flags.
func (t thresholds) check(flags *pflag.FlagSet, format string) error {
	for name, value := range map[string]float64{"warning": t.warning, "critical": t.critical} {
		switch {
		case !flags.Changed(name):
		case format != "nagios":
			return fmt.Errorf("--%s is for --format nagios: want both", name)
		case math.IsNaN(value) || math.IsInf(value, 0) || value <= 0:
			return fmt.Errorf("--%s %v: want seconds, more than 0", name, value)
		}
	}
	if t.warning > 0 && t.critical > 0 && t.warning > t.critical {
		return fmt.Errorf("--warning %v is more than --critical %v: want the other way round", t.warning, t.critical)
	}
	return nil
}

// judge returns the exit code of the report, made worse by what took too long, and which words say so.
func (t thresholds) judge(o outcome) (code int, late string) {
	code = o.ExitCode()
	what, longest := "the check", o.took.Seconds()
	for _, e := range o.MX {
		for _, a := range e.Attempts { // one of an earlier connection may have taken longer than this check
			if s := a.MS.Greeting / 1000; s > longest {
				what, longest = "the greeting of "+e.Name, s
			}
		}
	}
	switch {
	case t.critical > 0 && longest > t.critical:
		return exitCritical, fmt.Sprintf("%s took %ss, more than %ss", what, seconds(longest), plain(t.critical))
	case t.warning > 0 && longest > t.warning:
		return worse(code, exitWarning), fmt.Sprintf("%s took %ss, more than %ss", what, seconds(longest), plain(t.warning))
	}
	return code, ""
}

// nagiosWriter prints what a Nagios plugin has to: one line with the status, "|" and performance data, then the findings
// that explain it (Nagios Plugins Development Guidelines; Monitoring Plugins have the same).
type nagiosWriter struct {
	out        io.Writer
	thresholds thresholds
}

// Bounds of what Nagios reads: 4 KiB of a plugin's output (Nagios 3, Plugin API), 8 KiB in later versions. What is beyond is cut
// where it is, and half a figure spoils all the others.
const (
	nagiosReads    = 4096 // octets
	nagiosFigures  = 2048 // octets of performance data
	nagiosFindings = 10
	nagiosText     = 300 // characters of a line, of 4 octets at most
	nagiosRest     = 60  // octets of the line that counts the findings left out
)

func (w nagiosWriter) write(o outcome) error {
	code, late := w.thresholds.judge(o)
	words := map[int]string{exitAllWell: "OK", exitWarning: "WARNING", exitCritical: "CRITICAL", exitUnknown: "UNKNOWN"}
	line := "MX " + words[code] + " - " + nagiosSummary(o.Report)
	if late != "" {
		line += "; " + late
	}
	var b strings.Builder
	figures, without := w.perfdata(o)
	fmt.Fprintf(&b, "%s | %s\n", nagiosClean(line), figures)
	if without > 0 {
		fmt.Fprintf(&b, "MX hosts without performance data, which would be too long for Nagios: the last %d of %d\n", without, len(o.MX))
	}
	findings := worstFirst(o.Findings)
	findings = slices.DeleteFunc(findings, func(f smtpprobe.Finding) bool {
		return severityRank(f.Severity) > severityRank(smtpprobe.SeverityWarning)
	})
	for i, f := range findings {
		text := nagiosClean(strings.TrimSpace(f.Text+" "+f.Rule)) + "\n"
		if i == nagiosFindings || b.Len()+len(text)+nagiosRest > nagiosReads {
			fmt.Fprintf(&b, "findings not shown here: %d\n", len(findings)-i)
			break
		}
		b.WriteString(text)
	}
	_, err := io.WriteString(w.out, b.String())
	return err
}

func (w nagiosWriter) end() error { return nil }

// nagiosCount counts the exchangers that say 220 and those that were tried, and names those that fail.
func nagiosCount(r smtpprobe.Report) (up, tried int, failing []string) {
	for _, e := range r.MX {
		switch {
		case e.Verdict == smtpprobe.Skipped:
			continue
		case e.Says220():
			up++
		}
		tried++
		if e.Degraded {
			failing = append(failing, e.Name+": degraded")
		} else if !e.Says220() {
			failing = append(failing, e.Name+": "+string(e.Verdict))
		}
	}
	return up, tried, failing
}

// nagiosSummary counts the exchangers and names those that fail; where that is not the point, it is the reason.
func nagiosSummary(r smtpprobe.Report) string {
	up, tried, failing := nagiosCount(r)
	_, but, raised := strings.Cut(r.Reason, "; but ")
	counts := r.Verdict == smtpprobe.OK || r.Verdict == smtpprobe.Warning || r.Verdict == smtpprobe.Critical && (up == 0 || raised)
	if tried == 0 || !counts {
		return r.Reason
	}
	text := fmt.Sprintf("%s %d/%d MX ok", r.Domain, up, tried)
	if len(failing) > 0 {
		text += " (" + strings.Join(failing, ", ") + ")"
	}
	if raised {
		text += ": " + strings.TrimSuffix(but, ".")
	}
	return text
}

// nagiosClean is a text without what has a meaning to Nagios, and short.
func nagiosClean(text string) string {
	return shorten(strings.NewReplacer("|", "/", "\n", " / ").Replace(smtpprobe.Escape(text)), nagiosText)
}

// severityRank orders severities, the worst first.
func severityRank(s smtpprobe.Severity) int {
	return slices.Index([]smtpprobe.Severity{smtpprobe.SeverityCritical, smtpprobe.SeverityWarning, smtpprobe.SeverityUnknown,
		smtpprobe.SeverityInfo, smtpprobe.SeverityOK}, s)
}

// worstFirst sorts findings, and keeps the order of equal ones.
func worstFirst(findings []smtpprobe.Finding) []smtpprobe.Finding {
	sorted := slices.Clone(findings)
	slices.SortStableFunc(sorted, func(a, b smtpprobe.Finding) int {
		return cmp.Compare(severityRank(a.Severity), severityRank(b.Severity))
	})
	return sorted
}
