//go:build linux

package main

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// process is a program that runs until stop, with its output in a file.
type process struct {
	cmd  *exec.Cmd
	log  string        // path of what it printed
	done chan struct{} // closed when it has ended
}

// start runs a program on some CPUs, in a process group of its own.
func start(cmd *exec.Cmd, cpus []int, log string) (*process, error) {
	out, err := os.Create(log)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	p := &process{cmd: cmd, log: log, done: make(chan struct{})}
	if err := onCPUs(cpus, cmd.Start); err != nil {
		return nil, fmt.Errorf("start %s: %w", cmd.Path, err)
	}
	go func() {
		_ = cmd.Wait() // how it ended is in ProcessState
		close(p.done)
	}()
	return p, nil
}

// onCPUs runs f on some CPUs; what f starts stays there.
func onCPUs(cpus []int, f func() error) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var before, only unix.CPUSet
	if err := unix.SchedGetaffinity(0, &before); err != nil {
		return fmt.Errorf("read the CPU affinity: %w", err)
	}
	for _, cpu := range cpus {
		only.Set(cpu)
	}
	if err := unix.SchedSetaffinity(0, &only); err != nil {
		return fmt.Errorf("run on CPU %v: %w", cpus, err)
	}
	defer unix.SchedSetaffinity(0, &before) // it worked a moment ago
	return f()
}

// pin keeps every thread of this process, and those they start, on one CPU.
func pin(cpu int) error {
	threads, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return err
	}
	var only unix.CPUSet
	only.Set(cpu)
	for _, t := range threads {
		tid, err := strconv.Atoi(t.Name())
		if err == nil {
			err = unix.SchedSetaffinity(tid, &only)
		}
		if err != nil {
			return fmt.Errorf("run on CPU %d: %w", cpu, err)
		}
	}
	return nil
}

// stop ends the process, and its children with it, and waits for it.
func (p *process) stop() {
	p.signal(syscall.SIGKILL)
	<-p.done
}

// signal sends a signal to the process and its children, unless they have ended.
func (p *process) signal(s syscall.Signal) { _ = syscall.Kill(-p.cmd.Process.Pid, s) }

// ended says whether the process has ended by itself, and what it said last.
func (p *process) ended() error {
	select {
	case <-p.done:
		text, _ := os.ReadFile(p.log) // nothing to say if it cannot be read
		return fmt.Errorf("it ended, %v: %s", p.cmd.ProcessState, strings.Join(strings.Fields(string(text[max(0, len(text)-500):])), " "))
	default:
		return nil
	}
}

// cpu returns the CPU time of the process so far: its own, to the nanosecond, that of the children it has now, and that of
// those it had, which the kernel tells in hundredths of a second.
func (p *process) cpu() (time.Duration, error) {
	pid := p.cmd.Process.Pid
	sum, err := cpuClock(pid)
	if err != nil {
		return 0, fmt.Errorf("CPU clock of process %d: %w", pid, err)
	}
	for _, child := range p.children() {
		d, _ := cpuClock(child) // one that has ended meanwhile is among those it had
		sum += d
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	_, after, _ := strings.Cut(string(stat), ") ") // proc(5): the fields from the third on; 16 and 17 are cutime and cstime
	if f := strings.Fields(after); len(f) > 14 {
		for _, ticks := range f[13:15] {
			n, _ := strconv.Atoi(ticks) // always a number
			sum += time.Duration(n) * 10 * time.Millisecond
		}
	}
	return sum, nil
}

// children returns the processes that the process has started, and that run still.
func (p *process) children() (pids []int) {
	pid := p.cmd.Process.Pid
	list, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid)) // a kernel without it: none are seen
	for _, child := range strings.Fields(string(list)) {
		id, _ := strconv.Atoi(child) // always a number
		pids = append(pids, id)
	}
	return pids
}

// cpuClock reads the CPU clock of another process: clock_getcpuclockid(3) without the C library.
func cpuClock(pid int) (time.Duration, error) {
	const sched = 2 // CPUCLOCK_SCHED
	var ts unix.Timespec
	err := unix.ClockGettime(int32(^pid)<<3|sched, &ts)
	return time.Duration(ts.Nano()), err
}

// rss returns how much memory the process has, octets.
func (p *process) rss() int {
	status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid)) // one that has ended has none
	_, after, _ := strings.Cut(string(status), "VmRSS:")
	f := strings.Fields(after)
	if len(f) == 0 {
		return 0
	}
	kib, _ := strconv.Atoi(f[0]) // always a number
	return kib << 10
}
