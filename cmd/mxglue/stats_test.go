package main

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"github.com/mxglue/mxglue/cmd/mxglue/status"
	"github.com/mxglue/mxglue/resolver"
)

// runStats runs "mxglue stats" and returns what it printed.
func runStats(t *testing.T, args ...string) (string, error) {
	t.Helper()
	return runCommand(t, statsCommand(), args...)
}

// runCommand runs a command in an empty working directory and returns what it printed.
func runCommand(t *testing.T, cmd *cobra.Command, args ...string) (string, error) {
	t.Helper()
	t.Chdir(t.TempDir())
	var out strings.Builder
	cmd.SetArgs(args)
	cmd.SetOut(&out)
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	err := cmd.ExecuteContext(t.Context())
	return out.String(), err
}

func daemon(t *testing.T, handler http.Handler) (address string) {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server.Listener.Addr().String()
}

// Who listens and says nothing is told of in words for who runs the daemon.
func TestSilentDaemon(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	_, err = daemonClient{listen: netip.MustParseAddrPort(listener.Addr().String())}.ask(ctx, http.MethodGet, "/stats", nil)
	if err == nil || !strings.HasPrefix(err.Error(), "no answer from "+listener.Addr().String()+" in time: does the daemon hang") || strings.Contains(err.Error(), "context") {
		t.Errorf("%v, want what it may be", err)
	}
}

func TestStatsPrintsTheFiguresOfTheDaemon(t *testing.T) {
	address := daemon(t, status.Daemon{Snapshot: func() status.Snapshot {
		return status.Snapshot{Version: "9.9", Saved: resolver.Saved{Queries: 4321}}
	}}.Handler())
	text, err := runStats(t, "--status", address)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(text, "mxglue 9.9, up") || !strings.Contains(text, "4,321") {
		t.Errorf("printed\n%s", text)
	}
	text, err = runStats(t, "--json", "--status", address)
	if err != nil {
		t.Fatal(err)
	}
	var snapshot status.Snapshot
	if err := json.Unmarshal([]byte(text), &snapshot); err != nil || snapshot.Saved.Queries != 4321 {
		t.Errorf("--json printed %s (%v)", text, err)
	}
}

// A daemon that listens on every address is asked on loopback.
func TestStatsReachesAWildcardListener(t *testing.T) {
	for listen, want := range map[string]string{"0.0.0.0:8053": "127.0.0.1:8053", "[::]:8053": "[::1]:8053", "192.0.2.1:8053": "192.0.2.1:8053"} {
		if got := reachable(netip.MustParseAddrPort(listen)).String(); got != want {
			t.Errorf("%s is asked at %s, want %s", listen, got, want)
		}
	}
}

func TestStatsSaysWhatToDoWhenThereIsNoDaemon(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := listener.Addr().String()
	listener.Close()
	notOurs := daemon(t, http.NotFoundHandler())
	notJSON := daemon(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("<html>")) }))
	for address, want := range map[string]string{
		closed:  `nothing listens on ` + closed + `: start "mxglue serve"`,
		notOurs: `says 404 Not Found: is it mxglue?`,
		notJSON: `what answers on ` + notJSON + ` is not mxglue`,
		"":      `the status side is off: set status.listen`,
	} {
		text, err := runStats(t, "--status", address)
		if err == nil {
			t.Errorf("--status %q: printed %q, want an error", address, text)
		} else if !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "--status") {
			t.Errorf("--status %q: error %q, want it to say %q and name --status", address, err, want)
		}
	}
}

func TestStatsRefusesABadConfiguration(t *testing.T) {
	var bad ConfigError
	if _, err := runStats(t, "--status", "somewhere"); !errors.As(err, &bad) {
		t.Errorf("error %v, want a ConfigError", err)
	}
}
