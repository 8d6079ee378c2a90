package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"

	"github.com/mxglue/mxglue/smtpprobe"
)

// --deadline ends a check whose mail server is slow, in time and with what is known until then.
func TestCheckDeadline(t *testing.T) {
	b := newBench(t, "slow.example. 300 IN MX 10 mx1.slow.example.\nslow.example. 300 IN MX 20 mx2.slow.example.\n"+
		"mx1.slow.example. 300 IN A 127.0.0.62\nmx2.slow.example. 300 IN A 127.0.0.63", map[string]string{"127.0.0.62": "", "127.0.0.63": "delay=20s"})
	began := time.Now()
	out, notes, code := b.run(t.Context(), "", "check", "--json", "-t", "1500ms", "slow.example")
	var r smtpprobe.Report
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		t.Fatalf("%v: %s%s", err, out, notes)
	}
	if took := time.Since(began); code != exitUnknown || r.Status != smtpprobe.StatusUnknown || len(r.MX) != 2 || !r.MX[0].Says220() || took > 5*time.Second {
		t.Errorf("code %d after %v: %s", code, took, out)
	}
	if !strings.Contains(r.Reason, "cut short") {
		t.Errorf("it does not say why: %s", r.Reason)
	}
	list := filepath.Join(t.TempDir(), "list")
	if err := os.WriteFile(list, []byte("slow.example\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, notes, code := b.run(t.Context(), "", "check", "-t", "1s", "--format", "csv", "--file", list); code != exitUnknown {
		t.Errorf("--file: code %d: %s%s", code, out, notes)
	}
}

// Nagios kills a plugin after a minute; nobody else is in such a hurry.
func TestCheckDeadlineAsItComes(t *testing.T) {
	for args, want := range map[string]time.Duration{
		"": 0, "--format nagios": time.Minute, "--format nagios --deadline 2m": 2 * time.Minute, "-t 5s": 5 * time.Second,
	} {
		var f checkOptions
		flags := pflag.NewFlagSet("check", pflag.ContinueOnError)
		f.register(flags)
		if err := flags.Parse(strings.Fields(args)); err != nil {
			t.Fatal(err)
		}
		if err := f.check(flags, []string{"a.example"}); err != nil || f.deadline != want {
			t.Errorf("%q: %v, %v; want %v", args, f.deadline, err, want)
		}
	}
	b := newBench(t, "", nil)
	if _, notes, code := b.run(t.Context(), "", "check", "-t", "0s", "a.example"); code != exitUnknown || !strings.Contains(notes, "--deadline 0s: want 1s or more") {
		t.Errorf("code %d: %s", code, notes)
	}
}
