//go:build linux

package main

import (
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A backlog comes to an echo of two processes in equal parts, and all of it is answered while nobody reads the replies.
func TestBacklog(t *testing.T) {
	if runtime.NumCPU() < backlogCPUs {
		t.Skip("one CPU")
	}
	dir := t.TempDir()
	s, err := floor(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	if !s.spreads {
		t.Skip(s.name)
	}
	r, err := launch(s, &cell{questions: hosts(10, false), spread: 2}, dir, 1, 9)
	if err != nil {
		t.Fatal(err)
	}
	defer r.end()
	began := time.Now()
	got, err := r.backlog.closed(time.Millisecond)
	took, want := time.Since(began), 2*backlogPorts*r.backlog.depth*backlogCPUs
	if err != nil || got.answered != want || got.wrong+got.lost > 0 || got.busy <= 0 || got.busy >= took {
		t.Errorf("%+v, %v within %v; want %d answered, busy for a part of that", got, err, took, want)
	}
	sum, err1 := r.cpu()
	first, err2 := cpuClock(r.cmd.Process.Pid)
	if err1 != nil || err2 != nil || first < sum/5 || first > sum*4/5 {
		t.Errorf("one process used %v of %v (%v, %v), want about half", first, sum, err1, err2)
	}
	if _, err := pile(r.process, r.setting.Port, true, 3, r.next); err == nil || !strings.Contains(err.Error(), "come to 2 of its 2 sockets; want 3") {
		t.Errorf("for three threads: %v", err)
	}
}

// Of replies that are not there nothing is waited for, and none that is there is overlooked.
func TestCollect(t *testing.T) {
	var u upstream
	asked, done := 0, make(chan struct{})
	client, err := dialUDP(serve(t, func(q []byte) []byte {
		if asked++; asked%10 > 0 {
			return u.answer(nil, q)
		}
		if asked == 100 {
			close(done) // the replies before it have been sent
		}
		return nil
	}), false)
	if err != nil {
		t.Fatal(err)
	}
	defer client.close()
	if err := client.hoard(100); err != nil {
		t.Fatal(err)
	}
	before := time.Now().UnixNano()
	for range 100 {
		client.send(hosts(1, false)[0], 0)
	}
	<-done
	began := time.Now()
	got, _, err := client.collect(100)
	if took := time.Since(began); err != nil || got.answered != 90 || got.lost != 10 || got.wrong > 0 || took >= lostAfter {
		t.Errorf("%+v, %v within %v; want 90 answered, 10 lost, at once", got, err, took)
	}
	client.send(hosts(1, false)[0], 0)
	if n, err := unix.Poll([]unix.PollFd{{Fd: int32(client.fd), Events: unix.POLLIN}}, 10_000); n != 1 {
		t.Fatal("no reply: ", err)
	}
	if got, last, err := client.collect(1); err != nil || got.answered != 1 || last <= before || last > time.Now().UnixNano() {
		t.Errorf("%+v, %v, at %v; want one answered since %v", got, err, last, before)
	}
}
