package status

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/expfmt"

	"github.com/mxglue/mxglue/smtpprobe"
)

// probed is a probe that has been made. It renders the report as metrics.
type probed struct {
	request
	report    smtpprobe.Report
	questions []Question // in the order asked
	began     time.Time
	took      time.Duration
}

// Describe announces nothing: what is collected depends on the report.
func (probed) Describe(chan<- *prometheus.Desc) {}

// Collect sends what blackbox_exporter would, under its names, and then what is ours.
func (p probed) Collect(metrics chan<- prometheus.Metric) {
	m := sink(metrics)
	m.gauge("probe_success", "1 if what the module requires was found.", oneIf(p.module.Require.met(p.report)))
	m.gauge("probe_duration_seconds", "How long the probe took.", p.took.Seconds())
	m.gauge("probe_dns_lookup_time_seconds", "How long the MX and the addresses of its hosts took to look up.", p.lookup().Seconds())
	first := takesMail(p.report)
	protocol := 0.0
	switch {
	case first == nil:
	case first.Address.Unmap().Is4():
		protocol = 4
	default:
		protocol = 6
	}
	m.gauge("probe_ip_protocol", "IP version of the connection to the first host that takes mail; 0 if none does.", protocol)
	if end := earliestEnd(p.report.MX...); !end.IsZero() {
		m.gauge("probe_ssl_earliest_cert_expiry", "When the first certificate that any of the hosts shows will have ended, as Unix time.", unix(end))
	}
	if first != nil && first.TLS != nil && first.TLS.Established {
		m.gauge("probe_tls_version_info", "TLS version of the first host that takes mail.", 1, "version", first.TLS.Version)
		m.gauge("probe_tls_cipher_info", "Cipher suite of the first host that takes mail.", 1, "cipher", first.TLS.Cipher)
	}
	const status = "0 ok, 1 warning, 2 critical, 3 unknown."
	m.gauge("domain_status", status, statusNumber(p.report.Status), "domain", p.report.Domain)
	m.exchangers(p.report, p.module.Addresses)
	m.security(p.report)
}

// takesMail is the first connection at which mail is taken, in the order tried; nil: none.
func takesMail(r smtpprobe.Report) *smtpprobe.Attempt {
	if r.TakesMail == nil {
		return nil
	}
	for _, e := range r.MX {
		if e.Name == *r.TakesMail {
			return greeting(e)
		}
	}
	return nil
}

// lookup is how long the way to the addresses took: the time in which at least one question for the MX or an address of the
// domain or of an exchanger was open.
func (p probed) lookup() (total time.Duration) {
	names := []string{p.report.Domain}
	for _, e := range p.report.MX {
		names = append(names, e.Name, e.CNAME)
	}
	var until time.Time
	for _, q := range p.questions {
		name := strings.TrimSuffix(strings.ToLower(q.Name), ".")
		if !slices.Contains([]string{"MX", "A", "AAAA"}, q.Type) || !slices.Contains(names, name) {
			continue
		}
		if q.Began.After(until) {
			until = q.Began
		}
		if q.Ended.After(until) {
			total += q.Ended.Sub(until)
			until = q.Ended
		}
	}
	return total
}

// write tells what was done, in words, and then what the answer to a scraper would have been.
func (p probed) write(w http.ResponseWriter, gatherer prometheus.Gatherer) {
	var b strings.Builder
	fmt.Fprintf(&b, "Probe of %s with module %s: %s\n%s\n", p.domain, p.name, p.report.Status, p.report.Reason)
	fmt.Fprintf(&b, "It took %.3f s of %.3f s.\n\nDNS questions:\n", p.took.Seconds(), p.timeout.Seconds())
	for _, q := range p.questions {
		source := q.Source
		if source == "" {
			source = "failed"
		}
		fmt.Fprintf(&b, "%8.3f s  %-5s %s  %s, %.1f ms\n", q.Began.Sub(p.began).Seconds(), q.Type, smtpprobe.Escape(q.Name), source, float64(q.Ended.Sub(q.Began).Microseconds())/1000)
	}
	for _, e := range p.report.MX {
		fmt.Fprintf(&b, "\n%s, preference %d: %s %s\n", e.Name, e.Preference, e.Verdict, e.Detail)
		for _, a := range e.Attempts {
			fmt.Fprintf(&b, "  %s port %d: %s %s\n", a.Address, a.Port, a.Verdict, a.Detail)
			if a.Shared != "" {
				fmt.Fprintf(&b, "    taken from a connection for %s, %.0f s ago\n", a.Shared, a.Age)
			}
			for _, line := range a.Transcript {
				fmt.Fprintf(&b, "    %s\n", line)
			}
		}
	}
	b.WriteString("\nFindings:\n")
	for _, f := range p.report.Findings {
		fmt.Fprintf(&b, "  %-8s %s [%s %s]\n", f.Severity, f.Text, f.Code, f.Rule)
	}
	b.WriteString("\nMetrics that would have been returned:\n")
	families, err := gatherer.Gather()
	for _, family := range families {
		_, _ = expfmt.MetricFamilyToText(&b, family) // a Builder takes everything
	}
	if err != nil {
		slog.Error("status: cannot gather the metrics of a probe", "error", err)
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	io.WriteString(w, tidy(b.String()))
}
