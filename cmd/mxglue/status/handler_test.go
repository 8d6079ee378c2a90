package status

import (
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"github.com/mxglue/mxglue/resolver/upstream"
)

func TestStatsHasTheFiguresUnderTheirPublishedNames(t *testing.T) {
	var got map[string]any
	text := get(t, busy, "/stats")
	if err := json.Unmarshal([]byte(text), &got); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		"version": "1.2.3", "uptime_seconds": "93784",
		"server.udp_queries": "1.234567e+06", "server.tcp_queries": "8", "server.dropped": "5", "server.malformed": "6", "server.refused": "9",
		"cache.entries": "321", "cache.capacity": "100000", "cache.hits": "900", "cache.misses": "100", "cache.glue_hits": "210",
		"cache.bundle_hits": "220", "cache.octets": "345678", "cache.stale_hits": "23", "cache.expired": "30", "cache.evicted": "31", "cache.glue_refused.claimed": "34",
		"resolver.bundle_queries": "44", "resolver.servfail": "46", "resolver.refreshes": "47", "resolver.crowded": "48", "resolver.private_dropped": "49",
		"dnssec":           "strip",
		"upstream.queries": "52", "upstream.failures": "7", "upstream.mismatched": "2",
		"saved.queries": "430", "saved.wait_ms": "21550.5",
	} {
		var at any = got
		for name := range strings.SplitSeq(path, ".") {
			section, _ := at.(map[string]any)
			at = section[name]
		}
		if fmt.Sprint(at) != want {
			t.Errorf("%s is %v, want %s", path, at, want)
		}
	}
	upstreams, _ := got["upstreams"].([]any)
	if len(upstreams) != 2 {
		t.Fatalf("upstreams is %v, want two", got["upstreams"])
	}
	if first, _ := upstreams[0].(map[string]any); first["address"] != "udp://192.0.2.1:53" || first["rtt_ms"] != 50.25 || first["down"] != false {
		t.Errorf("upstreams[0] is %v", first)
	}
	if second, _ := upstreams[1].(map[string]any); second["trusted"] != true || second["validates"] != true {
		t.Errorf("upstreams[1] is %v", second)
	}
	if !strings.Contains(text, "\n  \"server\": {\n") {
		t.Errorf("the JSON is not indented:\n%s", text)
	}
}

func TestStatsCanBeReadBack(t *testing.T) {
	var got Snapshot
	if err := json.Unmarshal([]byte(get(t, busy, "/stats")), &got); err != nil {
		t.Fatal(err)
	}
	want := busy()
	want.Resolver.Upstreams = nil // said once, in upstreams
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
}

func TestHealth(t *testing.T) {
	if got := get(t, idle, "/healthz"); got != "ok\n" {
		t.Errorf("before the first query: %q, want ok", got)
	}
	if got := get(t, busy, "/healthz"); got != "ok\n" {
		t.Errorf("one of two upstreams failing: %q, want ok", got)
	}
	response := ask(t, dead, "GET", "localhost", "/healthz")
	if response.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("every upstream that was asked failing: %s, want 503", response.Status)
	}
	want := "no upstream answered when it was last asked (udp://192.0.2.1:53: no response within 1.5s; udp://192.0.2.2:53: SERVFAIL)\n"
	if got := body(t, response); got != want {
		t.Errorf("503 says %q, want %q", got, want)
	}
}

// A response that comes too late ends no trouble: the upstream is down until it answers a probe.
func TestHealthGoesByWhoIsDown(t *testing.T) {
	late := func() Snapshot {
		return Snapshot{Upstreams: []upstream.Stats{{Address: "udp://192.0.2.1:53", Queries: 4, Down: true}}}
	}
	response := ask(t, late, "GET", "localhost", "/healthz")
	want := "no upstream answered when it was last asked (udp://192.0.2.1:53: answered too late)\n"
	if got := body(t, response); response.StatusCode != http.StatusServiceUnavailable || got != want {
		t.Errorf("the only upstream down: %s, %q; want 503, %q", response.Status, got, want)
	}
	if page := get(t, late, "/"); !strings.Contains(page, `<td class="bad">down: answered too late</td>`) {
		t.Errorf("the page does not say that it is down:\n%s", page)
	}
}

// One whose first answer is still awaited does not hide that the others fail.
func TestHealthWhileOneIsAskedForTheFirstTime(t *testing.T) {
	waiting := upstream.Stats{Address: "https://dns.example/q", Queries: 1}
	response := ask(t, func() Snapshot {
		return Snapshot{Upstreams: []upstream.Stats{{Address: "udp://192.0.2.1:53", Queries: 1, LastError: "refused"}, waiting}}
	}, "GET", "localhost", "/healthz")
	if response.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("one fails, the other has not answered yet: %s, want 503", response.Status)
	}
	if text := get(t, func() Snapshot { return Snapshot{Upstreams: []upstream.Stats{waiting}} }, "/healthz"); text != "ok\n" {
		t.Errorf("the only one has not answered yet: %q, want ok", text)
	}
}

func TestOnlyReadingAndOnlyWhatIsThere(t *testing.T) {
	for _, c := range []struct {
		method, path string
		want         int
	}{
		{"GET", "/", 200}, {"HEAD", "/", 200}, {"HEAD", "/stats", 200}, {"HEAD", "/metrics", 200}, {"HEAD", "/healthz", 200},
		{"GET", "/flush", 405}, {"HEAD", "/flush", 405}, {"PUT", "/flush", 405}, {"POST", "/dump", 405}, {"DELETE", "/dump", 405},
		{"POST", "/", 405}, {"PUT", "/stats", 405}, {"DELETE", "/metrics", 405}, {"OPTIONS", "/healthz", 405},
		{"GET", "/favicon.ico", 404}, {"GET", "/stats/", 404}, {"GET", "/debug/pprof/", 404}, {"GET", "/page.html", 404},
	} {
		response := ask(t, busy, c.method, "127.0.0.1:8053", c.path)
		if response.StatusCode != c.want {
			t.Errorf("%s %s: %s, want %d", c.method, c.path, response.Status, c.want)
		}
		if response.Header.Get("X-Content-Type-Options") != "nosniff" || !strings.HasPrefix(response.Header.Get("Content-Security-Policy"), "default-src 'none';") {
			t.Errorf("%s %s: security headers are missing: %v", c.method, c.path, response.Header)
		}
	}
}

// A foreign page whose name suddenly resolves to 127.0.0.1 must not read the figures (DNS rebinding).
func TestForeignHostNamesAreRefused(t *testing.T) {
	for host, want := range map[string]int{
		"127.0.0.1:8053": 200, "127.0.0.1": 200, "[::1]:8053": 200, "[::1]": 200, "192.0.2.1:80": 200, "localhost:8053": 200, "LocalHost": 200, "": 200,
		"evil.example": 403, "evil.example:8053": 403, "localhost.evil.example": 403, "127.0.0.1.evil.example:8053": 403, "evil.example:": 403,
		"1.2.3": 403, "[evil.example]:8053": 403, "localhost@evil.example": 403,
	} {
		for _, path := range []string{"/stats", "/metrics", "/healthz", "/", "/dump"} {
			if path == "/dump" && want == 200 {
				continue // that takes more than a right name
			}
			if got := ask(t, busy, "GET", host, path).StatusCode; got != want {
				t.Errorf("Host %q, GET %s: %d, want %d", host, path, got, want)
			}
		}
	}
}
