//go:build linux

package main

import (
	"runtime"
	"sync"
	"testing"
	"time"
)

// A crowd asks from many ports, each question again and again, and every answer is told apart.
func TestCrowd(t *testing.T) {
	if runtime.NumCPU() < crowdCPUs {
		t.Skip("one CPU")
	}
	var u upstream
	var mu sync.Mutex
	names := map[string]bool{}
	c, err := gather(serve(t, func(q []byte) []byte {
		mu.Lock()
		defer mu.Unlock()
		names[string(q[12:])] = true
		return u.answer(nil, q)
	}), false, hosts(10, false))
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	got, err := c.closed(100 * time.Millisecond)
	if err != nil || got.answered < 100 || got.wrong+got.lost > 0 {
		t.Errorf("%+v, %v; want answers to all", got, err)
	}
	mu.Lock()
	defer mu.Unlock()
	if len(names) != 10 {
		t.Errorf("asked for %d names, want 10", len(names))
	}
}

// What a crowd asks of an echo of two processes comes to both, and the CPU of both is counted.
func TestCrowdMeetsAllSockets(t *testing.T) {
	if runtime.NumCPU() < crowdCPUs {
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
	idle := unused(2)
	got, err := r.crowd.closed(300 * time.Millisecond)
	if err != nil || got.answered < 1000 || got.lost > 0 {
		t.Errorf("%+v, %v", got, err)
	}
	sum, err1 := r.cpu()
	first, err2 := cpuClock(r.cmd.Process.Pid)
	if err1 != nil || err2 != nil || first < time.Millisecond || sum-first < time.Millisecond {
		t.Errorf("one process used %v of %v (%v, %v), want some of both", first, sum, err1, err2)
	}
	if since := unused(2) - idle; idle == 0 || since > 150*time.Millisecond {
		t.Errorf("two CPUs were busy for 300 ms, and are said to have been unused for %v, and before for %v", since, idle)
	}
}

// With several ports a reply that does not come holds nothing up for good, nor is another taken for it.
func TestPortsAfterALoss(t *testing.T) {
	var u upstream
	n := 0
	client, err := dialUDP(serve(t, func(q []byte) []byte {
		if n++; n == 7 {
			return nil
		}
		return u.answer(nil, q)
	}), false, 4)
	if err != nil {
		t.Fatal(err)
	}
	defer client.close()
	got, err := client.closed(inOrder(hosts(10, false)), 1000, time.Now().Add(20*time.Second))
	if err != nil || got.lost < 1 || got.lost > window || got.wrong > 0 || got.answered < 1000-window {
		t.Errorf("%+v, %v; want at most a window lost", got, err)
	}
}
