//go:build e2e

package e2e

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// systemd understands the installed units, and finds nothing to warn of.
func TestUnitVerify(t *testing.T) {
	need(t, "systemd-analyze")
	d := newDebian(t)
	d.install(t)
	r := run(t, d.command("systemd-analyze", "verify", "/usr/lib/systemd/system/mxglue.service", "/usr/lib/systemd/system/mxglue.socket"))
	if r.code != 0 || strings.Contains(r.stderr, "mxglue") {
		t.Errorf("systemd-analyze verify: exit code %d:\n%s", r.code, r.stderr)
	}
}

// The service can do little harm: systemd rates its exposure 2.0 of 10 at most.
func TestUnitSecurity(t *testing.T) {
	need(t, "systemd-analyze")
	d := newDebian(t)
	d.install(t)
	r := run(t, d.command("systemd-analyze", "security", "--offline=true", "--threshold=20", "--no-pager", "/usr/lib/systemd/system/mxglue.service"))
	if r.code != 0 || !strings.Contains(r.stdout, "Overall exposure level") {
		t.Errorf("systemd-analyze security: exit code %d:\n%s%s", r.code, r.stdout, r.stderr)
	}
	t.Log(r.stdout[strings.LastIndex(strings.TrimSpace(r.stdout), "\n")+1:])
}

// The daemon makes no system call and opens no kind of socket that the unit keeps from it.
func TestUnitSystemCalls(t *testing.T) {
	need(t, "systemd-analyze")
	need(t, "strace")
	startUnbound(t)
	startUpstream(t, upstreamAddress, 0, relay)
	trace := filepath.Join(scratch(t, "strace"), "trace")
	bus := listenNotify(t)
	cmd := mxglue(t, []string{"NOTIFY_SOCKET=" + bus.path, "WATCHDOG_USEC=200000", "MXGLUE_CACHE_HOTLIST=" + filepath.Join(filepath.Dir(trace), "hot"),
		"MXGLUE_MONITOR_DOMAINS=three.example", "MXGLUE_MONITOR_STORE=" + filepath.Join(filepath.Dir(trace), "monitor.db"),
		"MXGLUE_QUERYLOG_OUTPUT=" + filepath.Join(filepath.Dir(trace), "queries")},
		"serve", "--listen", "127.0.0.1:53", "--listen", "0.0.0.0:5300", "--status", statusAddress, "--upstream", "udp://"+upstreamAddress, "--upstream", "tcp://"+upstreamAddress)
	cmd.Args = append([]string{"strace", "--follow-forks", "--quiet=all", "--signal=none", "--output=" + trace, cmd.Path}, cmd.Args[1:]...)
	cmd.Path = need(t, "strace")
	d := start(t, cmd)
	awaitStatus(t, d)
	bus.hears(t, "READY=1")
	bus.hears(t, "WATCHDOG=1")
	for _, network := range []string{"udp", "tcp"} {
		if _, err := exchange(network, dnsAddress, "three.example.", dns.TypeMX); err != nil {
			t.Fatal(err)
		}
	}
	if r := run(t, mxglue(t, nil, "reload", "--status", statusAddress)); r.code != 0 {
		t.Errorf("mxglue reload: exit code %d:\n%s", r.code, r.stderr)
	}
	for _, page := range []string{"/", "/stats", "/metrics", "/monitor", "/explain?name=three.example"} {
		if _, err := fetch(page); err != nil {
			t.Fatal(err)
		}
	}
	stopChild(t, d)
	filter := unitFilter(t)
	seen := map[string]bool{}
	families := map[string]bool{}
	content, err := os.ReadFile(trace)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`(?m)^\d+ +(\w+)\((\w*)`).FindAllStringSubmatch(string(content), -1) {
		seen[m[1]] = true
		if m[1] == "socket" {
			families[m[2]] = true
		}
	}
	for _, call := range []string{"recvmmsg", "sendmmsg", "epoll_ctl", "execve", "fdatasync", "flock"} {
		if !seen[call] {
			t.Fatalf("strace saw no %s, it cannot have seen everything:\n%v", call, slices.Sorted(maps.Keys(seen)))
		}
	}
	for call := range seen {
		if !filter[call] {
			t.Errorf("the daemon calls %s, the unit's SystemCallFilter= refuses it", call)
		}
	}
	allowed := strings.Fields(strings.Join(unitSettings(t, "RestrictAddressFamilies"), " "))
	for family := range families {
		if !slices.Contains(allowed, family) {
			t.Errorf("the daemon opens a socket of %s, the unit's RestrictAddressFamilies= refuses it", family)
		}
	}
	t.Logf("%d kinds of system calls, sockets of %v", len(seen), slices.Sorted(maps.Keys(families)))
}

// A reload looks at the configuration with the service's own binary and file first; only then is the daemon told.
func TestUnitReload(t *testing.T) {
	commands := unitSettings(t, "ExecReload")
	if len(commands) != 2 || commands[1] != "/bin/kill -HUP $MAINPID" {
		t.Fatalf("ExecReload= are %q, want a check and a SIGHUP", commands)
	}
	served := strings.Fields(unitSettings(t, "ExecStart")[0])
	check := strings.Fields(commands[0])
	if file := served[len(served)-1]; check[0] != served[0] || check[len(check)-1] != file {
		t.Errorf("%q checks something else than %q serves", check, served)
	}
	d := newDebian(t)
	d.install(t)
	if r := run(t, d.command(check...)); r.code != 0 {
		t.Errorf("the configuration as it comes: exit code %d:\n%s", r.code, r.stderr)
	}
	if r := run(t, d.command(append(check, "--config", "/nonexistent")...)); r.code != 1 || !strings.Contains(r.stderr, "/nonexistent") {
		t.Errorf("a bad configuration: exit code %d, want 1, and said why:\n%s", r.code, r.stderr)
	}
}

// stopChild ends the daemon that strace runs; strace goes with it.
func stopChild(t *testing.T, d *daemon) {
	t.Helper()
	children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", d.cmd.Process.Pid, d.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("kill", strings.Fields(string(children))...).CombinedOutput(); err != nil {
		t.Fatalf("kill %s: %v: %s", children, err, out)
	}
	if code := d.exitCode(t, 20*time.Second); code != 0 {
		t.Errorf("SIGTERM: exit code %d, want 0", code)
	}
}

// unitFilter are the system calls that the unit allows.
func unitFilter(t *testing.T) map[string]bool {
	t.Helper()
	allowed := map[string]bool{}
	for _, value := range append([]string{"@default"}, unitSettings(t, "SystemCallFilter")...) { // systemd always allows @default
		value, refused := strings.CutPrefix(value, "~")
		for _, name := range strings.Fields(value) {
			for _, call := range systemCalls(t, name) {
				if refused {
					delete(allowed, call)
				} else {
					allowed[call] = true
				}
			}
		}
	}
	return allowed
}

// systemCalls are those of a set such as @default, or the one that is named.
func systemCalls(t *testing.T, name string) (calls []string) {
	t.Helper()
	if !strings.HasPrefix(name, "@") {
		return []string{name}
	}
	r := run(t, exec.Command("systemd-analyze", "syscall-filter", name))
	if r.code != 0 {
		t.Fatalf("systemd-analyze syscall-filter %s: %s", name, r.stderr)
	}
	for _, line := range strings.Split(r.stdout, "\n")[1:] { // the first names the set
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			calls = append(calls, systemCalls(t, line)...)
		}
	}
	return calls
}

// unitSettings are the values of a key of the unit, in order.
func unitSettings(t *testing.T, key string) (values []string) {
	t.Helper()
	unit, err := os.ReadFile("../../../packaging/mxglue.service")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(unit)) {
		if value, ok := strings.CutPrefix(line, key+"="); ok {
			values = append(values, strings.TrimSpace(value))
		}
	}
	if values == nil {
		t.Fatalf("the unit has no %s=", key)
	}
	return values
}

// need returns the path of a program, and skips the test where there is none.
func need(t *testing.T, program string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		t.Skipf("%s is needed (.ci/run installs it)", program)
	}
	return path
}
