//go:build e2e

package e2e

import (
	"bytes"
	"crypto/sha256"
	"debug/elf"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// Nobody but the kernel is needed to run the binary, and nothing of the place it was built in is in it.
func TestDebBinary(t *testing.T) {
	d := newDebian(t)
	d.install(t)
	binary := []byte(d.read(t, "/usr/bin/mxglue"))
	program, err := elf.NewFile(bytes.NewReader(binary))
	if err != nil {
		t.Fatal(err)
	}
	if slices.ContainsFunc(program.Progs, func(p *elf.Prog) bool { return p.Type == elf.PT_INTERP || p.Type == elf.PT_DYNAMIC }) {
		t.Error("the binary is not static")
	}
	checkout, err := filepath.Abs("../../..")
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(binary, []byte(checkout)) {
		t.Errorf("the binary tells that it was built in %s", checkout)
	}
}

// The package of the same commit is the same, whenever and by whom it is built, and whatever directory it is built into.
func TestDebReproducible(t *testing.T) {
	first := digest(t, builtPackage(t))
	dist := scratch(t, "dist")
	build := exec.Command("sh", "-c", "umask 077; exec ../../../packaging/build")
	build.Env = append(os.Environ(), "DIST="+dist, "GOPROXY=off", "TZ=Asia/Kathmandu", "LC_ALL=C.UTF-8", "USER=somebody")
	var said output
	build.Stdout, build.Stderr = &said, &said
	late := time.AfterFunc(8*time.Minute, func() { _ = build.Process.Kill() }) // a cold build cache
	defer late.Stop()
	if err := build.Run(); err != nil {
		t.Fatalf("packaging/build: %v:\n%s", err, &said)
	}
	second := filepath.Join(dist, filepath.Base(builtPackage(t)))
	if digest(t, second) != first {
		t.Errorf("built again, %s is another file", filepath.Base(second))
	}
}

// digest is the SHA-256 of a file.
func digest(t *testing.T, path string) string {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	hash := sha256.New()
	if _, err := io.Copy(hash, file); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%x", hash.Sum(nil))
}
