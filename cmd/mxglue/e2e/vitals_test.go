//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"regexp"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"
	"time"
)

// vitals are what a process must not have more and more of.
type vitals struct{ goroutines, memory int } // memory in octets

// readVitals fetches /metrics.
func readVitals(t *testing.T) vitals {
	t.Helper()
	text, err := fetch("/metrics")
	if err != nil {
		t.Fatal(err)
	}
	read := func(name string) int {
		m := regexp.MustCompile(`(?m)^` + name + ` (\S+)$`).FindSubmatch(text)
		if m == nil {
			t.Fatalf("/metrics has no %s:\n%s", name, text)
		}
		value, err := strconv.ParseFloat(string(m[1]), 64)
		if err != nil {
			t.Fatal(err)
		}
		return int(value)
	}
	return vitals{read("go_goroutines"), read("process_resident_memory_bytes")}
}

// awaitCalm waits until nothing is on its way, both upstreams are well, and there are as many goroutines as before: an
// idle connection to an upstream ends within 15 s.
func awaitCalm(t *testing.T, before vitals) (after vitals) {
	t.Helper()
	eventually(t, 30*time.Second, func() error {
		after = readVitals(t)
		s := readStats(t)
		if s.Resolver.InFlight > 0 || s.Server.TCPConnections > 0 || s.Upstreams[0].Down || s.Upstreams[1].Down || after.goroutines > before.goroutines+3 {
			return fmt.Errorf("not calm yet: %d goroutines, %d before; %+v", after.goroutines, before.goroutines, s)
		}
		return nil
	})
	return after
}

// memoryRoom is how much more memory 5000 replies and the heap's usual slack may take up, octets.
func memoryRoom() int {
	const room = 64 << 20
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "-race" && s.Value == "true" {
				return 10 * room // the race detector multiplies it
			}
		}
	}
	return room
}

// kernelDrops is how many datagrams the kernel threw away because mxglue's socket was full (the last column of /proc/net/udp).
func kernelDrops(t *testing.T) (drops int) {
	t.Helper()
	text, err := os.ReadFile("/proc/net/udp")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); len(f) > 12 && strings.HasSuffix(f[1], ":0035") {
			n, err := strconv.Atoi(f[len(f)-1])
			if err != nil {
				t.Fatal(err)
			}
			drops += n
		}
	}
	return drops
}
