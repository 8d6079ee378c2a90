package bulk

import (
	"cmp"
	"context"
	"slices"
	"sync"

	"golang.org/x/net/publicsuffix"

	"github.com/mxglue/mxglue/smtpprobe"
)

// FirstExchanger is the group of a domain, from a report that may have looked at DNS only: the registered
// domain of its best exchanger, or that exchanger's name where nothing is registered. "": it has none.
// The registered domain and not the host name, because providers name a host for each customer
// (example-com.mail.protection.outlook.com) and answer for all of them at the same addresses.
func FirstExchanger(r smtpprobe.Report) string {
	if len(r.MX) == 0 {
		return ""
	}
	name := r.MX[0].Name
	if registered, err := publicsuffix.EffectiveTLDPlusOne(name); err == nil {
		return registered
	}
	return name
}

// groups asks for the group of each domain, Width at a time, and puts those of one group together, the
// largest group first: it takes longest. A domain without a group is one by itself. When ctx ends, the rest
// is left unasked. Each group found is told by a nil.
func (r *Runner) groups(ctx context.Context, domains []string, news chan<- *smtpprobe.Report) [][]string {
	keys := make([]string, len(domains))
	if r.Group != nil {
		each(r.width(), len(domains), func(i int) {
			if ctx.Err() == nil {
				keys[i] = r.Group(ctx, domains[i])
				news <- nil
			}
		})
	}
	var groups [][]string
	at := make(map[string]int)
	for i, domain := range domains {
		g, known := at[keys[i]]
		if !known || keys[i] == "" {
			g = len(groups)
			at[keys[i]] = g
			groups = append(groups, nil)
		}
		groups[g] = append(groups[g], domain)
	}
	slices.SortStableFunc(groups, func(a, b []string) int { return cmp.Compare(len(b), len(a)) })
	return groups
}

// each calls do for 0 to n-1, in that order, width of them at a time, and returns when all have returned.
func each(width, n int, do func(i int)) {
	next := make(chan int)
	var workers sync.WaitGroup
	for range min(width, n) {
		workers.Go(func() {
			for i := range next {
				do(i)
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	workers.Wait()
}
