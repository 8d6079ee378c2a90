package smtpprobe

import (
	"cmp"
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"slices"
	"time"

	"github.com/miekg/dns"
)

// Prober finds out which exchangers of a domain say 220. Its func fields are seams; set them before the
// first Probe. It remembers the addresses it visited, so share one Prober between all domains. Safe for
// concurrent use.
type Prober struct {
	Options

	// Exchange asks one DNS question; two may be under way at once. source tells where the response came
	// from: "glue", "bundle", "cache" or "upstream". Required.
	Exchange func(ctx context.Context, q *dns.Msg) (r *dns.Msg, source string, err error)

	// Dial opens a connection. nil: net.Dialer.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)

	// Shuffle orders exchangers of equal preference (RFC 5321 5.1). nil: math/rand/v2.
	Shuffle func(n int, swap func(i, j int))

	visits visits
}

// run is one probe under way.
type run struct {
	prober    *Prober
	opt       Options // the prober's, with defaults filled in
	report    Report
	mixedNull bool // a null MX stands among other exchangers
	cut       bool // the caller's context ended before the probe did
}

// Probe tries the exchangers of a domain in the order in which a sender would, and reports. It never fails:
// what goes wrong is a verdict. When ctx ends, the probe ends at most a second or so later (it says QUIT),
// with what it has found so far and status unknown.
func (p *Prober) Probe(ctx context.Context, domain string) Report {
	r := &run{prober: p, opt: p.Options.withDefaults()}
	r.report = Report{Domain: clip(Escape(domain), maxDetail), MX: []Exchanger{}, Order: []string{}, Warnings: []string{}}
	name, err := ParseDomain(domain)
	if err == nil {
		r.report.Domain = name
		err = r.check()
	}
	if err != nil {
		r.settle(Unknown, StatusUnknown, err.Error())
		return r.report
	}
	if err := r.selectMX(ctx); err != nil {
		r.concludeLookup(ctx, err)
		return r.report
	}
	r.probeAll(ctx)
	r.conclude()
	slices.SortFunc(r.report.MX, func(a, b Exchanger) int {
		return cmp.Or(cmp.Compare(a.Preference, b.Preference), cmp.Compare(a.Name, b.Name))
	})
	return r.report
}

// check refuses a Prober that cannot probe.
func (r *run) check() error {
	if r.prober.Exchange == nil {
		return errNoExchange
	}
	return checkHelo(r.opt.Helo)
}

// probeAll tries one exchanger after the other; the order is that of report.MX.
func (r *run) probeAll(ctx context.Context) {
	done := false
	for i := range r.report.MX {
		e := &r.report.MX[i]
		r.report.Order = append(r.report.Order, e.Name)
		switch {
		case e.Verdict != "": // selectMX settled it
		case done:
			e.Verdict = Skipped
		case isCut(ctx):
			e.Verdict, r.cut = Skipped, true
		default:
			r.probeExchanger(ctx, e)
			done = r.opt.First && e.Says220()
		}
	}
}

// probeExchanger asks for the exchanger's addresses and tries them one after the other.
func (r *run) probeExchanger(ctx context.Context, e *Exchanger) {
	targets := r.addresses(ctx, e)
	for _, t := range targets {
		a := Attempt{Address: t.address, Port: r.opt.Port, Verdict: Skipped}
		class := blockedClass(t.address, r.opt.AllowPrivate)
		switch {
		case r.opt.First && e.Says220():
		case class != "":
			a.Verdict, a.Detail = BlockedAddress, "special-use address ("+class+"), not connected to"
		case isCut(ctx):
			r.cut = true
		default:
			a = r.visit(ctx, e.Name, t.address)
			r.cut = r.cut || a.Verdict == LocalError && isCut(ctx)
		}
		a.Source = t.source
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
	if r.prober.Shuffle == nil {
		rand.Shuffle(n, swap)
		return
	}
	r.prober.Shuffle(n, swap)
}

// dial is the seam Dial or the real thing.
func (r *run) dial(ctx context.Context, address string) (net.Conn, error) {
	if r.prober.Dial == nil {
		return new(net.Dialer).DialContext(ctx, "tcp", address)
	}
	return r.prober.Dial(ctx, "tcp", address)
}

// concludeLookup settles a probe that has no exchangers to try because the MX question failed.
func (r *run) concludeLookup(ctx context.Context, err error) {
	domain := r.report.Domain
	switch {
	case isCut(ctx):
		r.settle(Unknown, StatusUnknown, "The probe was cut short before the MX answer for "+domain+" came.")
	case errors.Is(err, errNXDomain):
		r.settle(NXDomain, StatusCritical, domain+" does not exist (NXDOMAIN).")
	case errors.Is(err, errNullMX):
		r.settle(NullMX, StatusOK, domain+" takes no mail and says so with a null MX (RFC 7505).")
	default:
		// Never a fall back to A: only an MX RRset known to be absent lets the implicit MX in (RFC 5321 5.1).
		r.settle(DNSFail, StatusUnknown, "The MX question for "+domain+" failed ("+describe(err)+"): nothing is known of its exchangers.")
	}
}
