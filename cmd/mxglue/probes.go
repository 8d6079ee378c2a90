package main

import (
	"context"

	"github.com/mxglue/mxglue/cmd/mxglue/status"
	"github.com/mxglue/mxglue/resolver"
	"github.com/mxglue/mxglue/smtpprobe"
)

// newProbes is what GET /probe may do. Its modules share one Prober, so that a mail server is spared whichever of them asks.
// blocked tells what the monitor knows of port 25; with gates the limits are kept together.
func newProbes(config Config, questions *resolver.Resolver, gates *smtpprobe.Gates, blocked func() bool) status.Probes {
	p := newDaemonProber(config, questions, gates)
	p.Exchange = traced(p.Exchange)
	probes := status.Probes{Modules: map[string]status.Module{}, Targets: config.SMTPProbe.ProbeTargets}
	for name, m := range config.SMTPProbe.Modules {
		opt := m.options(p.Options)
		opt.Reach = reach(config.SMTPProbe.Modules, p.Options, opt)
		probes.Modules[name] = status.Module{
			Timeout: m.Timeout, Require: m.Require, Addresses: m.AddressLabel,
			Probe: func(ctx context.Context, domain string, transcript bool) (smtpprobe.Report, []status.Question) {
				opt, asked := opt, &trace{}
				opt.Transcript, opt.PortBlocked = transcript, blocked()
				report := p.probe(withTrace(ctx, asked), domain, opt)
				return report, asked.questions()
			},
		}
	}
	return probes
}

// reach is how far the connections of a module go for the sake of all: one that wants more of the same port would find each
// address just visited, and wait for a minute in vain.
func reach(modules map[string]Module, section, opt smtpprobe.Options) (deepest smtpprobe.Depth) {
	for _, m := range modules {
		if o := m.options(section); o.Port == opt.Port && o.ImplicitTLS == opt.ImplicitTLS {
			deepest = max(deepest, o.Depth)
		}
	}
	return deepest
}

// options are those of the section smtpprobe, as the module has them otherwise.
func (m Module) options(opt smtpprobe.Options) smtpprobe.Options {
	opt.Depth, opt.ImplicitTLS = m.Depth, m.ImplicitTLS
	if m.Port != 0 || m.ImplicitTLS {
		opt.Port = m.Port // 0: 465
	}
	if m.HELO != "" {
		opt.Helo = m.HELO
	}
	return opt
}
