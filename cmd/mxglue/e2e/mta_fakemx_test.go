//go:build e2e

package e2e

import (
	"encoding/json"
	"errors"
	"strings"
	"syscall"
	"testing"
	"time"
)

// fakeIP is where "mxglue fakemx" is the only exchanger of implicit.example.
const fakeIP = "10.77.0.13"

// fakeCounts is what "mxglue fakemx --json" prints at its end.
type fakeCounts struct {
	Connections  int
	Peak         int `json:"peak_per_client"`
	EarlyTalkers int `json:"early_talkers"`
	Quits        int
	MissingQuits int `json:"missing_quits"`
}

// What mxglue check says of every misbehaviour that it need not wait long for, and that it stays polite meanwhile: one
// connection, nothing said before the greeting's end, QUIT wherever there was a greeting.
func TestMTAFake(t *testing.T) {
	startUnbound(t)
	for _, test := range []struct {
		script  string
		verdict string // of the attempt
		plain   string // what a plain sender does
		quits   int
		finding string
	}{
		{"", "ok", "encrypted", 1, ""},
		{"teaser=2s", "ok", "encrypted", 1, ""},
		{"dribble=20ms", "ok", "encrypted", 1, ""},
		{"421", "greeting_4xx", "defer", 1, ""},
		{"554", "greeting_5xx", "defer", 1, ""},
		{"521", "greeting_5xx", "bounce", 1, ""},
		{"bare-220", "ok", "encrypted", 1, ""},
		{"lf-only", "ok", "encrypted", 1, ""},
		{"codes-differ", "bad_greeting", "defer", 1, ""},
		{"ssh", "not_smtp", "defer", 0, ""},
		{"endless", "bad_greeting", "defer", 0, ""},
		{"close", "closed_before_greeting", "defer", 0, ""},
		{"reset", "reset", "defer", 0, ""},
		{"pix", "ok", "clear", 1, ""},
		{"no-ehlo", "ok", "clear", 1, ""},
		{"no-starttls", "ok", "clear", 1, ""},
		{"starttls-454", "ok", "clear", 1, ""},
		{"starttls-inject", "ok", "", 1, "starttls_injection"},
		{"bad-tls", "ok", "clear", 0, ""},
		{"mute-quit", "ok", "encrypted", 1, ""},
	} {
		t.Run(test.script, func(t *testing.T) {
			d := startFakeMX(t, test.script)
			out := check(t, "--json", "implicit.example")
			counts := stopFakeMX(t, d)
			var r mtaReport
			if err := json.Unmarshal([]byte(out.stdout), &r); err != nil || len(r.MX) != 1 || len(r.MX[0].Attempts) != 1 {
				t.Fatalf("%v:\n%s%s", err, out.stdout, out.stderr)
			}
			if v := r.MX[0].Attempts[0].Verdict; v != test.verdict {
				t.Errorf("verdict %s, want %s:\n%s", v, test.verdict, out.stdout)
			}
			if test.plain != "" && r.Senders.Plain != test.plain {
				t.Errorf("a plain sender would: %s, want %s:\n%s", r.Senders.Plain, test.plain, out.stdout)
			}
			mentions(t, "the report", out.stdout, test.finding)
			if want := (fakeCounts{Connections: 1, Peak: 1, Quits: test.quits}); counts != want {
				t.Errorf("fakemx counted %+v, want %+v:\n%s", counts, want, d.output)
			}
		})
	}
}

// Three domains whose exchangers are one server: it is met once.
func TestMTAFakeMetOnce(t *testing.T) {
	startUnbound(t)
	d := startFakeMX(t, "")
	out := check(t, "--json", "implicit.example", "hosted.example", "three.example")
	if counts, want := stopFakeMX(t, d), (fakeCounts{Connections: 1, Peak: 1, Quits: 1}); counts != want {
		t.Errorf("fakemx counted %+v, want %+v:\n%s", counts, want, d.output)
	}
	mentions(t, "the reports", out.stdout, `"shared":"implicit.example"`)
	if said220 := strings.Count(out.stdout, `"code":220`); said220 != 3 {
		t.Errorf("%d exchangers say 220, want 3:\n%s", said220, out.stdout)
	}
}

// startFakeMX runs "mxglue fakemx" until stopFakeMX.
func startFakeMX(t *testing.T, script string) *daemon {
	t.Helper()
	args := []string{"fakemx", "--json", "--listen", fakeIP + ":25", "--name", "implicit.example"}
	if script != "" {
		args = append(args, "--script", script)
	}
	d := start(t, mxglue(t, nil, args...))
	eventually(t, 10*time.Second, func() error { // what it prints tells: a connection to find out would be counted
		d.running(t)
		if !strings.Contains(d.output.String(), "fakemx listens") {
			return errors.New("it does not listen")
		}
		return nil
	})
	return d
}

// stopFakeMX ends it as Ctrl-C does and returns what it counted.
func stopFakeMX(t *testing.T, d *daemon) (counts fakeCounts) {
	t.Helper()
	d.signal(t, syscall.SIGINT)
	if code := d.exitCode(t, 10*time.Second); code != 0 {
		t.Errorf("Ctrl-C: exit code %d, want 0", code)
	}
	lines := strings.Split(strings.TrimSpace(d.output.String()), "\n")
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &counts); err != nil {
		t.Fatalf("%v: %s", err, d.output)
	}
	return counts
}
