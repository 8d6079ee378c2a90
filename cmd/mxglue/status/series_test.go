package status

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mxglue/mxglue/resolver/upstream"
)

// history is what GET /series answers.
type history struct {
	Step   int64
	Points []Point
}

func historyOf(t *testing.T, s *Series, step string) (h history) {
	t.Helper()
	text := body(t, tell(Daemon{Snapshot: idle, Series: s}, "GET", "/series?step="+step, "192.0.2.1:1"))
	if err := json.Unmarshal([]byte(text), &h); err != nil {
		t.Fatalf("GET /series?step=%s: %v in %.200q", step, err, text)
	}
	return h
}

func TestSeriesKeepsTenMinutesBySecondAndADayByMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hits := uint64(0)
		s := NewSeries(func() Snapshot {
			hits++
			snapshot := idle()
			snapshot.Cache.Hits = hits
			return snapshot
		})
		ctx, cancel := context.WithTimeout(t.Context(), 25*time.Hour)
		defer cancel()
		s.Run(ctx)
		last := time.Now().Unix()
		for step, want := range map[string]history{"1": {1, make([]Point, 600)}, "60": {60, make([]Point, 1440)}} {
			got := historyOf(t, s, step)
			if got.Step != want.Step || len(got.Points) != len(want.Points) {
				t.Fatalf("step %s: step %d, %d points; want %d of them", step, got.Step, len(got.Points), len(want.Points))
			}
			for i, p := range got.Points[1:] {
				if was := got.Points[i]; p.Time-was.Time != want.Step || p.Hits-was.Hits != uint64(want.Step) {
					t.Fatalf("step %s: %+v follows %+v; want %d s and as many hits later", step, p, was, want.Step)
				}
			}
			if newest := got.Points[len(got.Points)-1].Time; last-newest > want.Step {
				t.Errorf("step %s: the newest point is %d s old", step, last-newest)
			}
		}
	})
}

func TestPointHasTheFiguresOfTheCharts(t *testing.T) {
	s := NewSeries(func() Snapshot {
		snapshot := busy()
		snapshot.Upstreams = append(snapshot.Upstreams, upstream.Stats{Address: "udp://192.0.2.9:53", RTTms: 9, Down: true})
		return snapshot
	})
	s.look(time.Unix(1e9, 5))
	got, err := json.Marshal(historyOf(t, s, "1"))
	want := `{"Step":1,"Points":[{"t":1000000000,"hits":900,"glue":210,"bundle":220,"stale":23,"misses":100,"saved":430,"wait_ms":21550.5,` +
		`"round_trip":[{"upstream":"udp://192.0.2.1:53","ms":50.25},{"upstream":"tcp://[2001:db8::1]:53","ms":20}]}]}`
	if err != nil || string(got) != want { // of an upstream that is down, no round trip is known
		t.Errorf("got  %s, %v\nwant %s", got, err, want)
	}
}

// A chart's time goes one way, even if the host's does not.
func TestSeriesForgetsWhatLiesAheadWhenTheClockIsSetBack(t *testing.T) {
	s := NewSeries(idle)
	for _, at := range []int64{1000, 1001, 1001, 5000, 5001, 1002, 1003} {
		s.look(time.Unix(at, 0))
	}
	var times []int64
	for _, p := range historyOf(t, s, "1").Points {
		times = append(times, p.Time)
	}
	if want := []int64{1000, 1001, 1002, 1003}; len(times) != len(want) || times[2] != 1002 || times[3] != 1003 {
		t.Errorf("points at %v, want %v", times, want)
	}
}

func TestSeriesRefusesAnotherStep(t *testing.T) {
	s := NewSeries(idle)
	for _, step := range []string{"5", "x", "-1", "60%20", strings.Repeat("9", 1000)} {
		response := tell(Daemon{Snapshot: idle, Series: s}, "GET", "/series?step="+step, "127.0.0.1:1")
		text := body(t, response)
		if response.StatusCode != http.StatusBadRequest || !strings.Contains(text, "neither 1 nor 60") || len(text) > 120 {
			t.Errorf("step=%.20s: %s, %q; want 400, and what would be right", step, response.Status, text)
		}
	}
	if historyOf(t, s, "1").Points == nil || historyOf(t, s, "60").Points == nil {
		t.Error("no history yet is null, want an empty array")
	}
}

// The page of a daemon without a history does without.
func TestSeriesIsNotThereUnlessItRuns(t *testing.T) {
	for _, path := range []string{"/series", "/live", "/busiest"} {
		recorder := httptest.NewRecorder()
		request := httptest.NewRequest("GET", path, nil)
		request.Host = "localhost"
		Daemon{Snapshot: idle}.Handler().ServeHTTP(recorder, request)
		if recorder.Code != http.StatusNotFound {
			t.Errorf("GET %s: %d, want 404", path, recorder.Code)
		}
	}
}
