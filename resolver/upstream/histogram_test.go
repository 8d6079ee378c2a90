package upstream

import (
	"sync"
	"testing"
	"time"
)

func TestHistogramCountsByBound(t *testing.T) {
	var h Histogram
	for _, took := range []time.Duration{0, 250 * time.Microsecond, 250*time.Microsecond + 1, 40 * time.Millisecond, 5 * time.Second, time.Minute} {
		h.Observe(took)
	}
	times := h.Times()
	upTo, all := times.Buckets()
	for bound, want := range map[float64]uint64{0.00025: 2, 0.0005: 3, 0.025: 3, 0.05: 4, 2.5: 4, 5: 5} {
		if got, there := upTo[bound]; !there || got != want {
			t.Errorf("%d took at most %v s (a bound: %v), want %d", got, bound, there, want)
		}
	}
	if want := 65*time.Second + 40*time.Millisecond + 500*time.Microsecond + 1; all != 6 || times.Total != want {
		t.Errorf("%d took %v in all, want 6 and %v", all, times.Total, want)
	}
}

func TestHistogramLosesNothingAmongMany(t *testing.T) {
	var h Histogram
	var many sync.WaitGroup
	for range 8 {
		many.Go(func() {
			for range 1000 {
				h.Observe(time.Second)
				h.Times()
			}
		})
	}
	many.Wait()
	if _, all := h.Times().Buckets(); all != 8000 || h.Times().Total != 8000*time.Second {
		t.Errorf("%d that took %v, want 8000 that took %v", all, h.Times().Total, 8000*time.Second)
	}
}

func TestHistogramAllocatesNothing(t *testing.T) {
	var h Histogram
	if n := testing.AllocsPerRun(100, func() { h.Observe(30 * time.Millisecond) }); n != 0 {
		t.Errorf("%v allocations a time, want none", n)
	}
}
