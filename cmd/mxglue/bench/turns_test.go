//go:build linux

package main

import (
	"testing"
	"time"
)

// A machine that was away once shows in the 99 % of a turn, but not of most rows; what slows one hit in fifty shows in both.
func TestWaits(t *testing.T) {
	away, slower := make([]time.Duration, 12*inARow), make([]time.Duration, 12*inARow)
	for i := range away {
		away[i], slower[i] = 30*time.Microsecond, 30*time.Microsecond
		if i/80 == 10 {
			away[i] = 3 * time.Millisecond
		}
		if i%50 == 0 {
			slower[i] = time.Millisecond
		}
	}
	if got, want := waitsOf(away), (waits{p50: 30, p99: 3000, calm: 30}); got != want {
		t.Errorf("away once: %+v, want %+v", got, want)
	}
	if got, want := waitsOf(slower), (waits{p50: 30, p99: 1000, calm: 1000}); got != want {
		t.Errorf("slower: %+v, want %+v", got, want)
	}
	if got := waitsOf(nil); got != (waits{}) {
		t.Errorf("no hits: %+v", got)
	}
}
