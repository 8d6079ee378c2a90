//go:build e2e

package e2e

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// probeConf are modules beside mx.
const probeConf = `
smtpprobe:
  allow_private: true
  probe_targets: [implicit.example, down.example]
  modules:
    greet: {depth: greeting}
    dane: {require: dane}
    addresses: {address_label: true}
`

// Prometheus asks as it asks blackbox_exporter: it gets the metrics that it knows from there, and ours. Who asks again within
// the minute gets the result of the same connection.
func TestProbe(t *testing.T) {
	startUnbound(t)
	mx := startFakeMXAt(t, fakeIP, "implicit.example", "teaser=1s")
	serveProbes(t, probeConf)
	for _, test := range []struct {
		query string
		want  map[string]float64 // by name, and the labels that tell
	}{
		{"target=implicit.example&module=mx", map[string]float64{
			"probe_success": 1, "probe_ip_protocol": 4, "probe_tls_version_info TLS 1.3": 1, "mxglue_domain_status implicit.example": 0,
			"mxglue_mx_up implicit.example": 1, "mxglue_mx_greeting_code implicit.example": 220, "mxglue_domain_sender_outcome plain encrypted": 1,
		}},
		{"target=implicit.example&module=greet", map[string]float64{"probe_success": 1, "mxglue_mx_greeting_code implicit.example": 220}},
		{"target=implicit.example&module=dane", map[string]float64{"probe_success": 0, "mxglue_domain_status implicit.example": 0}},
		{"target=implicit.example&module=addresses", map[string]float64{"mxglue_mx_greeting_code " + fakeIP: 220}},
		{"target=down.example", map[string]float64{"probe_success": 0, "probe_ip_protocol": 0, "mxglue_domain_status down.example": 2, "mxglue_mx_up mx1.down.example": 0}},
	} {
		families := families(t, probe(t, test.query, "", 200))
		for what, want := range test.want {
			if got, ok := value(families, what); !ok || got != want {
				t.Errorf("%s: %s is %v (there: %v), want %v", test.query, what, got, ok, want)
			}
		}
		for _, name := range []string{"probe_duration_seconds", "probe_dns_lookup_time_seconds"} {
			if took, ok := value(families, name); !ok || took <= 0 {
				t.Errorf("%s: %s is %v, want some time", test.query, name, took)
			}
		}
	}
	end, ok := value(families(t, probe(t, "target=implicit.example", "", 200)), "probe_ssl_earliest_cert_expiry")
	if left := time.Until(time.Unix(int64(end), 0)); !ok || left < time.Minute {
		t.Errorf("the certificate ends in %v", left)
	}
	if counts, want := stopFakeMX(t, mx), (fakeCounts{Connections: 1, Peak: 1, Quits: 1}); counts != want {
		t.Errorf("fakemx counted %+v, want %+v:\n%s", counts, want, mx.output)
	}
}

// What a module, a target or a header says wrong is told, and nobody is connected to.
func TestProbeRefuses(t *testing.T) {
	startUnbound(t)
	mx := startFakeMXAt(t, fakeIP, "implicit.example", "")
	serveProbes(t, probeConf)
	for query, want := range map[string]struct {
		code int
		say  string
	}{
		"target=implicit.example&module=http_2xx": {400, "addresses, dane, greet, mx"},
		"module=mx":                  {400, "target"},
		"target=[" + fakeIP + "]:25": {400, "address"},
		"target=implicit.example:25": {400, "port"},
		"target=three.example":       {403, "smtpprobe.probe_targets"},
	} {
		mentions(t, query, probe(t, query, "", want.code), want.say)
	}
	mentions(t, "a bad header", probe(t, "target=implicit.example", "soon", 400), `"soon"`)
	if counts := stopFakeMX(t, mx); counts != (fakeCounts{}) {
		t.Errorf("fakemx counted %+v, want nobody", counts)
	}
}

// Prometheus hears of a host that is slow before it gives up, and that nothing is known.
func TestProbeHonoursTheScrapeTimeout(t *testing.T) {
	startUnbound(t)
	mx := startFakeMXAt(t, fakeIP, "implicit.example", "delay=30s")
	serveProbes(t, probeConf)
	began := time.Now()
	families := families(t, probe(t, "target=implicit.example", "2", 200))
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("the answer took %v, want less than the 2s of the scraper", took)
	}
	for what, want := range map[string]float64{"probe_success": 0, "mxglue_domain_status implicit.example": 3} {
		if got, ok := value(families, what); !ok || got != want {
			t.Errorf("%s is %v (there: %v), want %v", what, got, ok, want)
		}
	}
	if counts := stopFakeMX(t, mx); counts.EarlyTalkers+counts.MissingQuits != 0 || counts.Connections != 1 {
		t.Errorf("fakemx counted %+v, want one polite visit:\n%s", counts, mx.output)
	}
}

// The loopback and what is behind the router are not for strangers to look at, whatever the module.
func TestProbeIsNoPortScanner(t *testing.T) {
	startUnbound(t)
	mx := startFakeMXAt(t, fakeIP, "implicit.example", "")
	serveProbes(t, "smtpprobe: {modules: {greet: {depth: greeting}}}")
	for _, module := range []string{"mx", "greet"} {
		if got, ok := value(families(t, probe(t, "target=implicit.example&module="+module, "", 200)), "probe_success"); !ok || got != 0 {
			t.Errorf("%s: probe_success is %v, want 0", module, got)
		}
	}
	if counts := stopFakeMX(t, mx); counts != (fakeCounts{}) {
		t.Errorf("fakemx counted %+v, want nobody", counts)
	}
}

// In words, with the dialogue.
func TestProbeDebug(t *testing.T) {
	startUnbound(t)
	startFakeMXAt(t, fakeIP, "implicit.example", "")
	serveProbes(t, probeConf)
	mentions(t, "debug=true", probe(t, "target=implicit.example&debug=true", "", 200),
		"Probe of implicit.example with module mx: ok", "MX    implicit.example.", "S: 220 implicit.example", "C: EHLO", "C: QUIT", "probe_success 1")
}

// serveProbes starts mxglue with a configuration, in front of Unbound.
func serveProbes(t *testing.T, yaml string) *daemon {
	t.Helper()
	conf := writeFile(t, scratch(t, "config"), "config.yaml", yaml)
	d := start(t, mxglue(t, nil, "serve", "--config", conf, "--listen", dnsAddress, "--status", statusAddress, "--upstream", "udp://"+unboundAddress))
	awaitStatus(t, d)
	t.Cleanup(func() { stop(t, d) })
	return d
}

// probe asks GET /probe as Prometheus does, timeout being its header ("": none), and returns the body.
func probe(t *testing.T, query, timeout string, want int) string {
	t.Helper()
	request, err := http.NewRequest("GET", "http://"+statusAddress+"/probe?"+query, nil)
	if err != nil {
		t.Fatal(err)
	}
	if timeout != "" {
		request.Header.Set("X-Prometheus-Scrape-Timeout-Seconds", timeout)
	}
	client := http.Client{Timeout: 20 * time.Second}
	r, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	text, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	if err != nil || r.StatusCode != want {
		t.Fatalf("GET /probe?%s: %s, %v; want %d:\n%s", query, r.Status, err, want, text)
	}
	return string(text)
}

func families(t *testing.T, text string) map[string]*dto.MetricFamily {
	t.Helper()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(text))
	if err != nil {
		t.Fatalf("no exposition format: %v:\n%s", err, text)
	}
	return families
}

// value is that of the sample that has a name and, of labels, all these values.
func value(families map[string]*dto.MetricFamily, what string) (float64, bool) {
	name, labels, _ := strings.Cut(what, " ")
	for _, m := range families[name].GetMetric() {
		var values []string
		for _, l := range m.GetLabel() {
			values = append(values, l.GetValue())
		}
		all := " " + strings.Join(values, " ") + " "
		if labels == "" || !missing(all, labels) {
			return m.GetGauge().GetValue() + m.GetUntyped().GetValue() + m.GetCounter().GetValue(), true
		}
	}
	return 0, false
}

func missing(all, labels string) bool {
	for l := range strings.FieldsSeq(labels) {
		if !strings.Contains(all, " "+l+" ") {
			return true
		}
	}
	return false
}

// startFakeMXAt runs "mxglue fakemx" on port 25 of an address until stopFakeMX or the test's end.
func startFakeMXAt(t *testing.T, address, name, script string) *daemon {
	t.Helper()
	args := []string{"fakemx", "--json", "--listen", address + ":25", "--name", name}
	if script != "" {
		args = append(args, "--script", script)
	}
	d := start(t, mxglue(t, nil, args...))
	eventually(t, 10*time.Second, func() error {
		d.running(t)
		if !strings.Contains(d.output.String(), "fakemx listens") {
			return errors.New("it does not listen")
		}
		return nil
	})
	return d
}
