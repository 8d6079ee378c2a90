//go:build e2e

package e2e

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"syscall"
	"testing"
	"time"
)

// dirEnv names the directory that the run outside the namespaces made for the run inside: it holds the binary under test
// and all scratch files, and the run outside removes it. Set means inside.
const dirEnv = "MXGLUE_E2E_DIR"

// ownAddresses are put on the namespace's loopback: those of the exchangers, on .21 and .22 of whom nobody listens, and that
// of a resolver which is not on loopback.
var ownAddresses = []string{"10.77.0.11", "10.77.0.12", "10.77.0.13", "10.77.0.21", "10.77.0.22", farIP}

func TestMain(m *testing.M) {
	if dir := os.Getenv(dirEnv); dir != "" {
		if err := furnish(dir); err != nil {
			fmt.Fprintln(os.Stderr, "e2e: cannot set the namespace up:", err)
			os.Exit(1)
		}
		os.Exit(m.Run())
	}
	code, err := outside()
	if err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		os.Exit(1)
	}
	os.Exit(code)
}

// outside builds the binary, runs this test binary again inside new namespaces, and returns its exit code.
func outside() (int, error) {
	if os.Geteuid() != 0 {
		return 0, errors.New("root is needed, to make a network namespace and to run Postfix in it")
	}
	if err := os.Setenv("PATH", os.Getenv("PATH")+":/usr/sbin:/sbin"); err != nil { // not every root shell has them
		return 0, err
	}
	for _, program := range []string{"ip", "nsd", "unbound", "postfix", "sendmail", "smtp-sink"} {
		if _, err := exec.LookPath(program); err != nil {
			return 0, fmt.Errorf("%s is needed: apt-get install postfix unbound nsd iproute2 (%w)", program, err)
		}
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	dir, err := os.MkdirTemp("", "mxglue-e2e-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	if err := os.Chmod(dir, 0o755); err != nil { // Postfix's daemons and smtp-sink are not root
		return 0, err
	}
	build(ctx, dir)

	runtime.LockOSThread() // Pdeathsig goes by the thread that started the child, not by the process
	cmd := exec.CommandContext(ctx, "/proc/self/exe", os.Args[1:]...)
	cmd.Env = append(os.Environ(), dirEnv+"="+dir)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:   syscall.CLONE_NEWPID,
		Unshareflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWNET, // for NEWNS, Go makes the mounts private first
		Pdeathsig:    syscall.SIGKILL,
	}
	err = cmd.Run()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) && exit.Exited() {
		return exit.ExitCode(), nil
	}
	return 0, err
}

// build puts mxglue into dir, and what the compiler said into dir/build.txt. A failure is told by the tests that need the
// binary: the others still show whether the machine is fit.
func build(ctx context.Context, dir string) {
	ctx, cancel := context.WithTimeout(ctx, 8*time.Minute) // a cold build cache, with the race detector
	defer cancel()
	args := []string{"build", "-buildvcs=false", "-o", filepath.Join(dir, "mxglue")}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "-race" && s.Value == "true" {
				args = append(args, "-race")
			}
		}
	}
	out, err := exec.CommandContext(ctx, "go", append(args, "github.com/mxglue/mxglue/cmd/mxglue")...).CombinedOutput()
	if err != nil {
		out = append(out, "go build: "+err.Error()...)
	}
	if err := os.WriteFile(filepath.Join(dir, "build.txt"), out, 0o644); err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
	}
}

// furnish makes the namespaces habitable: a loopback, its addresses, /proc, a resolv.conf that names 127.0.0.1.
func furnish(dir string) error {
	if os.Getpid() != 1 {
		return fmt.Errorf("%s is set outside of the namespaces", dirEnv) // or the mounts below would be the machine's own
	}
	resolvConf := filepath.Join(dir, "resolv.conf")
	if err := os.WriteFile(resolvConf, []byte("nameserver 127.0.0.1\n"), 0o644); err != nil {
		return err
	}
	if err := syscall.Mount(resolvConf, "/etc/resolv.conf", "", syscall.MS_BIND, ""); err != nil {
		return fmt.Errorf("bind mount over /etc/resolv.conf: %w", err)
	}
	if err := syscall.Mount("proc", "/proc", "proc", 0, ""); err != nil {
		return fmt.Errorf("mount /proc: %w", err)
	}
	if _, err := os.Stat("/etc/mxglue"); err == nil { // the machine's own configuration is not under test
		if err := syscall.Mount("tmpfs", "/etc/mxglue", "tmpfs", 0, ""); err != nil {
			return fmt.Errorf("hide /etc/mxglue: %w", err)
		}
	}
	commands := []string{"link set lo up"}
	for _, address := range ownAddresses {
		commands = append(commands, "address add "+address+"/32 dev lo")
	}
	for _, c := range commands {
		if out, err := exec.Command("ip", strings.Fields(c)...).CombinedOutput(); err != nil {
			return fmt.Errorf("ip %s: %w: %s", c, err, out)
		}
	}
	return nil
}

// scratch makes a directory for one daemon or test, open to every user. The run outside the namespaces removes it.
func scratch(t *testing.T, name string) string {
	t.Helper()
	dir, err := os.MkdirTemp(os.Getenv(dirEnv), name+"-")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	return dir
}

// writeFile writes one file of a scratch directory and returns its path.
func writeFile(t *testing.T, dir, name, content string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}
