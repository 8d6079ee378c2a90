package main

import (
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/miekg/dns"

	"github.com/mxglue/mxglue/cache"
)

func TestBusiestAreTheDomainsThatMailGoesTo(t *testing.T) {
	hottest := []cache.Asked{
		{Name: "zen.dnsbl.example.", Type: dns.TypeA, Hits: 900},
		{Name: "a.example.", Type: dns.TypeMX, Hits: 80},
		{Name: "own.example.", Type: dns.TypeMX, Hits: 70}, // monitored anyway
		{Name: `odd\.name.example.`, Type: dns.TypeMX, Hits: 60},
		{Name: "B.Example.", Type: dns.TypeMX, Hits: 50},
		{Name: "c.example.", Type: dns.TypeMX, Hits: 40},
		{Name: "d.example.", Type: dns.TypeMX, Hits: 1},
	}
	for n, want := range map[int][]string{2: {"a.example", "b.example"}, 10: {"a.example", "b.example", "c.example"}} {
		if got := busiest(hottest, Monitor{Busiest: n, Domains: []string{"own.example"}}); !slices.Equal(got, want) {
			t.Errorf("the busiest %d are %v, want %v", n, got, want)
		}
	}
}

func TestNamesThatAreEverybodysOwn(t *testing.T) {
	for name, want := range map[string]bool{
		"localhost": true, "localhost.localdomain": true, "LocalHost": true, "mx.localdomain": true, "a.localhost": true,
		"": false, "mail.example.com": false, "localhosts.example": false, "[192.0.2.1]": false,
	} {
		if got := isLocalName(name); got != want {
			t.Errorf("%q is a local name: %v, want %v", name, got, want)
		}
	}
}

// A file that cannot be used costs the monitor, and not the nameserver; the status page says why.
func TestMonitorWithoutAFileIsOff(t *testing.T) {
	dir := t.TempDir()
	damaged := filepath.Join(dir, "damaged.db")
	if err := os.WriteFile(damaged, []byte(strings.Repeat("no history ", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	for store, want := range map[string]string{
		damaged:                              "monitor.store: history " + damaged + ": is damaged",
		filepath.Join(dir, "a", "b", "x.db"): "no such file or directory",
		filepath.Join(damaged, "x.db"):       "not a directory",
	} {
		var log strings.Builder
		w := openWatch(Config{Monitor: Monitor{Domains: []string{"example.com"}, Interval: minInterval, Deep: 6, Store: store}}, nil, nil, nil, slog.New(slog.NewTextHandler(&log, nil)))
		shown := w.shown()
		if shown == nil || !strings.Contains(shown.Off, want) || !strings.Contains(shown.Off, "monitor.store") || w.monitor != nil || w.blocked() {
			t.Errorf("%s: shown as %+v, want off, with %q", store, shown, want)
		}
		if !strings.Contains(log.String(), "level=ERROR") {
			t.Errorf("%s: not logged: %s", store, &log)
		}
		w.run(t.Context(), nil) // ends at once
	}
}

// It is not found out by the first mail server that refuses us.
func TestMonitorWarnsOfAHELONameThatIsNobodys(t *testing.T) {
	for helo, want := range map[string]bool{"localhost.localdomain": true, "mail.example.com": false} {
		var config Config
		var log strings.Builder
		config.Monitor = Monitor{Domains: []string{"example.com"}, Interval: minInterval, Deep: 6, Store: filepath.Join(t.TempDir(), "new", "monitor.db")}
		config.SMTPProbe.HELO = helo
		w := openWatch(config, nil, nil, nil, slog.New(slog.NewTextHandler(&log, nil)))
		if w.monitor == nil {
			t.Fatalf("the monitor is off: %s", w.off)
		}
		w.store.Close()
		if got := strings.Contains(log.String(), "set smtpprobe.helo"); got != want {
			t.Errorf("%s: warned of: %v, want %v: %s", helo, got, want, &log)
		}
	}
}

func TestNothingToMonitor(t *testing.T) {
	w := openWatch(Config{}, nil, nil, nil, slog.New(slog.DiscardHandler))
	if w.shown() != nil || w.blocked() || w.monitor != nil {
		t.Errorf("without domains there is %+v", w)
	}
	w.run(t.Context(), nil)
}
