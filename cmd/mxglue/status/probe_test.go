package status

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/mxglue/mxglue/smtpprobe"
	"github.com/mxglue/mxglue/smtpprobe/dane"
	"github.com/mxglue/mxglue/smtpprobe/sts"
)

var certificateEnd = time.Date(2027, 3, 1, 12, 0, 0, 0, time.UTC)

// halfUp is a domain whose first MX host refuses connections, and whose second takes mail.
func halfUp() smtpprobe.Report {
	second := "mx2.example.com"
	return smtpprobe.Report{
		Domain: "example.com", Verdict: smtpprobe.Warning, Status: smtpprobe.StatusWarning, TakesMail: &second,
		Reason:  "1 of 2 exchangers says 220: mx1.example.com refuses the connection.",
		Senders: smtpprobe.Senders{Plain: smtpprobe.OutcomeEncrypted, DANE: smtpprobe.OutcomeAuthenticated, STS: smtpprobe.OutcomeDefer},
		STS:     &sts.Result{Status: sts.OK, Mode: sts.ModeEnforce},
		MX: []smtpprobe.Exchanger{
			{Name: "mx1.example.com", Preference: 10, Verdict: smtpprobe.Refused, DANE: &dane.Result{Status: dane.None},
				Attempts: []smtpprobe.Attempt{{Address: netip.MustParseAddr("192.0.2.1"), Port: 25, Verdict: smtpprobe.Refused}}},
			{Name: second, Preference: 20, Verdict: smtpprobe.OK, DANE: &dane.Result{Status: dane.Secure}, Attempts: []smtpprobe.Attempt{
				{Address: netip.MustParseAddr("2001:db8::2"), Port: 25, Verdict: smtpprobe.TimeoutConnect},
				{Address: netip.MustParseAddr("2001:db8::2"), Port: 25, Verdict: smtpprobe.TimeoutConnect}, // a server may say an address twice
				{Address: netip.MustParseAddr("192.0.2.2"), Port: 25, Verdict: smtpprobe.OK, Code: 220, MS: smtpprobe.Phases{Connect: 20, Greeting: 184, TLS: 31.5},
					TLS:        &smtpprobe.TLS{Offered: true, Established: true, Version: "TLS 1.3", Cipher: "TLS_AES_128_GCM_SHA256", NotAfter: certificateEnd},
					Transcript: []string{"S: 220 mx2.example.com ESMTP", "C: EHLO mxglue.example"}},
			}},
			{Name: "mx3.example.com", Preference: 30, Verdict: smtpprobe.Skipped},
		},
		Findings: []smtpprobe.Finding{{Severity: smtpprobe.SeverityWarning, Code: "spf", Rule: "RFC 7208 §4.5", Text: "There are two SPF records."}},
	}
}

// prober is a daemon whose module mx reports at once.
func prober(report func() smtpprobe.Report) Daemon {
	module := Module{Timeout: 2 * time.Minute, Require: RequirePlain,
		Probe: func(context.Context, string, bool) (smtpprobe.Report, []Question) { return report(), nil }}
	return Daemon{Snapshot: idle, Probes: Probes{Modules: map[string]Module{"mx": module}}}
}

// scrape asks GET /probe, and returns the samples as `name{label="value"} value`.
func scrape(t *testing.T, d Daemon, path string) []string {
	t.Helper()
	response := tell(d, "GET", path, "127.0.0.1:1")
	text := body(t, response)
	if response.StatusCode != http.StatusOK {
		t.Fatalf("GET %s: %s: %s", path, response.Status, text)
	}
	return samples(t, text)
}

func samples(t *testing.T, text string) (all []string) {
	t.Helper()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(text))
	if err != nil {
		t.Fatalf("no exposition format: %v:\n%s", err, text)
	}
	for name, family := range families {
		for _, m := range family.GetMetric() {
			var labels []string
			for _, l := range m.GetLabel() {
				labels = append(labels, l.GetName()+"="+l.GetValue())
			}
			value := m.GetGauge().GetValue() + m.GetCounter().GetValue() + m.GetUntyped().GetValue()
			all = append(all, fmt.Sprintf("%s{%s} %s", name, strings.Join(labels, ","), strconv.FormatFloat(value, 'f', -1, 64)))
		}
	}
	return all
}

// has fails the test unless all the samples are there.
func has(t *testing.T, all []string, want ...string) {
	t.Helper()
	for _, w := range want {
		if !slices.Contains(all, w) {
			t.Errorf("no sample %s among\n%s", w, strings.Join(slices.Sorted(slices.Values(all)), "\n"))
		}
	}
}

func TestProbeHasTheMetricsOfBlackboxExporterAndOurs(t *testing.T) {
	all := scrape(t, prober(halfUp), "/probe?target=example.com&module=mx")
	has(t, all,
		"probe_success{} 1", "probe_ip_protocol{} 4", "probe_dns_lookup_time_seconds{} 0",
		fmt.Sprintf("probe_ssl_earliest_cert_expiry{} %d", certificateEnd.Unix()),
		"probe_tls_version_info{version=TLS 1.3} 1", "probe_tls_cipher_info{cipher=TLS_AES_128_GCM_SHA256} 1",
		"mxglue_domain_status{domain=example.com} 1",
		"mxglue_mx_up{domain=example.com,mx=mx1.example.com,pref=10} 0", "mxglue_mx_up{domain=example.com,mx=mx2.example.com,pref=20} 1",
		"mxglue_mx_addresses{domain=example.com,mx=mx2.example.com,state=up} 1", "mxglue_mx_addresses{domain=example.com,mx=mx2.example.com,state=down} 2",
		"mxglue_mx_greeting_code{domain=example.com,mx=mx1.example.com} 0", "mxglue_mx_greeting_code{domain=example.com,mx=mx2.example.com} 220",
		"mxglue_mx_phase_seconds{domain=example.com,mx=mx2.example.com,phase=greeting} 0.184",
		fmt.Sprintf("mxglue_tls_cert_not_after_timestamp_seconds{domain=example.com,mx=mx2.example.com} %d", certificateEnd.Unix()),
		"mxglue_dane_status{domain=example.com,mx=mx1.example.com,status=none} 1", "mxglue_dane_status{domain=example.com,mx=mx2.example.com,status=secure} 1",
		"mxglue_mta_sts_mode{domain=example.com,mode=enforce} 1",
		"mxglue_domain_sender_outcome{domain=example.com,outcome=defer,sender=mta_sts} 1",
	)
	for _, s := range all {
		switch {
		case strings.HasPrefix(s, "mxglue_mx_up") && strings.Contains(s, "mx3"):
			t.Errorf("a host that was not tried is said to be up or down: %s", s)
		case strings.Contains(s, "192.0.2") || strings.Contains(s, "2001:db8"):
			t.Errorf("an address became a label: %s", s)
		}
	}
	if !slices.ContainsFunc(all, func(s string) bool { return strings.HasPrefix(s, "probe_duration_seconds{} ") }) {
		t.Error("no probe_duration_seconds")
	}
}

func TestProbeOfWhatIsDown(t *testing.T) {
	down := func() smtpprobe.Report {
		r := halfUp()
		r.MX, r.TakesMail, r.STS = r.MX[:1], nil, &sts.Result{Status: sts.FetchError}
		r.Status, r.Senders = smtpprobe.StatusCritical, smtpprobe.Senders{Plain: smtpprobe.OutcomeDefer}
		return r
	}
	all := scrape(t, prober(down), "/probe?target=example.com") // mx is meant where no module is named
	has(t, all, "probe_success{} 0", "probe_ip_protocol{} 0", "mxglue_domain_status{domain=example.com} 2", "mxglue_mta_sts_mode{domain=example.com,mode=broken} 1")
	for _, s := range all {
		if strings.HasPrefix(s, "probe_ssl_") || strings.HasPrefix(s, "probe_tls_") {
			t.Errorf("without TLS there is %s", s)
		}
	}
}

func TestProbeLabelsAddressesOnlyIfTheModuleSaysSo(t *testing.T) {
	d := prober(halfUp)
	module := d.Probes.Modules["mx"]
	module.Addresses = true
	d.Probes.Modules["mx"] = module
	has(t, scrape(t, d, "/probe?target=example.com"),
		"mxglue_mx_greeting_code{address=192.0.2.2,domain=example.com,mx=mx2.example.com} 220",
		"mxglue_mx_greeting_code{address=2001:db8::2,domain=example.com,mx=mx2.example.com} 0",
		"mxglue_mx_phase_seconds{address=192.0.2.2,domain=example.com,mx=mx2.example.com,phase=connect} 0.02",
	)
}

func TestProbeSuccessIsWhatTheModuleRequires(t *testing.T) {
	senders := func(plain, dane, sts smtpprobe.Outcome) smtpprobe.Senders {
		return smtpprobe.Senders{Plain: plain, DANE: dane, STS: sts}
	}
	const auth, enc, clear, later, unknown = smtpprobe.OutcomeAuthenticated, smtpprobe.OutcomeEncrypted, smtpprobe.OutcomeClear, smtpprobe.OutcomeDefer, smtpprobe.OutcomeUnknown
	for _, c := range []struct {
		require Require
		report  smtpprobe.Report
		want    bool
	}{
		{RequirePlain, smtpprobe.Report{Senders: senders(clear, later, later), Status: smtpprobe.StatusCritical}, true},
		{RequirePlain, smtpprobe.Report{Senders: senders(later, later, later), Status: smtpprobe.StatusCritical}, false},
		{RequirePlain, smtpprobe.Report{Senders: senders(unknown, unknown, unknown), Status: smtpprobe.StatusWarning}, true},
		{RequirePlain, smtpprobe.Report{Senders: senders(unknown, unknown, unknown), Status: smtpprobe.StatusUnknown}, false},
		{RequirePlain, smtpprobe.Report{Senders: senders(smtpprobe.OutcomeBounce, "", ""), Verdict: smtpprobe.NullMX, Status: smtpprobe.StatusOK}, true},
		{RequirePlain, smtpprobe.Report{Senders: senders(smtpprobe.OutcomeBounce, "", ""), Verdict: smtpprobe.NXDomain, Status: smtpprobe.StatusCritical}, false},
		{RequireTLS, smtpprobe.Report{Senders: senders(enc, enc, enc)}, true},
		{RequireTLS, smtpprobe.Report{Senders: senders(clear, clear, clear), Status: smtpprobe.StatusOK}, false},
		{RequireDANE, smtpprobe.Report{Senders: senders(enc, auth, enc)}, true},
		{RequireDANE, smtpprobe.Report{Senders: senders(enc, enc, auth), Status: smtpprobe.StatusOK}, false},
		{RequireSTS, smtpprobe.Report{Senders: senders(enc, enc, auth)}, true},
		{RequireSTS, smtpprobe.Report{Senders: senders(enc, auth, later)}, false},
	} {
		if got := c.require.met(c.report); got != c.want {
			t.Errorf("%s is met by %+v, %s: %v, want %v", c.require, c.report.Senders, c.report.Status, got, c.want)
		}
	}
}

// It takes domains, and does what it was configured to do.
func TestProbeRefusesWhatItIsNotFor(t *testing.T) {
	d := prober(func() smtpprobe.Report { t.Error("a probe was made"); return smtpprobe.Report{} })
	d.Probes.Modules["deep"] = d.Probes.Modules["mx"]
	d.Probes.Targets = []string{"example.com"}
	for _, c := range []struct {
		method, path, header string
		want                 int
		say                  string
	}{
		{"GET", "/probe?target=example.com&module=http_2xx", "", 400, `module "http_2xx" is unknown; there are deep, mx`},
		{"GET", "/probe", "", 400, "/probe?target=example.com&module=mx"},
		{"GET", "/probe?target=192.0.2.1", "", 400, "192.0.2.1"},
		{"GET", "/probe?target=[127.0.0.1]:22", "", 400, "127.0.0.1"},
		{"GET", "/probe?target=mx.example.com:22", "", 400, "has a port"},
		{"GET", "/probe?target=http://example.com/", "", 400, "URL"},
		{"GET", "/probe?target=example.org", "", 403, "smtpprobe.probe_targets"},
		{"GET", "/probe?target=evilexample.com", "", 403, "smtpprobe.probe_targets"},
		{"GET", "/probe?target=com", "", 403, "smtpprobe.probe_targets"},
		{"GET", "/probe?target=example.com", "Sec-Fetch-Site: cross-site", 403, "another web page"},
		{"GET", "/probe?target=example.com", "Sec-Fetch-Site: same-site", 403, "another web page"},
		{"GET", "/probe?target=example.com", scrapeTimeoutHeader + ": soon", 400, `"soon"`},
		{"GET", "/probe?target=example.com", scrapeTimeoutHeader + ": -1", 400, `"-1"`},
		{"GET", "/probe?target=example.com", scrapeTimeoutHeader + ": NaN", 400, `"NaN"`},
		{"HEAD", "/probe?target=example.com", "", 405, ""},
		{"POST", "/probe?target=example.com", "", 405, ""},
	} {
		response := tell(d, c.method, c.path, "127.0.0.1:1", c.header)
		if text := body(t, response); response.StatusCode != c.want || !strings.Contains(text, c.say) {
			t.Errorf("%s %s %s: %s %q; want %d and %q", c.method, c.path, c.header, response.Status, text, c.want, c.say)
		}
	}
	if got := ask(t, idle, "GET", "evil.example", "/probe?target=example.com").StatusCode; got != 403 {
		t.Errorf("a foreign Host: %d, want 403", got)
	}
}

func TestProbeTargetsCoverWhatIsBelowThem(t *testing.T) {
	d := prober(halfUp)
	d.Probes.Targets = []string{"example.com", "xn--mnchen-3ya.example"}
	for _, target := range []string{"example.com", "Sub.Example.COM.", "user@example.com", "münchen.example"} {
		has(t, scrape(t, d, "/probe?target="+target), "probe_success{} 1")
	}
}

func TestProbeWithDebugTellsWhatWasDoneAndThenTheMetrics(t *testing.T) {
	d := prober(nil)
	module := d.Probes.Modules["mx"]
	module.Probe = func(_ context.Context, _ string, transcript bool) (smtpprobe.Report, []Question) {
		if !transcript {
			t.Error("the dialogue is not asked for")
		}
		return halfUp(), []Question{
			{Name: "_mta-sts.example.com.", Type: "TXT", Began: time.Now().Add(time.Second)},
			{Name: "example.com.", Type: "MX", Source: "cache", Began: time.Now()},
		}
	}
	d.Probes.Modules["mx"] = module
	response := tell(d, "GET", "/probe?target=example.com&debug=true", "127.0.0.1:1", "Accept-Encoding: gzip", "Accept: application/openmetrics-text")
	text := body(t, response)
	at := -1
	for _, want := range []string{
		"Probe of example.com with module mx: warning\n1 of 2 exchangers says 220", "DNS questions:", "MX    example.com.  cache", "TXT   _mta-sts.example.com.  failed", "mx1.example.com, preference 10: refused",
		"192.0.2.2 port 25: ok", "    S: 220 mx2.example.com ESMTP\n    C: EHLO mxglue.example\n", "warning  There are two SPF records. [spf RFC 7208 §4.5]",
		"Metrics that would have been returned:", "probe_success 1\n",
	} {
		next := strings.Index(text, want)
		if next <= at {
			t.Errorf("%q does not come next in\n%s", want, text)
		}
		at = max(at, next)
	}
	if kind := response.Header.Get("Content-Type"); kind != "text/plain; charset=utf-8" {
		t.Errorf("Content-Type %q, want text for people", kind)
	}
}

func TestMetricsOfAProbeAreNamedByTheConventions(t *testing.T) {
	text := body(t, tell(prober(halfUp), "GET", "/probe?target=example.com", "127.0.0.1:1"))
	problems, err := promlint.New(strings.NewReader(text)).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}

func TestModulesAreToldInOrder(t *testing.T) {
	d := prober(halfUp)
	for _, name := range []string{"z", "a", "k"} {
		d.Probes.Modules[name] = d.Probes.Modules["mx"]
	}
	text := body(t, tell(d, "GET", "/probe?target=a.example&module=b", "127.0.0.1:1"))
	if want := strings.Join(slices.Sorted(maps.Keys(d.Probes.Modules)), ", "); !strings.Contains(text, "there are "+want) {
		t.Errorf("%q does not tell %s", text, want)
	}
}

// The time for looking up is that in which a question for the MX or an address was open: those at the same time count once,
// and those of policies do not count.
func TestProbeTellsHowLongTheLookupTook(t *testing.T) {
	at := func(ms int) time.Time { return time.UnixMilli(int64(ms)) }
	d := prober(nil)
	module := d.Probes.Modules["mx"]
	module.Probe = func(context.Context, string, bool) (smtpprobe.Report, []Question) {
		return halfUp(), []Question{
			{"mx1.example.com.", "AAAA", "", at(1500), at(2500)},
			{"example.com.", "MX", "upstream", at(0), at(1000)},
			{"MX1.example.com.", "A", "upstream", at(1000), at(2000)},
			{"mx2.example.com.", "A", "bundle", at(1100), at(1200)},
			{"_mta-sts.example.com.", "TXT", "upstream", at(2500), at(4000)},
			{"mta-sts.example.com.", "A", "upstream", at(4000), at(5000)},
			{"mx1.example.com.", "A", "cache", at(9000), at(9250)},
		}
	}
	d.Probes.Modules["mx"] = module
	has(t, scrape(t, d, "/probe?target=example.com"), "probe_dns_lookup_time_seconds{} 2.75")
}
