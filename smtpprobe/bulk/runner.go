package bulk

import (
	"context"
	"time"

	"github.com/mxglue/mxglue/smtpprobe"
)

// defaultWidth is how many probes are under way at once. It is the Prober's own cap on connections too.
const defaultWidth = 16

// Runner probes many domains. Set its fields, then call Run.
type Runner struct {
	// Probe tests one domain; Width of them are under way at once. Required. Share one Prober between them:
	// it is what keeps a minute between visits to one address.
	Probe func(ctx context.Context, domain string) smtpprobe.Report

	// Group names who takes a domain's mail, so that domains of one provider are probed together; "": nobody
	// knows. It should cost DNS questions only. nil: the order of the list.
	Group func(ctx context.Context, domain string) string

	// Width is how many probes are under way at once. 0: 16.
	Width int

	// Result takes each report as it comes. An error ends the run: who cannot keep results should not knock at
	// doors for more. nil: they are counted only.
	Result func(smtpprobe.Report) error

	// Progress is called at the start, after each group found and after each report. nil: nobody watches.
	Progress func(Summary)
}

// Run probes the domains, each of which should be there once ([ReadDomains] sees to it), and counts what
// came out. It returns when nothing is under way any more; the error is Result's.
func (r *Runner) Run(ctx context.Context, domains []string) (Summary, error) {
	started := time.Now()
	summary := Summary{Total: len(domains), NotProbed: len(domains)}
	r.progress(summary)
	work, stop := context.WithCancel(ctx)
	defer stop()
	news := make(chan *smtpprobe.Report) // nil: a group was found
	go func() {
		defer close(news)
		r.probeGroups(work, r.groups(work, domains, news), news)
	}()
	var failed error
	for report := range news {
		switch {
		case work.Err() != nil: // it may have been cut: left out
			continue
		case report == nil:
			summary.Grouped++
		default:
			if failed = r.result(*report); failed != nil {
				stop()
				continue
			}
			summary.count(report.Status)
		}
		summary.Elapsed = time.Since(started)
		r.progress(summary)
	}
	summary.Elapsed = time.Since(started)
	return summary, failed
}

// probeGroups probes group by group. Several groups are open at a time, so that one with a slow host does
// not hold up the others; the slots bound what is under way in all of them together.
func (r *Runner) probeGroups(ctx context.Context, groups [][]string, news chan<- *smtpprobe.Report) {
	slots := make(chan struct{}, r.width())
	probe := func(domain string) {
		slots <- struct{}{}
		defer func() { <-slots }()
		if ctx.Err() == nil {
			report := r.Probe(ctx, domain)
			news <- &report
		}
	}
	each(r.width(), len(groups), func(g int) {
		first, rest := groups[g][0], groups[g][1:]
		probe(first) // alone: its connections are made, and fresh, when the rest asks for the same hosts
		each(r.width(), len(rest), func(i int) { probe(rest[i]) })
	})
}

func (r *Runner) width() int {
	if r.Width <= 0 {
		return defaultWidth
	}
	return r.Width
}

func (r *Runner) result(report smtpprobe.Report) error {
	if r.Result == nil {
		return nil
	}
	return r.Result(report)
}

func (r *Runner) progress(s Summary) {
	if r.Progress != nil {
		r.Progress(s)
	}
}
