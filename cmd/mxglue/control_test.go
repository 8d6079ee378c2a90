package main

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/mxglue/mxglue/cache"
	"github.com/mxglue/mxglue/cmd/mxglue/status"
)

// controlled is the address of a daemon with a domain and one of its two mail hosts in its cache.
func controlled(t *testing.T) (address string) {
	t.Helper()
	answers := cache.New(cache.Options{}, time.Now())
	for _, lines := range [][]string{
		{"three.example. 300 IN MX 10 mx1.other.example.", "three.example. 300 IN MX 20 mx2.other.example."},
		{"mx1.other.example. 300 IN A 192.0.2.1"},
		{"www.other.example. 300 IN A 192.0.2.80"},
	} {
		m := new(dns.Msg)
		for _, line := range lines {
			rr, err := dns.NewRR(line)
			if err != nil {
				t.Fatal(err)
			}
			m.SetQuestion(rr.Header().Name, rr.Header().Rrtype)
			m.Answer = append(m.Answer, rr)
		}
		m.Response, m.RecursionAvailable = true, true
		if _, err := answers.Store(m, cache.Origin{Upstream: "udp://192.0.2.53:53"}, time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	d := status.Daemon{Snapshot: func() status.Snapshot { return status.Snapshot{} }}
	controls(&d, answers)
	return daemon(t, d.Handler())
}

func TestDumpShowsWhatIsKnown(t *testing.T) {
	address := controlled(t)
	text, err := runCommand(t, dumpCommand(), "--status", address, "Three.example")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(text), "\n")
	if len(lines) != 2 || !strings.HasPrefix(lines[0], "NAME ") ||
		!strings.HasSuffix(lines[1], "client  udp://192.0.2.53:53  10 mx1.other.example., 20 mx2.other.example.") {
		t.Errorf("dumped\n%s", text)
	}
	all, err := runCommand(t, dumpCommand(), "--status", address, "--json")
	var known []cache.Known
	if err != nil || json.Unmarshal([]byte(all), &known) != nil || len(known) != 3 {
		t.Errorf("dumped everything (%v)\n%s\nwant JSON with three entries", err, all)
	}
	if text, err := runCommand(t, dumpCommand(), "--status", address, "nothing.example"); err != nil || text != "nothing is known of nothing.example.\n" {
		t.Errorf("dumped %q (%v), want to hear that nothing is known", text, err)
	}
}

func TestFlushTakesTheMailHostsAlong(t *testing.T) {
	address := controlled(t)
	text, err := runCommand(t, flushCommand(), "--status", address, "nothing.example", "three.example")
	if err != nil || text != "nothing.example. 0 forgotten\nthree.example. 2 forgotten\n" {
		t.Errorf("printed %q (%v), want the domain and its mail host forgotten", text, err)
	}
	if text, _ := runCommand(t, dumpCommand(), "--status", address, "--json"); !strings.Contains(text, "www.other.example.") || strings.Contains(text, "mx1.other.example.") {
		t.Errorf("what is left is\n%s", text)
	}
	if text, err := runCommand(t, flushCommand(), "--status", address, "."); err != nil || text != ". 1 forgotten\n" {
		t.Errorf("printed %q (%v), want the rest forgotten", text, err)
	}
}

// A wrong name is found before anything is forgotten.
func TestFlushLooksAtAllNamesFirst(t *testing.T) {
	address := controlled(t)
	text, err := runCommand(t, flushCommand(), "--status", address, "three.example", "user@example.com")
	var exit exitError
	if !errors.As(err, &exit) || exit.code != exitConfig || text != "" || !strings.Contains(err.Error(), `"user@example.com" is not a domain name`) {
		t.Errorf("printed %q, error %v; want exit code 2 that names what is no name", text, err)
	}
	if _, err := runCommand(t, dumpCommand(), "--status", address, "a..b"); !errors.As(err, &exit) || exit.code != exitConfig {
		t.Errorf("dump a..b: error %v, want exit code 2", err)
	}
}

func TestBadNamesInRequestsAreBadRequests(t *testing.T) {
	address := controlled(t)
	for _, command := range []string{"POST /flush", "POST /flush?name=", "POST /flush?name=a..b", "GET /dump?name=", "GET /dump?name=a%20b"} {
		method, path, _ := strings.Cut(command, " ")
		request, err := http.NewRequest(method, "http://"+address+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != http.StatusBadRequest {
			t.Errorf("%s: %s, want 400", command, response.Status)
		}
	}
}

// The token goes where the configuration says and nowhere else, and a refusal is told in the daemon's words.
func TestTokenIsSentAndRefusalsAreTold(t *testing.T) {
	t.Setenv("MXGLUE_STATUS_TOKEN", "0123456789abcdef")
	var heard []string
	elsewhere := daemon(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		heard = append(heard, "elsewhere: "+r.Header.Get("Authorization"))
	}))
	address := daemon(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		heard = append(heard, r.Header.Get("Authorization"))
		if len(heard) == 2 {
			http.Redirect(w, r, "http://"+elsewhere+r.URL.Path, http.StatusTemporaryRedirect)
			return
		}
		http.Error(w, "not\x1b you", http.StatusForbidden)
	}))
	_, err := runCommand(t, flushCommand(), "--status", address, "a.example")
	if err == nil || !strings.Contains(err.Error(), `the daemon on `+address+` refuses: not\x1b you`) {
		t.Errorf("error %v, want the daemon's words", err)
	}
	_, err = runCommand(t, flushCommand(), "--status", address, "a.example")
	if err == nil || !strings.Contains(err.Error(), "says 307 Temporary Redirect: is it mxglue?") {
		t.Errorf("error %v, want the redirect told", err)
	}
	if strings.Join(heard, "|") != "Bearer 0123456789abcdef|Bearer 0123456789abcdef" {
		t.Errorf("heard %q, want the token twice, by the daemon only", heard)
	}
}

func TestControlSaysWhatToDoWhenThereIsNoDaemon(t *testing.T) {
	notOurs := daemon(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte(`{"a":1}`)) }))
	for _, command := range []string{"flush", "dump"} {
		for address, want := range map[string]string{
			"127.0.0.1:1": `nothing listens on 127.0.0.1:1: start "mxglue serve"`,
			notOurs:       `what answers on ` + notOurs + ` is not mxglue`,
			"":            `the status side is off: set status.listen`,
		} {
			cmd := map[string]func() (string, error){
				"flush": func() (string, error) { return runCommand(t, flushCommand(), "--status", address, "a.example") },
				"dump":  func() (string, error) { return runCommand(t, dumpCommand(), "--status", address) },
			}[command]
			if text, err := cmd(); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "--status") {
				t.Errorf("%s --status %q: printed %q, error %v; want %q and --status", command, address, text, err, want)
			}
		}
	}
}
