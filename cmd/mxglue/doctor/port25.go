package doctor

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/miekg/dns"

	"github.com/mxglue/mxglue/smtpprobe"
)

// families are the address families by network: what people call them, and the record type of their addresses.
var families = map[string]struct {
	name  string
	qtype uint16
	other uint16
}{
	"ip4": {"IPv4", dns.TypeA, dns.TypeAAAA},
	"ip6": {"IPv6", dns.TypeAAAA, dns.TypeA},
}

// Timeouts of a connection that only looks whether there is a way out.
const (
	connectPatience  = 5 * time.Second
	greetingPatience = 10 * time.Second
	helloPatience    = 5 * time.Second
	quitPatience     = 2 * time.Second
	visitPatience    = 15 * time.Second // all of it
)

// checkPort25 makes one connection over one address family to the best exchanger of each test domain.
func (d *Doctor) checkPort25(ctx context.Context, network string) []Finding {
	family := families[network]
	check := "port25-" + strings.ToLower(family.name)
	if _, err := d.egress(network); err != nil {
		switch {
		case d.offline():
			return []Finding{unknown(check, "connect this machine to a network", "there is no network")}
		case network == "ip6":
			return []Finding{ok(check, "no way leads out over IPv6: mail goes over IPv4 alone")}
		}
		return []Finding{warn(check, "give this machine an IPv4 address that leads out", "no way leads out over IPv4, and most exchangers have no other address")}
	}
	return []Finding{judgePort25(check, family.name, d.knock(ctx, network))}
}

// knock probes all test domains at once.
func (d *Doctor) knock(ctx context.Context, network string) []smtpprobe.Report {
	p := &smtpprobe.Prober{Options: d.Trials.Probe, Exchange: d.narrow(network), Dial: d.System.Dial}
	p.Timeouts = smtpprobe.Timeouts{Lookup: askPatience, Connect: connectPatience, Greeting: greetingPatience,
		Hello: helloPatience, Quit: quitPatience, Address: visitPatience}
	reports := make([]smtpprobe.Report, len(d.Trials.Domains))
	var probes sync.WaitGroup
	for i, domain := range d.Trials.Domains {
		probes.Go(func() { reports[i] = p.Probe(ctx, domain) })
	}
	probes.Wait()
	return reports
}

// narrow is Exchange for one address family, with one exchanger and one address of it: one connection is all we want.
func (d *Doctor) narrow(network string) func(context.Context, *dns.Msg) (*dns.Msg, string, error) {
	return func(ctx context.Context, q *dns.Msg) (*dns.Msg, string, error) {
		r, source, err := d.Exchange(ctx, q)
		if err != nil || len(q.Question) != 1 {
			return r, source, err
		}
		r, qtype := r.Copy(), q.Question[0].Qtype
		if qtype == families[network].other {
			r.Answer = nil
			return r, source, nil
		}
		slices.SortStableFunc(r.Answer, func(a, b dns.RR) int { return preference(a) - preference(b) })
		seen := false
		r.Answer = slices.DeleteFunc(r.Answer, func(rr dns.RR) bool {
			drop := seen && rr.Header().Rrtype == qtype
			seen = seen || rr.Header().Rrtype == qtype
			return drop
		})
		return r, source, nil
	}
}

// preference is that of an MX record, and 0 of others.
func preference(rr dns.RR) int {
	if mx, is := rr.(*dns.MX); is {
		return int(mx.Preference)
	}
	return 0
}

// judgePort25: one greeting of 220 shows that the way is open. Silence and refusals of all show that it is not.
func judgePort25(check, family string, reports []smtpprobe.Report) Finding {
	var open, refused, closed, unsure, dark []string
	for _, r := range reports {
		a, attempted := onlyAttempt(r)
		switch {
		case r.Verdict == smtpprobe.DNSFail:
			dark, unsure = append(dark, r.Domain), append(unsure, clip(strings.TrimSuffix(r.Reason, "."), maxWords))
		case !attempted || a.Verdict == smtpprobe.BlockedAddress || a.Verdict == smtpprobe.LocalError || a.Verdict == smtpprobe.Skipped:
			unsure = append(unsure, clip(strings.TrimSuffix(r.Reason, "."), maxWords))
		case a.Code/100 == 2:
			open = append(open, r.Domain)
		case a.Code != 0:
			refused = append(refused, fmt.Sprintf("%s [%s] says %d %s", r.Domain, a.Address, a.Code, clip(strings.ReplaceAll(a.Greeting, "\n", " / "), maxWords)))
		default:
			closed = append(closed, fmt.Sprintf("%s [%s]: %s", r.Domain, a.Address, strings.ReplaceAll(string(a.Verdict), "_", " ")))
		}
	}
	switch {
	case len(open) > 0:
		return ok(check, "port 25 is open outwards over %s: the exchangers of %s greet with 220", family, strings.Join(open, ", "))
	case len(refused) > 0:
		return warn(check, "look up your address on the blocklists that they name", "port 25 is open outwards over %s, but %s", family, strings.Join(refused, "; "))
	case len(dark) > 0 && len(dark) == len(reports):
		return unknown(check, "", "the DNS does not tell the exchangers of %s", strings.Join(dark, ", "))
	case len(closed) > 0:
		return fail(check, "ask your provider to open port 25 outwards, or set Postfix's relayhost", "port 25 is closed outwards over %s: %s", family, strings.Join(closed, "; "))
	}
	return unknown(check, "name other domains with --domain", "no test domain was reached over %s: %s", family, strings.Join(unsure, "; "))
}

// onlyAttempt is the one connection of a narrowed probe.
func onlyAttempt(r smtpprobe.Report) (smtpprobe.Attempt, bool) {
	for _, e := range r.MX {
		if len(e.Attempts) > 0 {
			return e.Attempts[0], true
		}
	}
	return smtpprobe.Attempt{}, false
}
