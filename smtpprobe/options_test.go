package smtpprobe

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/miekg/dns"

	"github.com/mxglue/mxglue/smtpprobe/dane"
	"github.com/mxglue/mxglue/smtpprobe/sts"
)

// What each option of the selection changes.
func TestSelectionOptions(t *testing.T) {
	const literalMX = "d.example. MX 1 11.0.0.9.\nd.example. MX 2 a.example.\na.example. A 11.0.0.1"
	const threeHosts = twoHosts + "\nd.example. MX 2 c.example.\nc.example. A 11.0.0.3"
	many := "d.example. MX 1 m.example.\n"
	for i := range 60 {
		many += fmt.Sprintf("m.example. A 11.0.1.%d\n", i)
	}
	many += "d.example. MX 2 n.example.\nn.example. A 11.0.0.1\n"
	for _, test := range []struct {
		name    string
		zone    string
		opt     Options
		want    string // "": see attempts
		tries   int
		finding string
	}{
		{"a null MX fails if asked to", "d.example. MX 0 .", Options{Selection: Selection{NullMXFails: true}}, "null_mx/critical nobody:", 0, ""},
		{"an exchanger that is an address", literalMX, Options{Selection: Selection{MXToIP: true}}, "ok/ok 11.0.0.9: 1 11.0.0.9 ok [11.0.0.9 ok] 2 a.example ok [11.0.0.1 ok]", 2, "mx_address"},
		{"ourselves by name", threeHosts, Options{Selection: Selection{Own: []string{"B.example."}}}, "ok/ok a.example: 1 a.example ok [11.0.0.1 ok] 2 b.example skipped 2 c.example skipped", 1, "mx_self"},
		{"ourselves by address", threeHosts, Options{Selection: Selection{Own: []string{"11.0.0.3"}}}, "ok/ok a.example: 1 a.example ok [11.0.0.1 ok] 2 b.example skipped 2 c.example skipped", 1, "mx_self"},
		{"ourselves, included", threeHosts, Options{Selection: Selection{Own: []string{"11.0.0.3"}, IncludeSelf: true}}, "ok/ok a.example: 1 a.example ok [11.0.0.1 ok] 2 b.example ok [11.0.0.2 ok] 2 c.example ok [11.0.0.3 ok]", 3, "mx_self"},
		{"ourselves first", twoHosts, Options{Selection: Selection{Own: []string{"a.example"}}}, "unknown/unknown nobody: 1 a.example skipped 2 b.example skipped", 0, "mx_self"},
		{"all addresses, up to 50", many, Options{Selection: Selection{AllAddresses: true}}, "", 50, "cap_addresses"},
		{"a network that is allowed", "d.example. A 100.64.0.1\nd.example. AAAA fd00::1", Options{Allow: []netip.Prefix{netip.MustParsePrefix("100.64.0.0/16")}}, "warning/warning d.example: 0 d.example ok [100.64.0.1 ok] [fd00::1 blocked_address] degraded", 1, ""},
		{"localhost for an exchanger", "d.example. MX 1 localhost.\nd.example. MX 2 a.example.\na.example. A 11.0.0.1", Options{}, "ok/ok a.example: 1 localhost skipped 2 a.example ok [11.0.0.1 ok]", 1, "mx_special_name"},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := &network{}
				test.opt.Seed = 1
				test.opt.Depth = DepthGreeting
				p := &Prober{Options: test.opt, Exchange: zone(t, test.zone), Dial: n.dial, Shuffle: func(int, func(i, j int)) {}}
				r := p.Probe(t.Context(), "d.example")
				if got := summary(r); test.want != "" && got != test.want {
					t.Errorf("got  %s\nwant %s", got, test.want)
				}
				for _, e := range r.MX {
					if e.Verdict == "" {
						t.Errorf("%s has no verdict", e.Name)
					}
				}
				if len(n.dialed) != test.tries || !strings.Contains(codes(r, SeverityInfo, SeverityWarning, SeverityCritical), test.finding) {
					t.Errorf("%d connections, findings %+v", len(n.dialed), r.Findings)
				}
			})
		})
	}
}

// One seed is one order, and another is another.
func TestSeed(t *testing.T) {
	records := ""
	for i := range 8 {
		records += fmt.Sprintf("d.example. MX 1 m%d.example.\nm%d.example. A 11.0.0.%d\n", i, i, i)
	}
	order := func(seed uint64) string {
		p := &Prober{Options: Options{Depth: DepthDNS, Selection: Selection{Seed: seed}}, Exchange: zone(t, records)}
		return strings.Join(p.Probe(t.Context(), "d.example").Order, " ")
	}
	if first := order(7); order(7) != first || order(8) == first {
		t.Errorf("orders %q, %q, %q", first, order(7), order(8))
	}
}

// With a way past the cache, its answers count, and the cache's stand beside them where they differ.
func TestFresh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &Prober{Options: Options{Depth: DepthGreeting}, Dial: (&network{}).dial,
			Exchange:      zone(t, "d.example. 60 MX 1 old.example.\nnew.example. A 11.0.0.1\nnew.example. AAAA 2a00::1"),
			FreshExchange: zone(t, "d.example. 90 MX 1 new.example.\nnew.example. 5 A 11.0.0.2\nnew.example. 5 A 11.0.0.1\nnew.example. 7 AAAA 2a00::1")}
		r := p.Probe(t.Context(), "d.example")
		if got, want := summary(r), "ok/ok new.example: 1 new.example ok [11.0.0.2 ok] [11.0.0.1 ok] [2a00::1 ok]"; got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
		want := []Difference{
			{"d.example", "MX", []string{"1 old.example."}, []string{"1 new.example."}},
			{"new.example", "A", []string{"11.0.0.1"}, []string{"11.0.0.1", "11.0.0.2"}},
		}
		if fmt.Sprint(r.Differences) != fmt.Sprint(want) {
			t.Errorf("differences %v", r.Differences)
		}
		if r.TTL != 90 || r.MX[0].Attempts[0].TTL != 5 {
			t.Errorf("TTL %d, %d", r.TTL, r.MX[0].Attempts[0].TTL)
		}
	})
}

// Glue is never authentic; the same question with DO, which goes past it, tells whether the zone is signed.
func TestAuthenticityPastGlue(t *testing.T) {
	for _, validates := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			whole := zone(t, oneHost)
			asked := 0
			p := &Prober{Options: Options{Depth: DepthGreeting, Security: Security{Validates: validates}}, Dial: (&network{}).dial,
				Exchange: func(ctx context.Context, q *dns.Msg) (*dns.Msg, string, error) {
					r, source, err := whole(ctx, q)
					if q.Question[0].Qtype == dns.TypeA {
						if asked++; q.IsEdns0().Do() {
							r.AuthenticatedData = true
						} else {
							source = "glue"
						}
					}
					return r, source, err
				}}
			a := p.Probe(t.Context(), "d.example").MX[0].Attempts[0]
			if a.Source != "glue" || a.AD != validates || asked != map[bool]int{false: 1, true: 2}[validates] {
				t.Errorf("source %s, AD %t, asked %d times", a.Source, a.AD, asked)
			}
		})
	}
}

// When nobody anywhere says a word, it is our own port that is blocked.
func TestBlockedHere(t *testing.T) {
	report := func(addresses string, verdict Verdict) Report {
		var e Exchanger
		for addr := range strings.FieldsSeq(addresses) {
			e.Attempts = append(e.Attempts, Attempt{Address: netip.MustParseAddr(addr), Verdict: verdict})
		}
		return Report{MX: []Exchanger{e}}
	}
	silent := report("11.0.0.1 11.0.0.2 12.0.0.1", TimeoutConnect)
	for _, test := range []struct {
		reports []Report
		want    bool
	}{
		{nil, false},
		{[]Report{silent}, false}, // two networks
		{[]Report{silent, report("2a00::1", Unreachable)}, true},
		{[]Report{silent, report("2a00::1", LocalError), report("10.0.0.1", BlockedAddress)}, true},
		{[]Report{silent, report("2a00::1", Unreachable), report("13.0.0.1", Refused)}, false},
		{[]Report{silent, report("2a00::1", Unreachable), report("13.0.0.1", OK)}, false},
		{[]Report{silent, report("13.0.0.1", Skipped)}, false},
	} {
		if got := BlockedHere(test.reports); got != test.want {
			t.Errorf("%+v: %t", test.reports, got)
		}
	}
	synctest.Test(t, func(t *testing.T) {
		peers := map[string]string{"11.0.0.1": "filtered", "11.0.0.2": "unreachable"}
		p := &Prober{Options: Options{PortBlocked: true}, Exchange: zone(t, twoHosts), Dial: (&network{peers: peers}).dial}
		if r := p.Probe(t.Context(), "d.example"); r.Status != StatusUnknown || !strings.HasPrefix(r.Reason, "Port 25 seems blocked here") {
			t.Errorf("%s: %s", r.Status, r.Reason)
		}
	})
}

// Outcomes of several places, one after the other.
func TestFirstOutcome(t *testing.T) {
	for want, places := range map[Outcome][]Outcome{
		OutcomeClear:   {OutcomeDefer, OutcomeUnknown, OutcomeClear, OutcomeEncrypted},
		OutcomeUnknown: {OutcomeDefer, OutcomeUnknown, OutcomeBounce},
		OutcomeDefer:   {OutcomeBounce, OutcomeDefer},
		OutcomeBounce:  {OutcomeBounce},
	} {
		var senders []Senders
		for _, o := range places {
			senders = append(senders, allSenders(o))
		}
		if got := first(senders); got != allSenders(want) {
			t.Errorf("%v: got %v", places, got)
		}
	}
}

// A domain's senders, where no TLS is about.
func TestSendersWithoutTLS(t *testing.T) {
	for want, test := range map[Outcome]struct {
		zone  string
		peers map[string]string
		depth Depth
	}{
		OutcomeClear:   {twoHosts, map[string]string{"11.0.0.1": "refused"}, DepthTLS},
		OutcomeDefer:   {twoHosts, map[string]string{"11.0.0.1": "refused", "11.0.0.2": "554 no"}, DepthTLS},
		OutcomeBounce:  {"d.example. MX 1 m.example.\nm.example. TXT x", nil, DepthTLS},
		OutcomeUnknown: {twoHosts, nil, DepthGreeting},
	} {
		synctest.Test(t, func(t *testing.T) {
			p := &Prober{Options: Options{Depth: test.depth}, Exchange: zone(t, test.zone), Dial: (&network{peers: test.peers}).dial}
			if r := p.Probe(t.Context(), "d.example"); r.Senders.Plain != want {
				t.Errorf("got %s, want %s", r.Senders.Plain, want)
			}
		})
	}
	synctest.Test(t, func(t *testing.T) { // 521: nobody is ever to come back (RFC 7504 3)
		p := &Prober{Exchange: zone(t, oneHost), Dial: (&network{peers: map[string]string{"11.0.0.1": "521 never"}}).dial}
		if r := p.Probe(t.Context(), "d.example"); r.Senders.Plain != OutcomeBounce || !slices.Equal(r.Warnings, []string{}) {
			t.Errorf("got %s, %q", r.Senders.Plain, r.Warnings)
		}
	})
}

// What policies forbid is known without a connection.
func TestSendersWithoutConnection(t *testing.T) {
	a := &Attempt{Verdict: Skipped}
	if got := a.underDANE(&dane.Result{Status: dane.Error}, OutcomeUnknown); got != OutcomeDefer {
		t.Errorf("TLSA question failed: %s", got)
	}
	if got := a.underDANE(&dane.Result{Status: dane.Secure}, OutcomeUnknown); got != OutcomeUnknown {
		t.Errorf("TLSA records: %s", got)
	}
	policy := &sts.Result{Status: sts.OK, Mode: sts.ModeEnforce, MX: []string{"other.example"}}
	if got := a.underSTS(policy, "mx.example", OutcomeUnknown); got != OutcomeDefer {
		t.Errorf("an exchanger that the policy does not list: %s", got)
	}
	if got := a.underSTS(policy, "other.example", OutcomeUnknown); got != OutcomeUnknown {
		t.Errorf("one that it lists: %s", got)
	}
}

// The patience of RFC 8461 3.3 reaches the fetcher.
func TestPolicyTimeout(t *testing.T) {
	for _, timeouts := range []Timeouts{{}, RFCTimeouts(), {Policy: time.Second}} {
		p := &Prober{Exchange: zone(t, ""), Options: Options{Timeouts: timeouts}}
		if p.sts(); p.fetcher.Timeout != timeouts.Policy {
			t.Errorf("%v, want %v", p.fetcher.Timeout, timeouts.Policy)
		}
	}
	if RFCTimeouts().Policy != time.Minute {
		t.Errorf("%v", RFCTimeouts().Policy)
	}
}
