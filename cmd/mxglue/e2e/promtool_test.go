//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/miekg/dns"
)

const packaging = "../../../packaging"

// Prometheus' own tool finds nothing to say about the metrics of a daemon that has worked.
func TestPromtoolMetrics(t *testing.T) {
	startUnbound(t)
	startUpstream(t, upstreamAddress, 0, relay)
	serve(t, "MXGLUE_MONITOR_DOMAINS=implicit.example", "MXGLUE_SMTPPROBE_ALLOW_PRIVATE=true", "MXGLUE_MONITOR_STORE="+filepath.Join(scratch(t, "state"), "monitor.db"))
	for range 2 { // a miss, and a hit that is not counted with it
		ask(t, "udp", "127.0.0.1", "three.example.", dns.TypeMX)
	}
	text := fetched(t, "/metrics")
	promtool(t, string(text), "check", "metrics")
	families := families(t, string(text))
	for what, want := range map[string]float64{"mxglue_resolver_replies_total MX": 1, "mxglue_resolver_rcodes_total NOERROR": 1, "mxglue_resolver_rcodes_total SERVFAIL": 0} {
		if got, ok := value(families, what); !ok || got != want {
			t.Errorf("/metrics: %s is %v (there: %v), want %v", what, got, ok, want)
		}
	}
	took, asked := families["mxglue_resolver_reply_seconds"].GetMetric(), families["mxglue_upstream_round_trip_seconds"].GetMetric()
	if len(took) != 1 || took[0].GetHistogram().GetSampleCount() != 1 || took[0].GetHistogram().GetSampleSum() <= 0 {
		t.Errorf("mxglue_resolver_reply_seconds: %v; want one miss, and the time it took", took)
	}
	if len(asked) != 1 || asked[0].GetHistogram().GetSampleCount() == 0 || asked[0].GetHistogram().GetSampleSum() <= 0 {
		t.Errorf("mxglue_upstream_round_trip_seconds: %v; want the one upstream, and its times", asked)
	}
}

// Each alert comes when it should, says what it should, and has a test for when it should not.
func TestPromtoolRules(t *testing.T) {
	rules, tests := filepath.Join(packaging, "prometheus/mxglue.rules.yml"), filepath.Join(packaging, "prometheus/mxglue_test.yml")
	promtool(t, "", "check", "rules", rules)
	promtool(t, "", "test", "rules", tests)
	tested := packaged(t, "prometheus/mxglue_test.yml")
	alerts := regexp.MustCompile(`(?m)^ +- alert: (\w+)$`).FindAllStringSubmatch(packaged(t, "prometheus/mxglue.rules.yml"), -1)
	if len(alerts) < 12 {
		t.Errorf("%d alerts, want 12 at least: %v", len(alerts), alerts)
	}
	for _, alert := range alerts {
		for _, want := range []string{`alertname: %s\n +exp_alerts:\n`, `alertname: %s\n +exp_alerts: \[\]\n`} {
			if want = fmt.Sprintf(want, alert[1]); !regexp.MustCompile(want).MatchString(tested) {
				t.Errorf("%s has no test like %q", alert[1], want)
			}
		}
	}
}

// The dashboard can be imported as it is: everything in it asks the data source that the person chooses, and can be parsed.
func TestPromtoolDashboard(t *testing.T) {
	var dashboard struct {
		UID, Title string
		Templating struct {
			List []struct{ Name, Type string }
		}
		Panels []struct {
			Title, Type string
			Targets     []struct {
				Expr       string
				Datasource struct{ UID string }
			}
		}
	}
	text := packaged(t, "grafana/mxglue.json")
	if err := json.Unmarshal([]byte(text), &dashboard); err != nil {
		t.Fatal(err)
	}
	if v := dashboard.Templating.List; len(v) == 0 || v[0].Name != "datasource" || v[0].Type != "datasource" || strings.Contains(text, "__inputs") {
		t.Errorf("the first variable is to be the data source, and nothing is to be asked for on import: %+v", v)
	}
	variables := strings.NewReplacer("$__rate_interval", "5m", "$__range", "6h", "$job", "mxglue", "$instance", ".*")
	var b strings.Builder
	b.WriteString("groups:\n- name: dashboard\n  rules:\n")
	asked := 0
	for _, panel := range dashboard.Panels {
		if panel.Type != "row" && len(panel.Targets) == 0 {
			t.Errorf("panel %q asks for nothing", panel.Title)
		}
		for _, target := range panel.Targets {
			asked++
			if target.Datasource.UID != "${datasource}" {
				t.Errorf("panel %q asks data source %q, want the variable", panel.Title, target.Datasource.UID)
			}
			fmt.Fprintf(&b, "  - {record: \"panel:%d\", expr: %q}\n", asked, variables.Replace(target.Expr))
		}
	}
	if asked < 30 {
		t.Errorf("the dashboard asks %d times, want 30 at least", asked)
	}
	promtool(t, "", "check", "rules", writeFile(t, scratch(t, "dashboard"), "dashboard.rules.yml", b.String()))
}

func packaged(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(packaging, file))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// promtool runs promtool, which has to be content, and of metrics to say nothing.
func promtool(t *testing.T, stdin string, args ...string) {
	t.Helper()
	program, err := exec.LookPath("promtool")
	if err != nil {
		t.Fatalf("promtool is needed: apt-get install --no-install-recommends prometheus (%v)", err)
	}
	cmd := exec.Command(program, args...)
	cmd.Stdin = strings.NewReader(stdin)
	if r := run(t, cmd); r.code != 0 || stdin != "" && r.stdout+r.stderr != "" {
		t.Errorf("promtool %v: exit code %d:\n%s%s", args, r.code, r.stdout, r.stderr)
	}
}
