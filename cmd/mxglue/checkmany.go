package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"sync/atomic"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"

	"github.com/mxglue/mxglue/smtpprobe"
	"github.com/mxglue/mxglue/smtpprobe/bulk"
)

// checkMany checks the domains of --file, and writes each report as it comes. Ctrl-C and --deadline leave what there is; standard error
// has a progress bar, if it is a terminal, and in the end a line that sums it up.
func (f *checkOptions) checkMany(ctx context.Context, cmd *cobra.Command, p *prober) (int, error) {
	out, notes := cmd.OutOrStdout(), cmd.ErrOrStderr()
	domains, bad, err := f.readDomains(cmd.InOrStdin())
	if err != nil {
		return exitUnknown, err
	}
	worst := exitAllWell
	if bad != nil { // the others are checked all the same
		worst = exitUnknown
		fmt.Fprintf(notes, "mxglue: --file %s: %v\n", f.file, bad)
	}
	w := f.writer(out)
	if f.resume != "" {
		done, goesOn, err := readFormer(f.resume, f.format, out)
		if err != nil {
			return exitUnknown, fmt.Errorf("--resume %s: %w", f.resume, err)
		}
		all := len(domains)
		domains = slices.DeleteFunc(domains, func(d string) bool { return done[d] })
		fmt.Fprintf(notes, "mxglue: %d of %d domains are in %s already\n", all-len(domains), all, f.resume)
		if c, ok := w.(*csvWriter); ok {
			c.begun = goesOn
		}
	}
	progress, finish := newProgress(notes, out, len(domains))
	var silence silence
	runner := bulk.Runner{
		Probe: func(ctx context.Context, d string) smtpprobe.Report {
			opt := p.Options
			opt.PortBlocked = silence.blocked.Load()
			return p.probe(ctx, d, opt)
		},
		Group:    func(ctx context.Context, d string) string { return p.group(ctx, d) },
		Progress: progress,
		Result: func(r smtpprobe.Report) error {
			silence.hear(r)
			worst = worse(worst, r.ExitCode())
			return w.write(outcome{Report: r})
		},
	}
	summary, err := runner.Run(ctx, domains)
	finish()
	err = errors.Join(err, w.end())
	fmt.Fprintf(notes, "mxglue: %v\n", summary)
	if silence.blocked.Load() { // it was found out after some reports
		fmt.Fprintln(notes, "mxglue: nobody answered, whatever the domain: the port seems blocked here, and critical in the first reports may mean no more than that")
	}
	if summary.NotProbed > 0 {
		worst = worse(worst, exitUnknown)
	}
	return worst, err
}

// A silence is what is heard of mail servers while none of a list answers: not forty of them are down then, but the port is
// blocked here (see smtpprobe.BlockedHere).
type silence struct {
	silent  []smtpprobe.Report
	ended   bool // somebody has answered
	blocked atomic.Bool
}

// maxSilent is how many reports are kept: servers in three networks are among them soon.
const maxSilent = 50

// hear takes a report in.
func (s *silence) hear(r smtpprobe.Report) {
	if s.ended || len(s.silent) == maxSilent {
		return
	}
	for _, e := range r.MX {
		s.ended = s.ended || slices.ContainsFunc(e.Attempts, smtpprobe.Attempt.Answered)
	}
	if s.ended {
		s.silent = nil
	} else if len(r.MX) > 0 {
		s.silent = append(s.silent, r)
	}
	s.blocked.Store(smtpprobe.BlockedHere(s.silent))
}

// readDomains reads --file. bad names the lines that are no domains; with err there is nothing to check.
func (f *checkOptions) readDomains(stdin io.Reader) (domains []string, bad, err error) {
	in := stdin
	if f.file != "-" {
		file, err := os.Open(f.file)
		if err != nil {
			return nil, nil, fmt.Errorf("--file: %w", err)
		}
		defer file.Close()
		in = file
	}
	domains, bad = bulk.ReadDomains(in)
	if len(domains) == 0 {
		return nil, nil, errors.Join(fmt.Errorf("--file %s: no domain in it: want one a line", f.file), bad)
	}
	return domains, bad, nil
}

// group names who takes a domain's mail, by DNS alone, so that those of one provider are probed one after the other.
func (p *prober) group(ctx context.Context, domain string) string {
	plan, err := p.Plan(ctx, domain, "rfc5321")
	if err != nil || len(plan.Steps) == 0 {
		return ""
	}
	return bulk.FirstExchanger(smtpprobe.Report{MX: []smtpprobe.Exchanger{{Name: plan.Steps[0].Exchanger}}})
}

// newProgress makes what shows how far a run is: a bar on notes, if that is a terminal and the reports go elsewhere. finish
// takes it away.
func newProgress(notes, reports io.Writer, domains int) (show func(bulk.Summary), finish func()) {
	if !isTerminal(notes) || isTerminal(reports) || domains == 0 {
		return nil, func() {}
	}
	bar := progressbar.NewOptions(domains, progressbar.OptionSetWriter(notes), progressbar.OptionShowCount(), progressbar.OptionClearOnFinish(),
		progressbar.OptionSetPredictTime(true), progressbar.OptionThrottle(100*time.Millisecond))
	show = func(s bulk.Summary) {
		switch {
		case s.Done() == 0 && s.Grouped < s.Total:
			bar.Describe(fmt.Sprintf("looking up %d", s.Grouped))
		default:
			bar.Describe(fmt.Sprintf("%d not ok", s.Problems()))
		}
		_ = bar.Set(s.Done()) // a terminal that is gone has nobody to tell
	}
	return show, func() { _ = bar.Clear() }
}
