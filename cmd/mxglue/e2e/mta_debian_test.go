//go:build e2e

package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
)

// debs is where .ci/run puts Debian's packages of the mail servers that cannot be installed beside Postfix, in a directory for
// each.
const debs = "/var/cache/mxglue-e2e"

// mtaUsers are the users that those packages would make; each has a group of its name and number.
var mtaUsers = map[string]string{"Debian-exim": "62001", "opensmtpd": "62002", "opensmtpq": "62003"}

// A house is a root directory in which those packages are installed: this machine's own, read only, and above it a layer in
// memory that takes what the packages bring and what the programs write.
type house struct{ root string }

// newHouse makes a house with a mail server, exim or opensmtpd, which ends with the test.
func newHouse(t *testing.T, server string) house {
	t.Helper()
	packages, err := filepath.Glob(filepath.Join(debs, server, "*.deb"))
	if err != nil || len(packages) == 0 {
		t.Fatalf("no packages in %s/%s (.ci/run downloads them): %v", debs, server, err)
	}
	dir := scratch(t, "house")
	h := house{root: filepath.Join(dir, "root")}
	mount(t, "tmpfs", dir, "tmpfs", 0, "mode=755")
	for _, d := range []string{"root", "upper", "work"} {
		if err := os.Mkdir(filepath.Join(dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	mount(t, "overlay", h.root, "overlay", 0, "lowerdir=/,upperdir="+dir+"/upper,workdir="+dir+"/work")
	mount(t, "/dev", filepath.Join(h.root, "dev"), "", syscall.MS_BIND|syscall.MS_REC, "")
	for _, p := range packages {
		// Not "dpkg-deb --extract": it would put a directory in the place of the link /lib.
		unpack := exec.Command("sh", "-c", `dpkg-deb --fsys-tarfile "$0" | tar --extract --keep-directory-symlink --directory "$1"`, p, h.root)
		if r := run(t, unpack); r.code != 0 {
			t.Fatalf("unpack %s: %s", p, r.stderr)
		}
	}
	passwd, group := "\n", "\n"
	for name, number := range mtaUsers {
		passwd += name + ":x:" + number + ":" + number + "::/nonexistent:/bin/false\n"
		group += name + ":x:" + number + ":\n"
	}
	h.append(t, "/etc/passwd", passwd)
	h.append(t, "/etc/group", group)
	return h
}

// mount mounts until the end of the test.
func mount(t *testing.T, source, target, kind string, flags uintptr, data string) {
	t.Helper()
	if err := syscall.Mount(source, target, kind, flags, data); err != nil {
		t.Fatalf("mount %s on %s: %v", source, target, err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(target, syscall.MNT_DETACH) }) // the end of the namespace takes it down in any case
}

// write writes a file of the house, readable for everybody.
func (h house) write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(h.root+path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(h.root+path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

// append adds to a file of the house.
func (h house) append(t *testing.T, path, content string) {
	t.Helper()
	old, err := os.ReadFile(h.root + path)
	if err != nil {
		t.Fatal(err)
	}
	h.write(t, path, string(old)+content)
}

// owned makes a directory of the house that belongs to one of mtaUsers.
func (h house) owned(t *testing.T, path, user string) {
	t.Helper()
	if err := os.MkdirAll(h.root+path, 0o755); err != nil {
		t.Fatal(err)
	}
	if r := run(t, exec.Command("chown", mtaUsers[user]+":"+mtaUsers[user], h.root+path)); r.code != 0 {
		t.Fatal(r.stderr)
	}
}

// read returns what a file of the house holds so far; nothing if it is not there yet.
func (h house) read(path string) string {
	content, _ := os.ReadFile(h.root + path)
	return string(content)
}

// command is a program of the house.
func (h house) command(args ...string) *exec.Cmd {
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Dir = "/"
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: h.root}
	return cmd
}
