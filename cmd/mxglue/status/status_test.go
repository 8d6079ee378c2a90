package status

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/mxglue/mxglue/cache"
	"github.com/mxglue/mxglue/resolver"
	"github.com/mxglue/mxglue/resolver/server"
	"github.com/mxglue/mxglue/resolver/upstream"
)

// busy is a daemon after a night's work, with one of its two upstreams failing.
func busy() Snapshot {
	upstreams := []upstream.Stats{
		{Address: "udp://192.0.2.1:53", Queries: 40, Failures: 7, Mismatched: 2, TCP: 3, RTTms: 50.25, LastError: "no response within 1.5s"},
		{Address: "tcp://[2001:db8::1]:53", Queries: 12, TCP: 12, RTTms: 20, Validates: true, Trusted: true, Connections: 2},
	}
	return Snapshot{
		Version:       "1.2.3",
		DNSSEC:        "strip",
		UptimeSeconds: 93784,
		Server:        server.Stats{UDPQueries: 1234567, TCPQueries: 8, Dropped: 5, Malformed: 6, Refused: 9, TCPConnections: 4, TCPRejected: 10},
		Cache: cache.Stats{
			Entries: 321, Octets: 345678, StaleHits: 23, Capacity: 100000, Hits: 900, Misses: 100, GlueHits: 210, BundleHits: 220, Expired: 30, Evicted: 31,
			GlueStored: 33, GlueRefused: map[string]uint64{"claimed": 34, "contradicts": 35}, GlueDiffers: 36,
		},
		Resolver: resolver.Stats{
			InFlight: 11, Joined: 41, BundleJoined: 42, Bundles: 43, BundleQueries: 44,
			BundleSkipped: map[string]uint64{"rate": 45}, ServFail: 46, Refreshes: 47, Crowded: 48, PrivateDropped: 49, Upstreams: upstreams,
			Replies: resolver.Replies{ByType: map[string]uint64{"MX": 50, "other": 0}, ByRcode: map[string]uint64{"NOERROR": 50, "SERVFAIL": 0}},
		},
		Upstream:  Sum(upstreams),
		Upstreams: upstreams,
		Saved:     resolver.Saved{Queries: 430, WaitMS: 21550.5},
	}
}

// idle is a daemon nobody has asked yet.
func idle() Snapshot {
	none := resolver.Replies{ByType: map[string]uint64{"MX": 0, "other": 0}, ByRcode: map[string]uint64{"NOERROR": 0, "SERVFAIL": 0}}
	return Snapshot{Version: "1.2.3", Resolver: resolver.Stats{Replies: none}, Upstreams: []upstream.Stats{{Address: "udp://192.0.2.1:53"}}}
}

func dead() Snapshot {
	s := busy()
	s.Upstreams = []upstream.Stats{
		{Address: "udp://192.0.2.1:53", Queries: 40, Failures: 7, LastError: "no response within 1.5s"},
		{Address: "udp://192.0.2.2:53", Queries: 2, Failures: 2, LastError: "SERVFAIL"},
		{Address: "udp://192.0.2.3:53"},
	}
	return s
}

// ask sends one request to the Handler of a daemon with that snapshot.
func ask(t *testing.T, snapshot func() Snapshot, method, host, path string) *http.Response {
	t.Helper()
	request := httptest.NewRequest(method, path, nil)
	request.Host = host
	recorder := httptest.NewRecorder()
	Daemon{Snapshot: snapshot}.Handler().ServeHTTP(recorder, request)
	return recorder.Result()
}

func body(t *testing.T, response *http.Response) string {
	t.Helper()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func get(t *testing.T, snapshot func() Snapshot, path string) string {
	t.Helper()
	response := ask(t, snapshot, "GET", "127.0.0.1:8053", path)
	if response.StatusCode != http.StatusOK {
		t.Fatalf("GET %s: %s", path, response.Status)
	}
	return body(t, response)
}
