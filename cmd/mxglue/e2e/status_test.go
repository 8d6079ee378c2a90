//go:build e2e

package e2e

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/miekg/dns"
)

// The figures that dashboards and scripts may count on.
func TestStatus(t *testing.T) {
	startUnbound(t)
	startUpstream(t, upstreamAddress, 0, relay)
	serve(t)
	ask(t, "udp", "127.0.0.1", "three.example.", dns.TypeMX)

	body, err := fetch("/stats")
	if err != nil {
		t.Fatal(err)
	}
	var all map[string]any
	if err := json.Unmarshal(body, &all); err != nil {
		t.Fatalf("/stats: %v:\n%s", err, body)
	}
	for _, path := range strings.Fields(`uptime_seconds server.udp_queries server.tcp_queries server.dropped server.malformed
		cache.entries cache.capacity cache.hits cache.misses cache.glue_hits cache.bundle_hits cache.expired cache.evicted
		upstream.queries upstream.failures upstream.mismatched saved.queries saved.wait_ms`) {
		section, key, nested := strings.Cut(path, ".")
		value := all[section]
		if nested {
			in, _ := value.(map[string]any)
			value = in[key]
		}
		if _, ok := value.(float64); !ok {
			t.Errorf("/stats has no number %s:\n%s", path, body)
		}
	}
	if upstreams, _ := all["upstreams"].([]any); len(upstreams) != 1 {
		t.Errorf("/stats: want one of upstreams[]:\n%s", body)
	}
	for path, word := range map[string]string{"/healthz": "ok", "/metrics": "mxglue_", "/": "<html"} {
		page, err := fetch(path)
		if err != nil {
			t.Error(err)
		}
		mentions(t, path, string(page), word)
	}
	r := run(t, mxglue(t, nil, "stats", "--status", statusAddress))
	if r.code != 0 {
		t.Errorf("mxglue stats: exit code %d:\n%s%s", r.code, r.stdout, r.stderr)
	}
	mentions(t, "mxglue stats", r.stdout, upstreamAddress)
}
