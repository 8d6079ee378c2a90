package main

import (
	"context"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/miekg/dns"

	"github.com/mxglue/mxglue/resolver"
	"github.com/mxglue/mxglue/smtpprobe"
)

// prober is the MX tester on a resolver: a Prober that knows whether the resolver's AD bit may be believed.
type prober struct {
	*smtpprobe.Prober
	questions *resolver.Resolver
	trustAD   bool // resolver.dnssec: trust
	islands   sync.Once
}

// newProber wires the MX tester to a resolver, with the options of the section smtpprobe. What a caller wants otherwise
// it sets in Options before the first probe, or gives to probe.
func newProber(config Config, questions *resolver.Resolver) *prober {
	p := &smtpprobe.Prober{Exchange: questions.Exchange, Options: smtpprobe.Options{
		Helo: config.SMTPProbe.HELO, Port: config.SMTPProbe.Port, AllowPrivate: config.SMTPProbe.AllowPrivate,
		Allow: config.SMTPProbe.Allow,
	}}
	p.Timeouts.Address = config.SMTPProbe.Timeout
	p.Own, p.IncludeSelf = ownNames(config.SMTPProbe.HELO), true // how its own exchangers do is what this host wants to know first
	return &prober{Prober: p, questions: questions, trustAD: config.Resolver.DNSSEC == "trust"}
}

// mostDaemonHold is how long the daemon leaves a mail server alone at most: so long the monitor waits after a failure. A list
// that is checked once has no reason to come back sooner than after the prober's own 6 h.
const mostDaemonHold = 30 * time.Minute

// newDaemonProber is newProber for who probes the same domains again and again: the monitor and /probe. All that have the
// same gates keep the limits of connections together, whatever becomes of the configuration.
func newDaemonProber(config Config, questions *resolver.Resolver, gates *smtpprobe.Gates) *prober {
	p := newProber(config, questions)
	p.Gates, p.InOrder, p.Hold = gates, true, mostDaemonHold
	return p
}

// ownAddresses are those of this host's interfaces, without loopback and link-local ones, which every host has. An exchanger
// there is this host (RFC 5321 §5.1). The daemon goes without: how its own exchangers do is what it is to watch.
func ownAddresses() (own []string) {
	addrs, _ := net.InterfaceAddrs() // none with the error
	for _, a := range addrs {
		prefix, err := netip.ParsePrefix(a.String())
		if addr := prefix.Addr(); err == nil && addr.IsGlobalUnicast() {
			own = append(own, addr.Unmap().String())
		}
	}
	return own
}

// ownNames are the names by which this host is an exchanger: that of EHLO and its own, where they are names.
func ownNames(helo string) (own []string) {
	host, _ := os.Hostname() // "" with the error
	for _, name := range []string{helo, host} {
		if strings.Contains(name, ".") && !strings.HasPrefix(name, "[") {
			own = append(own, name)
		}
	}
	return own
}

// probe probes a target with opt, and says of DANE what the resolver's word is good for.
func (p *prober) probe(ctx context.Context, target string, opt smtpprobe.Options) smtpprobe.Report {
	opt.Validates = p.validates(ctx, target)
	return p.ProbeWith(ctx, target, opt)
}

// validates tells whether an AD bit, and its absence, says something: an upstream whose AD bit gets through has set it at
// least once. If none has so far, it is asked what has to bring it: the NS of the root, as Postfix does (dnssec_probe),
// and, for a resolver that has trust anchors but none for the root, the SOA of the first target and of all above it.
func (p *prober) validates(ctx context.Context, target string) bool {
	parsed, err := smtpprobe.ParseTarget(target)
	if p.sawAD() || err != nil || parsed.Address.IsValid() { // an address has no DANE (RFC 7672 §2.2), so nobody need be asked
		return p.sawAD()
	}
	if !p.ask(ctx, ".", dns.TypeNS) { // from the cache, but for the first time
		return false
	}
	p.islands.Do(func() {
		for name := parsed.Name; name != "" && !p.sawAD() && p.ask(ctx, dns.Fqdn(name), dns.TypeSOA); {
			_, name, _ = strings.Cut(name, ".")
		}
	})
	return p.sawAD()
}

// exchangeFunc is a way to put a question, such as resolver.Exchange and ExchangeFresh.
type exchangeFunc = func(context.Context, *dns.Msg) (*dns.Msg, string, error)

// ask puts a question for the sake of the AD bit, of which the upstream takes note. It tells whether there was an answer:
// whoever is silent need not be asked more, or the probe comes too late to say so.
func (p *prober) ask(ctx context.Context, name string, qtype uint16) bool {
	q := new(dns.Msg).SetQuestion(name, qtype)
	q.AuthenticatedData = true // RFC 6840 §5.7
	r, _, err := p.questions.Exchange(ctx, q)
	return err == nil && r.Rcode != dns.RcodeServerFailure
}

// sawAD tells whether an upstream that may be believed has set AD.
func (p *prober) sawAD() bool {
	for _, u := range p.questions.Stats().Upstreams {
		if u.Validates && (u.Trusted || p.trustAD) {
			return true
		}
	}
	return false
}
