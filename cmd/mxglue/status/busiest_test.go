package status

import (
	"encoding/json"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"
)

// To find the busiest takes a look at the whole cache, which a page that is open in many tabs must not multiply.
func TestBusiestLooksNoMoreOftenThanEveryFiveSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		looked := 0
		d := Daemon{Snapshot: idle, Busiest: func(most int) []Busy {
			looked++
			return []Busy{{"example.com", uint32(looked)}, {"example.org", uint32(most)}}
		}}
		handler := d.Handler()
		for second := range 12 {
			request := httptest.NewRequest("GET", "/busiest", nil)
			request.Host, request.RemoteAddr = "localhost", "127.0.0.1:1"
			recorder := httptest.NewRecorder()
			handler.ServeHTTP(recorder, request)
			response := recorder.Result()
			var got []Busy
			if err := json.Unmarshal([]byte(body(t, response)), &got); err != nil || len(got) != 2 || got[1].Hits != shownBusiest {
				t.Fatalf("%s, %+v, %v; want two domains, and %d asked for", response.Status, got, err, shownBusiest)
			}
			if want := uint32(1 + second/6); got[0].Hits != want {
				t.Errorf("after %d s it has looked %d times, want %d", second, got[0].Hits, want)
			}
			time.Sleep(time.Second)
		}
	})
}

// Who writes to whom is not for everybody.
func TestBusiestIsForLoopbackOrTheToken(t *testing.T) {
	d := Daemon{Snapshot: idle, Token: rightToken, Busiest: func(int) []Busy { return nil }}
	for _, c := range []struct {
		client, authorization string
		want                  int
	}{{"127.0.0.1:1", "", 200}, {"192.0.2.1:1", "Bearer " + rightToken, 200}, {"192.0.2.1:1", "", 403}} {
		response := tell(d, "GET", "/busiest", c.client, "Authorization: "+c.authorization)
		if response.StatusCode != c.want {
			t.Errorf("GET /busiest by %s with %q: %s, want %d", c.client, c.authorization, response.Status, c.want)
		}
		if text := body(t, response); c.want == 200 && text != "[]\n" {
			t.Errorf("nobody is busy: %q, want []", text)
		}
	}
}
