package smtpprobe

import (
	"context"
	"net/netip"
	"sync"
	"time"

	"github.com/mxglue/mxglue/smtpprobe/records"
	"github.com/mxglue/mxglue/smtpprobe/sts"
)

// Limits of the reverse lookups of a probe: how many go on at once, and how long all of them may take. They decide nothing,
// and a DNS that is silent about 50 addresses would have the report wait for minutes.
const (
	ptrAtOnce   = 4
	ptrPatience = 30 * time.Second
)

// policies is what was asked beside the connections.
type policies struct {
	sts     *sts.Result
	records *records.Result
	ptr     map[netip.Addr]records.PTR
}

// askPolicies asks for all that does not decide whom to connect to, while the connections are made. The
// returned func waits for the end of it. DepthGreeting has none of it: it is for the monitor's quick look.
func (r *run) askPolicies(ctx context.Context) func() policies {
	var p policies
	var asked sync.WaitGroup
	if r.opt.Depth != DepthGreeting {
		asked.Go(func() { p.ptr = r.askNames(ctx) })
		if !r.target.Host { // neither a host nor an address has a policy domain (RFC 8461 3.4)
			asked.Go(func() {
				result := r.prober.sts()(ctx, r.report.Domain)
				p.sts = &result
			})
			asked.Go(func() {
				result := records.Look(ctx, r.exchange(), r.report.Domain)
				p.records = &result
			})
		}
	}
	return func() policies {
		asked.Wait()
		return p
	}
}

// askNames asks for the reverse names of all addresses that are to be connected to. What takes too long is unknown.
func (r *run) askNames(ctx context.Context) map[netip.Addr]records.PTR {
	ctx, cancel := context.WithTimeout(ctx, ptrPatience)
	defer cancel()
	found := make(map[netip.Addr]records.PTR)
	var mu sync.Mutex
	var asked sync.WaitGroup
	places := make(chan struct{}, ptrAtOnce)
	for _, targets := range r.targets {
		for _, t := range targets {
			mu.Lock()
			_, known := found[t.address]
			found[t.address] = records.PTR{}
			mu.Unlock()
			if known || r.opt.blockedClass(t.address) != "" {
				continue
			}
			places <- struct{}{}
			asked.Go(func() {
				defer func() { <-places }()
				ptr := records.FCrDNS(ctx, r.exchange(), t.address)
				mu.Lock()
				defer mu.Unlock()
				found[t.address] = ptr
			})
		}
	}
	asked.Wait()
	return found
}

// sts is the seam STS or the real thing, which is shared between all probes: it remembers failed fetches.
func (p *Prober) sts() func(context.Context, string) sts.Result {
	if p.STS != nil {
		return p.STS
	}
	p.once.Do(func() {
		p.fetcher = &sts.Fetcher{Exchange: p.Exchange, Roots: p.Roots, Timeout: p.Timeouts.Policy, Blocked: p.Options.blockedClass}
	})
	return p.fetcher.Look
}

// takePolicies puts into the report what was asked beside the connections.
func (r *run) takePolicies(p policies) {
	r.report.STS, r.report.Records = p.sts, p.records
	if p.sts != nil {
		severity := SeverityInfo
		switch p.sts.Status {
		case sts.RecordInvalid, sts.FetchError, sts.PolicyInvalid:
			severity = SeverityWarning
		case sts.Unknown:
			severity = SeverityUnknown
		case sts.OK:
			severity = SeverityOK
		}
		r.find(severity, "mta_sts", p.sts.Rule, r.report.Domain, "%s", p.sts.Detail)
		for _, warning := range p.sts.Warnings {
			r.warn("mta_sts_policy", p.sts.Rule, r.report.Domain, "%s", warning)
		}
	}
	if p.records != nil {
		for _, f := range p.records.Findings {
			r.find(Severity(f.Severity), f.Code, f.Rule, f.About, "%s", f.Text)
		}
		p.records.Findings = nil // each stands in the report once
	}
}
