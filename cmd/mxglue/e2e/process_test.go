//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"errors"
	"os/exec"
	"sync"
	"syscall"
	"testing"
	"time"
)

// A daemon is a program that runs in the foreground until its test ends.
type daemon struct {
	name   string
	cmd    *exec.Cmd
	output *output
	done   chan struct{} // closed when it has ended; cmd.ProcessState is set then
}

// start runs a program. The end of the test ends it; a failed test shows what it printed.
func start(t *testing.T, cmd *exec.Cmd) *daemon {
	t.Helper()
	d := &daemon{name: cmd.Args[0], cmd: cmd, output: &output{}, done: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = d.output, d.output
	cmd.WaitDelay = time.Second
	if err := cmd.Start(); err != nil {
		t.Fatalf("start %v: %v", cmd.Args, err)
	}
	go func() {
		_ = cmd.Wait() // the exit code is in ProcessState
		close(d.done)
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // an error means it has ended already
		<-d.done
		if t.Failed() {
			t.Logf("%v printed:\n%s", cmd.Args, d.output)
		}
	})
	return d
}

// running fails the test if the daemon has ended.
func (d *daemon) running(t *testing.T) {
	t.Helper()
	select {
	case <-d.done:
		t.Fatalf("%v ended, exit code %d:\n%s", d.cmd.Args, d.cmd.ProcessState.ExitCode(), d.output)
	default:
	}
}

// signal sends a signal.
func (d *daemon) signal(t *testing.T, s syscall.Signal) {
	t.Helper()
	if err := d.cmd.Process.Signal(s); err != nil {
		t.Fatalf("%s: signal %v: %v", d.name, s, err)
	}
}

// exitCode waits for the daemon to end by itself; -1 means a signal ended it.
func (d *daemon) exitCode(t *testing.T, within time.Duration) int {
	t.Helper()
	select {
	case <-d.done:
		return d.cmd.ProcessState.ExitCode()
	case <-time.After(within):
		t.Fatalf("%v is still running after %v", d.cmd.Args, within)
		return 0
	}
}

// A result is what a finished command left behind.
type result struct {
	code           int
	stdout, stderr string
}

// run runs a command to its end, within 20 seconds.
func run(t *testing.T, cmd *exec.Cmd) result {
	t.Helper()
	var stdout, stderr output
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	cmd.WaitDelay = time.Second // a daemon that it left behind may hold the pipe
	if err := cmd.Start(); err != nil {
		t.Fatalf("start %v: %v", cmd.Args, err)
	}
	late := time.AfterFunc(20*time.Second, func() { _ = cmd.Process.Kill() })
	err := cmd.Wait()
	if !late.Stop() {
		t.Fatalf("%v did not end within 20 s:\n%s%s", cmd.Args, &stdout, &stderr)
	}
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) && !errors.Is(err, exec.ErrWaitDelay) {
		t.Fatalf("%v: %v", cmd.Args, err)
	}
	return result{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}
}

// eventually calls ok until it says nil, and fails the test with its last error when time is up. The things waited for
// happen in other programs, so there is nothing to block on.
func eventually(t *testing.T, within time.Duration, ok func() error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		err := ok()
		if err == nil {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("waited %v: %v", within, err)
		case <-tick.C:
		}
	}
}

// output keeps the first 256 KiB that a program prints.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if room := 256<<10 - o.buf.Len(); room > 0 {
		o.buf.Write(p[:min(room, len(p))])
	}
	return len(p), nil
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

// asNobody runs a command without root's rights.
func asNobody(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
}
