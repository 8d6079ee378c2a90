//go:build linux

package main

import (
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// What the collector did is told from before and after, in figures of the status endpoint; one that is not there is an error.
func TestGarbage(t *testing.T) {
	var u upstream
	client, err := dialUDP(serve(t, func(q []byte) []byte { return u.answer(nil, q) }), false)
	if err != nil {
		t.Fatal(err)
	}
	defer client.close()
	pages := []string{
		"# TYPE go_gc_duration_seconds summary\ngo_gc_duration_seconds{quantile=\"1\"} 0.0002\ngo_gc_duration_seconds_count 2\n" +
			"go_cpu_classes_gc_total_cpu_seconds_total 1\ngo_cpu_classes_total_cpu_seconds_total 20\ngo_cpu_classes_idle_cpu_seconds_total 9\n",
		"go_gc_duration_seconds{quantile=\"1\"} 0.0003\ngo_gc_duration_seconds_count 5\n" +
			"go_cpu_classes_gc_total_cpu_seconds_total 1.06\ngo_cpu_classes_total_cpu_seconds_total 30\ngo_cpu_classes_idle_cpu_seconds_total 13\n",
		"go_gc_duration_seconds_count 5\n",
	}
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Write([]byte(pages[0]))
		pages = pages[1:]
	}))
	defer web.Close()
	r := &runner{cell: &cell{}, client: client, next: shuffled(hosts(10, false))}
	r.setting.StatusPort = web.Listener.Addr().(*net.TCPAddr).Port
	text, err := r.garbage()
	for _, part := range []string{" 3 collections", " of 20 ms CPU", " 1.0 % of", " 0.30 ms"} {
		if err != nil || !strings.Contains(text, part) {
			t.Errorf("%q, %v; want %q", text, err, part)
		}
	}
	if _, err := r.garbage(); err == nil || !strings.Contains(err.Error(), "has no go_") {
		t.Errorf("without the figures: %v", err)
	}
}
