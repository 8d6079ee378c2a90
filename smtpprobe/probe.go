package smtpprobe

import (
	"cmp"
	"context"
	"math/rand/v2"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/miekg/dns"

	"github.com/mxglue/mxglue/smtpprobe/lookup"
	"github.com/mxglue/mxglue/smtpprobe/sts"
)

// Prober finds out what the exchangers of a domain do to mail. Its func fields are seams; set them before the
// first Probe. It remembers the addresses it visited, so share one Prober between all domains. Safe for
// concurrent use.
type Prober struct {
	Options

	// Exchange asks one DNS question; many may be under way at once. source tells where the response came
	// from: "glue", "bundle", "cache" or "upstream". Required.
	Exchange func(ctx context.Context, q *dns.Msg) (r *dns.Msg, source string, err error)

	// FreshExchange asks past the cache. If it is set, its answers count for the MX and the addresses, and
	// what Exchange answers otherwise stands in Report.Differences. nil: Exchange alone is asked.
	FreshExchange func(ctx context.Context, q *dns.Msg) (r *dns.Msg, source string, err error)

	// Dial opens a connection. nil: net.Dialer, from Options.Source.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)

	// Shuffle orders exchangers of equal preference (RFC 5321 5.1). nil: math/rand/v2, from Options.Seed.
	Shuffle func(n int, swap func(i, j int))

	// STS finds the MTA-STS policy of a domain. nil: an sts.Fetcher that asks DNS through Exchange.
	STS func(ctx context.Context, domain string) sts.Result

	// Gates are the limits that connections keep. Probers that have the same keep them together; their results stay
	// apart. nil: of this Prober alone.
	Gates *Gates

	own     Gates
	visits  visits
	fetcher *sts.Fetcher
	once    sync.Once // makes fetcher
}

// run is one probe under way.
type run struct {
	prober      *Prober
	opt         Options // with defaults filled in
	target      Target
	report      Report
	nextHops    []string        // the domain and, where it is an alias, its end: reference identifiers of DANE-TA (RFC 7672 3.2.2)
	targets     [][]target      // of each exchanger of report.MX, in its order until it is sorted
	noted       map[string]bool // notes that are findings already, by address and text
	mxSecure    bool            // the MX answer is authentic, or there is none to be
	mixedNull   bool            // a null MX stands among other exchangers
	selfSkipped int             // exchangers left out because they are ourselves
	holding     holding         // what keeps us from the exchangers after it
	cut         bool            // the caller's context ended before the probe did
}

// Probe is ProbeWith the prober's own Options.
func (p *Prober) Probe(ctx context.Context, domain string) Report {
	return p.ProbeWith(ctx, domain, p.Options)
}

// ProbeWith tries the exchangers of a target (see ParseTarget) in the order in which a sender would, and
// reports. It never fails: what goes wrong is a verdict. When ctx ends, the probe ends at most a second or so
// later (it says QUIT), with what it has found so far and status unknown.
func (p *Prober) ProbeWith(ctx context.Context, target string, opt Options) Report {
	r, err := p.newRun(target, opt)
	if err == nil {
		err = r.check()
	}
	if err != nil {
		r.settle(Unknown, StatusUnknown, err.Error())
		return r.finish()
	}
	if err := r.selectMX(ctx); err != nil {
		r.concludeLookup(ctx, err)
		return r.finish()
	}
	r.resolve(ctx)
	told := r.askPolicies(ctx)
	r.probeAll(ctx)
	r.findEgress(ctx)
	r.judgeAll(told())
	r.conclude()
	slices.SortFunc(r.report.MX, func(a, b Exchanger) int {
		return cmp.Or(cmp.Compare(a.Preference, b.Preference), cmp.Compare(a.Name, b.Name))
	})
	return r.finish()
}

// newRun parses the target. With an error there is a run all the same, good for a report.
func (p *Prober) newRun(text string, opt Options) (*run, error) {
	r := &run{prober: p, opt: opt.withDefaults(), noted: make(map[string]bool)}
	r.report = Report{SchemaVersion: SchemaVersion, Domain: clip(Escape(text), maxDetail),
		MX: []Exchanger{}, Order: []string{}, Findings: []Finding{}, Senders: allSenders(OutcomeUnknown)}
	target, err := ParseTarget(text)
	if err != nil {
		return r, err
	}
	r.target, r.report.Domain, r.nextHops = target, target.Name, []string{target.Name}
	return r, nil
}

// finish draws the warnings from the findings.
func (r *run) finish() Report {
	r.report.Warnings = warnings(r.report.Findings)
	return r.report
}

// check refuses a Prober that cannot probe.
func (r *run) check() error {
	if r.prober.Exchange == nil {
		return errNoExchange
	}
	return checkHelo(r.opt.Helo)
}

// port is the target's own, or that of the options.
func (r *run) port() uint16 { return cmp.Or(r.target.Port, r.opt.Port) }

// exchange is the way to DNS for questions that are not about the cache.
func (r *run) exchange() lookup.Exchange {
	if r.prober.FreshExchange != nil {
		return r.prober.FreshExchange
	}
	return r.prober.Exchange
}

// probeAll tries one exchanger after the other; the order is that of report.MX.
func (r *run) probeAll(ctx context.Context) {
	done := false
	for i := range r.report.MX {
		e := &r.report.MX[i]
		r.report.Order = append(r.report.Order, e.Name)
		switch {
		case e.Verdict != "": // settled by its name, its addresses or by being ourselves
		case done:
			e.Verdict = Skipped
		case isCut(ctx):
			e.Verdict, r.cut = Skipped, true
		default:
			r.probeExchanger(ctx, e, r.targets[i])
			r.noticeHold(e)
			done = r.opt.First && e.Says220()
		}
	}
}

// probeExchanger tries the exchanger's addresses one after the other.
func (r *run) probeExchanger(ctx context.Context, e *Exchanger, targets []target) {
	for _, t := range targets {
		a := Attempt{Address: t.address, Port: r.port(), Verdict: Skipped}
		class := r.opt.blockedClass(t.address)
		switch {
		case r.opt.First && e.Says220():
		case class != "":
			a.Verdict, a.Detail = BlockedAddress, "special-use address ("+class+"), not connected to"
		case r.opt.Depth == DepthDNS:
			a.Detail = "DNS only: no connection was to be made"
		case isCut(ctx):
			r.cut = true
		default:
			a = r.meet(ctx, e, t.address)
			r.cut = r.cut || a.Verdict == LocalError && isCut(ctx)
		}
		a.Source, a.TTL, a.AD = t.source, t.ttl, t.ad
		e.Attempts = append(e.Attempts, a)
		e.judge()
	}
}

// isCut tells whether the caller's context has ended. Its deadline is looked at too, because a connection
// that has the same deadline may notice first.
func isCut(ctx context.Context) bool {
	deadline, ok := ctx.Deadline()
	return ctx.Err() != nil || ok && !time.Now().Before(deadline)
}

// shuffle is the seam Shuffle or the real thing.
func (r *run) shuffle(n int, swap func(i, j int)) {
	switch {
	case r.prober.Shuffle != nil:
		r.prober.Shuffle(n, swap)
	case r.opt.Seed != 0:
		rand.New(rand.NewPCG(r.opt.Seed, 0)).Shuffle(n, swap)
	default:
		rand.Shuffle(n, swap)
	}
}
