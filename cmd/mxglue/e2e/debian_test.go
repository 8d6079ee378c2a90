//go:build e2e

package e2e

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// A debian is a root directory to install a package in: this machine's own, read only, and above it a layer in memory that
// takes what is written.
type debian struct{ root, upper string }

// newDebian makes one that ends with the test. In it /etc/resolv.conf names 127.0.0.2, and nothing may be started.
func newDebian(t *testing.T) debian {
	t.Helper()
	dir := scratch(t, "debian")
	d := debian{root: filepath.Join(dir, "root"), upper: filepath.Join(dir, "upper")}
	bind := func(source, target, kind string, flags uintptr, data string) {
		if err := syscall.Mount(source, target, kind, flags, data); err != nil {
			t.Fatalf("mount %s on %s: %v", source, target, err)
		}
		t.Cleanup(func() { _ = syscall.Unmount(target, syscall.MNT_DETACH) }) // the end of the namespace does it in any case
	}
	bind("tmpfs", dir, "tmpfs", 0, "mode=755")
	for _, sub := range []string{d.root, d.upper, filepath.Join(dir, "work")} {
		if err := os.Mkdir(sub, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	bind("overlay", d.root, "overlay", 0, "lowerdir=/,upperdir="+d.upper+",workdir="+dir+"/work")
	bind("/dev", filepath.Join(d.root, "dev"), "", syscall.MS_BIND|syscall.MS_REC, "")
	bind("/proc", filepath.Join(d.root, "proc"), "", syscall.MS_BIND|syscall.MS_REC, "")
	bind("tmpfs", filepath.Join(d.root, "run"), "tmpfs", 0, "mode=755")
	if err := os.Remove(d.root + "/etc/resolv.conf"); err != nil { // it may be a link
		t.Fatal(err)
	}
	d.write(t, "/etc/resolv.conf", "nameserver 127.0.0.2\n", 0o644)
	d.policy(t, 101)
	return d
}

// policy has what policy-rc.d(8) says to the start of a service: 0 yes, 101 no.
func (d debian) policy(t *testing.T, code int) {
	t.Helper()
	d.write(t, "/usr/sbin/policy-rc.d", "#!/bin/sh\nexit "+map[int]string{0: "0", 101: "101"}[code]+"\n", 0o755)
}

// write writes a file.
func (d debian) write(t *testing.T, path, content string, mode fs.FileMode) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(d.root+path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(d.root+path, []byte(content), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(d.root+path, mode); err != nil { // whatever the umask
		t.Fatal(err)
	}
}

// read returns what a file holds.
func (d debian) read(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(d.root + path)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// has says whether there is a file, if only a link to nowhere.
func (d debian) has(path string) bool {
	_, err := os.Lstat(d.root + path)
	return err == nil
}

// command is a program of it.
func (d debian) command(args ...string) *exec.Cmd {
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Dir = "/"
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C", "DEBIAN_FRONTEND=noninteractive"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: d.root}
	return cmd
}

// do runs a program of it, which has to end well, and returns what it printed.
func (d debian) do(t *testing.T, args ...string) string {
	t.Helper()
	r := run(t, d.command(args...))
	if r.code != 0 {
		t.Fatalf("%v: exit code %d:\n%s%s", args, r.code, r.stdout, r.stderr)
	}
	return r.stdout
}

// dpkg runs dpkg without what other packages do about it: the index of all man pages takes seconds.
func (d debian) dpkg(t *testing.T, args ...string) {
	t.Helper()
	d.do(t, append([]string{"dpkg", "--no-triggers", "--force-unsafe-io"}, args...)...)
}

// install installs the built package, or installs it again.
func (d debian) install(t *testing.T) {
	t.Helper()
	content, err := os.ReadFile(builtPackage(t))
	if err != nil {
		t.Fatal(err)
	}
	d.write(t, "/tmp/mxglue.deb", string(content), 0o644)
	d.dpkg(t, "--install", "/tmp/mxglue.deb")
	if err := os.Remove(d.root + "/tmp/mxglue.deb"); err != nil {
		t.Fatal(err)
	}
}

// written are the files that have been written since the debian was made, but for dpkg's own book-keeping.
func (d debian) written(t *testing.T) (paths []string) {
	t.Helper()
	err := filepath.WalkDir(d.upper, func(path string, _ fs.DirEntry, err error) error {
		path = strings.TrimPrefix(path, d.upper)
		if err == nil && !strings.HasPrefix(path, "/var/lib/dpkg") && !strings.HasPrefix(path, "/var/log") {
			paths = append(paths, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return paths
}

// builtPackage is the file that "make deb" has made.
func builtPackage(t *testing.T) string {
	t.Helper()
	packages, err := filepath.Glob("../../../dist/mxglue_*.deb")
	if err != nil || len(packages) != 1 {
		t.Fatalf("one package is needed in dist, there are %d (make deb): %v", len(packages), err)
	}
	return packages[0]
}
