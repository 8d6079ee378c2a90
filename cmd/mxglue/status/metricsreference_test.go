package status

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

const (
	referenceFile = "../../../docs/metrics.md"
	referenceEnv  = "MXGLUE_WRITE_DOCS" // set: the reference is written anew, not compared
)

// The reference has every metric, as it is.
func TestMetricsReference(t *testing.T) {
	is, err := os.ReadFile(referenceFile)
	if err != nil {
		t.Fatal(err)
	}
	written, _, found := strings.Cut(string(is), "\n| Name |")
	if !found {
		written = string(is)
	}
	want := strings.TrimSpace(written) + "\n\n" + reference(t)
	if os.Getenv(referenceEnv) != "" {
		if err := os.WriteFile(referenceFile, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if string(is) != want {
		t.Errorf("%s is out of date; with %s=1 this test writes\n%s", referenceFile, referenceEnv, want)
	}
}

// The sample data above has every metric that the code can send.
func TestMetricsReferenceIsWhole(t *testing.T) {
	sends := regexp.MustCompile(`m\.(?:gauge|counter|histogram|byReason|send)\((?:prometheus\.\w+, )?"(\w+)"`)
	sources, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	text, found := reference(t), 0
	for _, source := range sources {
		code, err := os.ReadFile(source)
		if err != nil {
			t.Fatal(err)
		}
		for _, sent := range sends.FindAllStringSubmatch(string(code), -1) {
			found++
			if name := sent[1]; !strings.Contains(text, "`mxglue_"+name+"`") && !strings.Contains(text, "`"+name+"`") {
				t.Errorf("%s sends %s, which the reference does not have", source, name)
			}
		}
	}
	if found < 70 {
		t.Errorf("found %d metrics in the code, want 70 at least", found)
	}
}

// Alerts and dashboards ask for nothing that is not there: they would be silent, and look well.
func TestPackagedMetricsAreThere(t *testing.T) {
	ours := regexp.MustCompile(`\bmxglue_[a-z0-9_]+\b`)
	known := everyFamily(t)
	for _, file := range []string{"prometheus/mxglue.rules.yml", "prometheus/mxglue_test.yml", "grafana/mxglue.json"} {
		text, err := os.ReadFile(filepath.Join("../../../packaging", file))
		if err != nil {
			t.Fatal(err)
		}
		names := ours.FindAllString(strings.ReplaceAll(string(text), "mxglue_test.yml", ""), -1)
		if len(names) < 10 {
			t.Errorf("%s names %d metrics, want 10 at least", file, len(names))
		}
		for _, name := range names {
			family := known[name]
			if base, bucket := strings.CutSuffix(name, "_bucket"); bucket && known[base].GetType() == dto.MetricType_HISTOGRAM {
				continue
			}
			if family == nil || family.GetType() == dto.MetricType_HISTOGRAM {
				t.Errorf("%s asks for %s, which there is not", file, name)
			}
		}
	}
}

// reference is the table of all metrics, by name.
func reference(t *testing.T) string {
	var b strings.Builder
	b.WriteString("| Name | Type | Unit | Labels | What |\n|---|---|---|---|---|\n")
	all := everyFamily(t)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		family, labels := all[name], map[string]bool{}
		for _, metric := range family.GetMetric() {
			for _, l := range metric.GetLabel() {
				labels["`"+l.GetName()+"`"] = true
			}
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n", name, strings.ToLower(family.GetType().String()), unitOf(name),
			strings.Join(slices.Sorted(maps.Keys(labels)), ", "), family.GetHelp())
	}
	return b.String()
}

// unitOf reads a unit off a name, as the conventions have it.
func unitOf(name string) string {
	switch name = strings.TrimSuffix(name, "_total"); {
	case strings.HasSuffix(name, "_timestamp_seconds"), name == "probe_ssl_earliest_cert_expiry":
		return "seconds since 1970"
	case strings.HasSuffix(name, "_seconds"):
		return "seconds"
	case strings.HasSuffix(name, "_bytes"):
		return "bytes"
	}
	return ""
}

// everyFamily is what /metrics shows when everything has happened, and /probe. Go's and the process' are left out.
func everyFamily(t *testing.T) map[string]*dto.MetricFamily {
	t.Helper()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	all := map[string]*dto.MetricFamily{}
	read := func(text string) {
		families, err := parser.TextToMetricFamilies(strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		for name, family := range families {
			if was := all[name]; was != nil {
				family.Metric = append(family.Metric, was.Metric...)
			}
			if strings.HasPrefix(name, "mxglue_") || strings.HasPrefix(name, "probe_") {
				all[name] = family
			}
		}
	}
	read(show(t, prober(halfUp), "/probe?target=example.com&module=mx", 200))
	monitoredFor(t, longEnough, func(t *testing.T, d Daemon, _ *atomic.Int32) {
		d.Snapshot = busy
		read(show(t, d, "/metrics", 200)) // last: of a metric of both it has the longer help
	})
	return all
}
