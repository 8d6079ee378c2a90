package status

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"
)

// How far back the history goes: every second of ten minutes, every minute of a day.
const (
	fineLength   = 600
	coarseStep   = 60 // seconds
	coarseLength = 24 * 60
)

// A Point is what had been counted at one time since the daemon's start. What happened between two Points is their
// difference.
type Point struct {
	Time       int64       `json:"t"`          // Unix time, seconds
	Hits       uint64      `json:"hits"`       // as in cache.Stats, and so are the next four
	GlueHits   uint64      `json:"glue"`       //
	BundleHits uint64      `json:"bundle"`     //
	StaleHits  uint64      `json:"stale"`      //
	Misses     uint64      `json:"misses"`     //
	Saved      uint64      `json:"saved"`      // follow-up queries, as in resolver.Saved
	WaitMS     float64     `json:"wait_ms"`    // waiting spared, milliseconds
	RoundTrips []RoundTrip `json:"round_trip"` // of the upstreams that answer
}

// A RoundTrip is how far away an upstream was.
type RoundTrip struct {
	Address string  `json:"upstream"`
	MS      float64 `json:"ms"` // smoothed, milliseconds
}

func (s Snapshot) point(at time.Time) Point {
	p := Point{
		Time: at.Unix(), Hits: s.Cache.Hits, GlueHits: s.Cache.GlueHits, BundleHits: s.Cache.BundleHits, StaleHits: s.Cache.StaleHits,
		Misses: s.Cache.Misses, Saved: s.Saved.Queries, WaitMS: s.Saved.WaitMS, RoundTrips: []RoundTrip{},
	}
	for _, u := range s.Upstreams {
		if !u.Down && u.RTTms > 0 {
			p.RoundTrips = append(p.RoundTrips, RoundTrip{u.Address, u.RTTms})
		}
	}
	return p
}

// A Series takes a Snapshot every second, remembers its main figures for a day (in half a megabyte, with three upstreams),
// and tells it to those who listen (live.go). Nothing of it outlives the daemon.
type Series struct {
	snapshot func() Snapshot

	mu        sync.Mutex
	fine      []Point              // a second apart, the newest last; guarded by mu, and so are the next two
	coarse    []Point              // a minute apart
	listeners map[chan []byte]bool // each has room for one event
}

// NewSeries makes a Series of the same Snapshots that a [Daemon] shows. Run fills it.
func NewSeries(snapshot func() Snapshot) *Series {
	return &Series{snapshot: snapshot, listeners: map[chan []byte]bool{}}
}

// Run looks every second until ctx ends.
func (s *Series) Run(ctx context.Context) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		s.look(time.Now())
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// look takes one Snapshot, remembers and tells it.
func (s *Series) look(now time.Time) {
	snapshot := s.snapshot()
	p := snapshot.point(now)
	s.mu.Lock()
	s.fine = keep(s.fine, p, 1, fineLength)
	s.coarse = keep(s.coarse, p, coarseStep, coarseLength)
	silent := len(s.listeners) == 0
	s.mu.Unlock()
	if silent {
		return
	}
	text, err := json.Marshal(snapshot.news(p))
	if err != nil { // a figure that is no number
		slog.Error("status: cannot render an event", "error", err)
		return
	}
	s.tell(text)
}

// keep appends p if it lies in another step than the last, and forgets the oldest beyond length. Where the clock was set
// back, what lies in the future is forgotten: time goes one way in a chart.
func keep(points []Point, p Point, step int64, length int) []Point {
	for n := len(points); n > 0 && points[n-1].Time > p.Time; n = len(points) {
		points = points[:n-1]
	}
	if n := len(points); n > 0 && points[n-1].Time/step == p.Time/step {
		return points
	}
	points = append(points, p)
	return points[max(0, len(points)-length):]
}

// history answers GET /series?step=1 with the last ten minutes by the second, ?step=60 with the last day by the minute:
// {"step": seconds, "points": [Point…]}, the oldest first.
func (s *Series) history(w http.ResponseWriter, r *http.Request) {
	answer := struct {
		Step   int     `json:"step"`
		Points []Point `json:"points"`
	}{1, []Point{}}
	s.mu.Lock()
	switch step := r.URL.Query().Get("step"); step {
	case "", "1":
		answer.Points = append(answer.Points, s.fine...)
	case "60":
		answer.Step, answer.Points = coarseStep, append(answer.Points, s.coarse...)
	default:
		s.mu.Unlock()
		http.Error(w, fmt.Sprintf("step: %.40q is neither 1 nor 60 (seconds)", step), http.StatusBadRequest)
		return
	}
	s.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(answer); err != nil {
		slog.Debug("status: cannot send the history", "error", err) // who asked has gone
	}
}
