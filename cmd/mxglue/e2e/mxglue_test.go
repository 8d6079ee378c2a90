//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Where serve puts mxglue, and where its upstream is.
const (
	dnsAddress      = "127.0.0.1:53"
	statusAddress   = "127.0.0.1:8053"
	upstreamAddress = "127.0.0.1:5354"
)

// mxglue is the built binary as a command with an empty working directory and none of our MXGLUE_ variables; env adds some.
func mxglue(t *testing.T, env []string, args ...string) *exec.Cmd {
	t.Helper()
	dir := os.Getenv(dirEnv)
	binary := filepath.Join(dir, "mxglue")
	if _, err := os.Stat(binary); err != nil {
		said, _ := os.ReadFile(filepath.Join(dir, "build.txt"))
		t.Fatalf("mxglue does not build:\n%s", said)
	}
	cmd := exec.Command(binary, args...)
	cmd.Dir = scratch(t, "mxglue")
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + cmd.Dir}, env...)
	return cmd
}

// serve starts "mxglue serve" on 127.0.0.1:53 in front of 127.0.0.1:5354.
func serve(t *testing.T, env ...string) *daemon {
	t.Helper()
	return serveBefore(t, []string{"udp://" + upstreamAddress}, env...)
}

// serveBefore starts "mxglue serve" on 127.0.0.1:53 in front of the given upstreams and waits until it is up; the test's
// end stops it as an operator would, and it has to end well.
func serveBefore(t *testing.T, upstreams []string, env ...string) *daemon {
	t.Helper()
	args := []string{"serve", "--listen", dnsAddress, "--status", statusAddress}
	for _, u := range upstreams {
		args = append(args, "--upstream", u)
	}
	d := start(t, mxglue(t, env, args...))
	awaitStatus(t, d)
	t.Cleanup(func() {
		select {
		case <-d.done: // the test has ended it
		default:
			stop(t, d)
		}
	})
	return d
}

// stop ends the daemon with SIGTERM: it has to end by itself, with exit code 0. A data race found by -race makes it 66.
func stop(t *testing.T, d *daemon) {
	t.Helper()
	d.signal(t, syscall.SIGTERM)
	if code := d.exitCode(t, 10*time.Second); code != 0 {
		t.Errorf("SIGTERM: exit code %d, want 0:\n%s", code, d.output)
	}
}

// awaitStatus waits until the status endpoint answers, which is the last thing to come up.
func awaitStatus(t *testing.T, d *daemon) {
	t.Helper()
	eventually(t, 10*time.Second, func() error {
		d.running(t)
		_, err := fetch("/stats")
		return err
	})
}

// fetch gets a page of the status endpoint; another status than 200 is an error.
func fetch(path string) ([]byte, error) {
	client := http.Client{Timeout: 5 * time.Second}
	r, err := client.Get("http://" + statusAddress + path)
	if err != nil {
		return nil, err
	}
	defer r.Body.Close()
	body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	if err != nil {
		return nil, err
	}
	if r.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("GET %s: %s: %s", path, r.Status, body)
	}
	return body, nil
}

// stats are the figures of /stats that the tests look at.
type stats struct {
	Server struct {
		UDPQueries     uint64 `json:"udp_queries"`
		TCPQueries     uint64 `json:"tcp_queries"`
		Dropped        uint64
		TCPConnections int `json:"tcp_connections"`
	}
	Cache struct {
		GlueHits   uint64 `json:"glue_hits"`
		BundleHits uint64 `json:"bundle_hits"`
		StaleHits  uint64 `json:"stale_hits"`
	}
	Resolver struct {
		InFlight int `json:"in_flight"`
	}
	Upstream struct {
		Queries uint64
	}
	Upstreams []struct {
		Queries, Failures, Connections uint64
		Down                           bool
	}
	Saved struct {
		Queries uint64
		WaitMS  float64 `json:"wait_ms"`
	}
}

// readStats fetches /stats.
func readStats(t *testing.T) (s stats) {
	t.Helper()
	body, err := fetch("/stats")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(body, &s); err != nil {
		t.Fatalf("/stats: %v:\n%s", err, body)
	}
	return s
}

// A report is what "mxglue check --json" prints of one domain.
type report struct {
	Domain, Verdict string
	MX              []struct {
		Exchanger  string
		Preference *uint16
		Attempts   []struct {
			Address, Verdict, Greeting, Source string
			Port                               uint16
			Code                               int
			MS                                 *struct{ Connect, Greeting *float64 }
		}
	}
	TakesMail *string `json:"takes_mail"`
}

// check runs "mxglue check" past the daemon, straight to Unbound.
func check(t *testing.T, args ...string) result {
	t.Helper()
	args = append([]string{"check", "--allow-private", "--include-self", "--upstream", "udp://" + unboundAddress}, args...)
	return run(t, mxglue(t, nil, args...))
}

// mentions fails the test unless text contains every one of the words.
func mentions(t *testing.T, what, text string, words ...string) {
	t.Helper()
	for _, w := range words {
		if !strings.Contains(text, w) {
			t.Errorf("%s does not mention %q:\n%s", what, w, text)
		}
	}
}

// bare takes the final dot off a name: both spellings are right in what is printed.
func bare(name string) string { return strings.TrimSuffix(name, ".") }
