//go:build e2e

package e2e

import (
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/miekg/dns"
)

// The package brings what an operator looks for, where they look for it.
func TestDebInstall(t *testing.T) {
	d := newDebian(t)
	d.install(t)
	if status := d.do(t, "dpkg-query", "--show", "--showformat=${db:Status-Status} ${Conffiles}", "mxglue"); !strings.HasPrefix(status, "installed") ||
		!strings.Contains(status, "/etc/mxglue/config.yaml") {
		t.Errorf("dpkg says of mxglue: %q", status)
	}
	for path, mode := range map[string]os.FileMode{
		"/usr/bin/mxglue":                                  0o755,
		"/etc/mxglue/config.yaml":                          0o644,
		"/usr/lib/systemd/system/mxglue.service":           0o644,
		"/usr/lib/systemd/system/mxglue.socket":            0o644,
		"/usr/share/man/man1/mxglue.1.gz":                  0o644,
		"/usr/share/man/man1/mxglue-serve.1.gz":            0o644,
		"/usr/share/bash-completion/completions/mxglue":    0o644,
		"/usr/share/zsh/vendor-completions/_mxglue":        0o644,
		"/usr/share/fish/vendor_completions.d/mxglue.fish": 0o644,
		"/usr/share/doc/mxglue/README.Debian":              0o644,
		"/usr/share/doc/mxglue/copyright":                  0o644,
		"/usr/share/doc/mxglue/licences.gz":                0o644,
	} {
		file, err := os.Stat(d.root + path)
		if err != nil {
			t.Error(err)
			continue
		}
		if owner := file.Sys().(*syscall.Stat_t); file.Mode() != mode || owner.Uid != 0 || owner.Gid != 0 {
			t.Errorf("%s is %v of %d:%d, want %v of root", path, file.Mode(), owner.Uid, owner.Gid, mode)
		}
	}
	if wants := "/etc/systemd/system/multi-user.target.wants/mxglue.service"; !d.has(wants) {
		t.Error("the service is not enabled")
	}
	if d.has("/etc/systemd/system/sockets.target.wants/mxglue.socket") {
		t.Error("the socket is enabled, nobody has asked for it")
	}
	if want := "nameserver 127.0.0.2\n"; d.read(t, "/etc/resolv.conf") != want {
		t.Errorf("/etc/resolv.conf has become\n%s", d.read(t, "/etc/resolv.conf"))
	}
	version := d.do(t, "dpkg-query", "--show", "--showformat=${Version}", "mxglue")
	want := "v" + strings.Replace(version, "~", "-", 1)
	if version == "0.0.0~devel" { // Go knows no commit: a tarball, or a worktree
		want = "devel"
	}
	if says := strings.TrimSpace(d.do(t, "/usr/bin/mxglue", "--version")); !strings.HasSuffix(says, " "+want) {
		t.Errorf("the package is version %s, the binary says %q", version, says)
	}
	mentions(t, "mxglue(1)", d.do(t, "gzip", "-dc", "/usr/share/man/man1/mxglue.1.gz"), ".TH", "mail server")
	mentions(t, "the licences", d.do(t, "gzip", "-dc", "/usr/share/doc/mxglue/licences.gz"), "The Go Authors", "=== github.com/miekg/dns\n")
	completions := d.do(t, "bash", "-c", ". /usr/share/bash-completion/completions/mxglue; complete -p mxglue")
	mentions(t, "bash", completions, "complete", "mxglue")
}

// The service as it is installed answers, without root's rights, and remembers beyond its end.
func TestDebServes(t *testing.T) {
	startUnbound(t)
	u := startUpstream(t, "127.0.0.2:53", 0, relay)
	d := newDebian(t)
	d.install(t)
	service := startService(t, d)
	for _, network := range []string{"udp", "tcp"} {
		r, err := exchange(network, dnsAddress, "three.example.", dns.TypeMX)
		if err != nil {
			t.Fatal(err)
		}
		if len(r.Answer) != 3 {
			t.Errorf("%s: want the three MX of three.example:\n%v", network, r)
		}
	}
	if len(u.queries(dns.TypeMX)) != 1 {
		t.Errorf("want one MX query to the nameserver of resolv.conf:\n%s", transcript(u.queries()))
	}
	nobody := d.command("/usr/bin/mxglue", "stats")
	nobody.SysProcAttr.Credential = &syscall.Credential{Uid: 65534, Gid: 65534}
	if r := run(t, nobody); r.code != 0 {
		t.Errorf("mxglue stats of somebody who is not root: %s", r.stderr)
	}
	stop(t, service)
	if !d.has("/var/lib/mxglue/hotlist") {
		t.Error("nothing is left of what was asked: there is no /var/lib/mxglue/hotlist")
	}
}

// startService starts what the unit starts, as a user with the unit's one privilege and one directory.
func startService(t *testing.T, d debian) *daemon {
	t.Helper()
	const nobody, netBindService = 65534, 10
	state := d.root + "/var/lib/mxglue"
	if err := os.Mkdir(state, 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(state, nobody, nobody); err != nil {
		t.Fatal(err)
	}
	cmd := d.command(execStart(t, d)...)
	cmd.SysProcAttr.Credential = &syscall.Credential{Uid: nobody, Gid: nobody}
	cmd.SysProcAttr.AmbientCaps = []uintptr{netBindService}
	service := start(t, cmd)
	awaitStatus(t, service)
	return service
}

// execStart is the command line of the installed unit.
func execStart(t *testing.T, d debian) []string {
	t.Helper()
	for line := range strings.Lines(d.read(t, "/usr/lib/systemd/system/mxglue.service")) {
		if command, ok := strings.CutPrefix(line, "ExecStart="); ok {
			return strings.Fields(command)
		}
	}
	t.Fatal("the unit starts nothing")
	return nil
}

// What an operator has changed stays: the configuration, and that the service is not to be started.
func TestDebReinstall(t *testing.T) {
	d := newDebian(t)
	d.install(t)
	edited := d.read(t, "/etc/mxglue/config.yaml") + "# edited\n"
	d.write(t, "/etc/mxglue/config.yaml", edited, 0o644)
	d.do(t, "systemctl", "disable", "mxglue.service")
	d.install(t)
	if d.read(t, "/etc/mxglue/config.yaml") != edited {
		t.Error("an edit of config.yaml does not survive that the package is installed again")
	}
	if d.has("/etc/systemd/system/multi-user.target.wants/mxglue.service") {
		t.Error("the service, which was disabled, is enabled again")
	}
	d.dpkg(t, "--remove", "mxglue")
	if d.read(t, "/etc/mxglue/config.yaml") != edited {
		t.Error("an edit of config.yaml does not survive that the package is removed")
	}
	d.install(t)
	if d.read(t, "/etc/mxglue/config.yaml") != edited || d.has("/etc/systemd/system/mxglue.service") {
		t.Error("removed and installed again, it is edited no more, or masked")
	}
}

// Purged, the package leaves the machine as it found it.
func TestDebPurge(t *testing.T) {
	d := newDebian(t)
	before := d.written(t)
	d.install(t)
	d.write(t, "/etc/mxglue/config.yaml", "# edited\n", 0o644)
	d.write(t, "/var/lib/private/mxglue/hotlist", "MX example.com.\n", 0o600)
	if err := os.Symlink("private/mxglue", d.root+"/var/lib/mxglue"); err != nil {
		t.Fatal(err)
	}
	d.do(t, "systemctl", "enable", "mxglue.socket")
	d.dpkg(t, "--purge", "mxglue")
	for _, path := range d.written(t) {
		if !slices.Contains(before, path) && !isDirectory(path) {
			t.Errorf("%s is left", path)
		}
	}
	if r := run(t, d.command("dpkg-query", "--status", "mxglue")); r.code == 0 {
		t.Errorf("dpkg still knows it:\n%s", r.stdout)
	}
}

// isDirectory says whether the machine has a directory there: then it was not made, but touched.
func isDirectory(path string) bool {
	file, err := os.Stat(path)
	return err == nil && file.IsDir()
}

// Installation, upgrade and removal start, restart and stop the service where systemd runs, unless policy-rc.d forbids.
func TestDebPolicy(t *testing.T) {
	for _, c := range []struct {
		name   string
		policy int
		want   [3]string // what systemctl is told on installation, when installed again, on removal
	}{
		{"allowed", 0, [3]string{"start mxglue.service", "restart mxglue.service", "stop mxglue.socket mxglue.service"}},
		{"forbidden", 101, [3]string{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := newDebian(t)
			d.policy(t, c.policy)
			if err := os.MkdirAll(d.root+"/run/systemd/system", 0o755); err != nil {
				t.Fatal(err)
			}
			const log = "/tmp/systemctl.log"
			d.write(t, "/usr/bin/systemctl", "#!/bin/sh\necho \"$*\" >>"+log+"\necho enabled\n", 0o755)
			for i, step := range []func(){
				func() { d.install(t) },
				func() { d.install(t) },
				func() { d.dpkg(t, "--remove", "mxglue") },
			} {
				d.write(t, log, "", 0o644)
				step()
				var told []string
				for line := range strings.Lines(d.read(t, log)) {
					for _, action := range []string{"start", "restart", "stop"} {
						if _, units, ok := strings.Cut(" "+line, " "+action+" "); ok {
							told = append(told, action+" "+strings.TrimSpace(strings.TrimPrefix(units, "-- ")))
						}
					}
				}
				if got := strings.Join(told, "; "); got != c.want[i] {
					t.Errorf("step %d: systemctl is told %q, want %q:\n%s", i+1, got, c.want[i], d.read(t, log))
				}
			}
		})
	}
}
