package status

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/mxglue/mxglue/cache"
)

const rightToken = "0123456789abcdef"

// commanded is a daemon that writes down what it was told to do.
type commanded struct {
	flushed, dumped []string
	reloaded        int
}

func (c *commanded) daemon(token string) Daemon {
	return Daemon{
		Snapshot: idle,
		Token:    token,
		Flush: func(domain string) (int, error) {
			if domain == "" {
				return 0, errors.New("no domain")
			}
			c.flushed = append(c.flushed, domain)
			return 7, nil
		},
		Dump: func(domain string, most int) ([]cache.Known, error) {
			if domain == "bad" {
				return nil, errors.New("bad domain")
			}
			c.dumped = append(c.dumped, domain)
			return []cache.Known{{Name: "mx.example.", Type: "A", TTL: most}}, nil
		},
		Reload: func() (Reloaded, error) {
			c.reloaded++
			return Reloaded{File: "config.yaml", Changed: []string{"cache.glue"}}, nil
		},
	}
}

// tell sends a request from a client; headers are "Name: value".
func tell(d Daemon, method, path, client string, headers ...string) *http.Response {
	request := httptest.NewRequest(method, path, nil)
	request.Host, request.RemoteAddr = "127.0.0.1:8053", client
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		request.Header.Set(name, value)
	}
	recorder := httptest.NewRecorder()
	d.Handler().ServeHTTP(recorder, request)
	return recorder.Result()
}

func TestFlushTellsHowMuchItWas(t *testing.T) {
	var c commanded
	response := tell(c.daemon(""), "POST", "/flush?name=example.com", "127.0.0.1:4711")
	var answer map[string]int
	if err := json.Unmarshal([]byte(body(t, response)), &answer); err != nil || response.StatusCode != 200 || answer["flushed"] != 7 {
		t.Errorf("%s, %v, %v; want 200 and 7 flushed", response.Status, answer, err)
	}
	if strings.Join(c.flushed, " ") != "example.com" {
		t.Errorf("flushed %q, want example.com", c.flushed)
	}
	response = tell(c.daemon(""), "POST", "/flush", "127.0.0.1:4711")
	if got := body(t, response); response.StatusCode != http.StatusBadRequest || got != "no domain\n" {
		t.Errorf("without a name: %s, %q; want 400 and why", response.Status, got)
	}
}

func TestDumpIsAnArrayAndBounded(t *testing.T) {
	var c commanded
	for path, want := range map[string]string{"/dump?name=mx.example": "mx.example", "/dump": "."} {
		response := tell(c.daemon(""), "GET", path, "[::1]:4711")
		var known []cache.Known
		if err := json.Unmarshal([]byte(body(t, response)), &known); err != nil || len(known) != 1 || known[0].TTL != MaxDump {
			t.Errorf("GET %s: %s, %+v, %v; want one entry, and at most %d asked for", path, response.Status, known, err, MaxDump)
		}
		if last := c.dumped[len(c.dumped)-1]; last != want {
			t.Errorf("GET %s dumps %q, want %q", path, last, want)
		}
	}
	if response := tell(c.daemon(""), "GET", "/dump?name=bad", "[::1]:4711"); response.StatusCode != http.StatusBadRequest {
		t.Errorf("a bad name: %s, want 400", response.Status)
	}
}

// From elsewhere only with the token, if there is one.
func TestFlushAndDumpAreForLoopbackOrTheToken(t *testing.T) {
	for _, c := range []struct {
		token, client, authorization string
		want                         int
	}{
		{"", "127.0.0.1:1", "", 200},
		{"", "127.8.9.10:1", "", 200},
		{"", "[::1]:1", "", 200},
		{"", "[::ffff:127.0.0.1]:1", "", 200},
		{rightToken, "127.0.0.1:1", "", 200},
		{rightToken, "192.0.2.1:1", "Bearer " + rightToken, 200},
		{rightToken, "192.0.2.1:1", "bearer " + rightToken, 200},

		{"", "192.0.2.1:1", "", 403},
		{"", "[2001:db8::1]:1", "", 403},
		{"", "192.0.2.1:1", "Bearer ", 403},
		{"", "192.0.2.1:1", "Bearer", 403},
		{"", "", "", 403},
		{rightToken, "192.0.2.1:1", "", 403},
		{rightToken, "192.0.2.1:1", rightToken, 403},
		{rightToken, "192.0.2.1:1", "Basic " + rightToken, 403},
		{rightToken, "192.0.2.1:1", "Bearer " + rightToken + "0", 403},
		{rightToken, "192.0.2.1:1", "Bearer " + rightToken[:15], 403},
	} {
		for _, command := range []string{"POST /flush?name=a.example", "GET /dump?name=a.example", "POST /reload"} {
			method, path, _ := strings.Cut(command, " ")
			var done commanded
			response := tell(done.daemon(c.token), method, path, c.client, "Authorization: "+c.authorization)
			if response.StatusCode != c.want {
				t.Errorf("%s by %q with %q, token %q: %s, want %d", command, c.client, c.authorization, c.token, response.Status, c.want)
			}
			if did := len(done.flushed)+len(done.dumped)+done.reloaded > 0; did != (c.want == 200) {
				t.Errorf("%s by %q with %q, token %q was done: %v", command, c.client, c.authorization, c.token, did)
			}
			if text := body(t, response); c.want == 403 && !strings.Contains(text, "status.token") {
				t.Errorf("403 says %q, want it to name status.token", text)
			}
		}
	}
}

// The browser of whoever runs mxglue is on loopback, and sends what a web page tells it to.
func TestNoWebPageCanFlushOrReload(t *testing.T) {
	for header, want := range map[string]int{
		"Sec-Fetch-Site: cross-site":     403,
		"Sec-Fetch-Site: same-site":      403,
		"Origin: http://evil.example":    403,
		"Origin: null":                   403,
		"Origin: http://127.0.0.1:3000":  403,
		"Sec-Fetch-Site: same-origin":    200,
		"Origin: http://127.0.0.1:8053":  200,
		"User-Agent: mxglue, no browser": 200,
	} {
		var c commanded
		response := tell(c.daemon(rightToken), "POST", "/flush?name=.", "127.0.0.1:1", header, "Authorization: Bearer "+rightToken)
		if response.StatusCode != want || (len(c.flushed) > 0) != (want == 200) {
			t.Errorf("%s: %s, flushed %q; want %d", header, response.Status, c.flushed, want)
		}
		response = tell(c.daemon(rightToken), "POST", "/reload", "127.0.0.1:1", header, "Authorization: Bearer "+rightToken)
		if response.StatusCode != want || (c.reloaded > 0) != (want == 200) {
			t.Errorf("%s: %s, reloaded %d times; want %d", header, response.Status, c.reloaded, want)
		}
	}
}

// What came of a reload is JSON; why nothing did is text.
func TestReloadTellsWhatCameOfIt(t *testing.T) {
	var c commanded
	d := c.daemon("")
	response := tell(d, "POST", "/reload", "127.0.0.1:1")
	var done Reloaded
	if err := json.Unmarshal([]byte(body(t, response)), &done); err != nil || response.StatusCode != 200 || done.File != "config.yaml" || len(done.Changed) != 1 {
		t.Errorf("%s, %+v, %v; want 200 and what has changed", response.Status, done, err)
	}
	d.Reload = func() (Reloaded, error) {
		return Reloaded{}, errors.New("config.yaml:3: wrong\nconfig.yaml:4: wrong, too")
	}
	response = tell(d, "POST", "/reload", "127.0.0.1:1")
	if got := body(t, response); response.StatusCode != http.StatusUnprocessableEntity || got != "config.yaml:3: wrong\nconfig.yaml:4: wrong, too\n" {
		t.Errorf("%s, %q; want 422 and both mistakes", response.Status, got)
	}
	if response := tell(d, "GET", "/reload", "127.0.0.1:1"); response.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("GET: %s, want 405", response.Status)
	}
}

// A dump takes memory: many at a time are made one after the other.
func TestDumpsAreMadeOneAtATime(t *testing.T) {
	var inside atomic.Int32
	d := Daemon{Snapshot: idle, Dump: func(string, int) ([]cache.Known, error) {
		if inside.Add(1) > 1 {
			t.Error("two dumps at a time")
		}
		for range 100 {
			runtime.Gosched()
		}
		inside.Add(-1)
		return nil, nil
	}}
	handler := d.Handler()
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			request := httptest.NewRequest("GET", "/dump", nil)
			request.Host, request.RemoteAddr = "localhost", "127.0.0.1:1"
			handler.ServeHTTP(httptest.NewRecorder(), request)
		})
	}
	all.Wait()
}

func TestDumpForTheTerminal(t *testing.T) {
	var b strings.Builder
	err := WriteDump(&b, []cache.Known{
		{Name: "example.com.", Type: "MX", Rank: "answer", Rcode: "NOERROR", State: "live", TTL: 299, AD: true, By: "client", Upstream: "udp://192.0.2.1:53",
			Records: []string{"example.com.\t300\tIN\tMX\t10 mx1.example.com.", "example.com.\t300\tIN\tMX\t20 mx2.example.com.", "example.com.\t300\tIN\tRRSIG\tMX 13 2 300 …"}},
		{Name: "mx1.example.com.", Type: "A", Rank: "glue", Rcode: "NOERROR", State: "stale", By: "bundle",
			Records: []string{"mx1.example.com.\t60\tIN\tCNAME\tm.example.com.", "m.example.com.\t60\tIN\tA\t192.0.2.7"}},
		{Name: "mx1.example.com.", Type: "AAAA", Rank: "answer", Rcode: "NOERROR", State: "expired", CD: true, By: "refresh"},
		{Name: "no.example.com.", Type: "A", Rank: "failure", Rcode: "SERVFAIL", State: "live", TTL: 5, By: "client", Upstream: "a\x1b[2Jb"},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := `
NAME              TYPE  RANK     STATE    TTL  AD  BY       UPSTREAM            RECORDS
example.com.      MX    answer   live     299  ad  client   udp://192.0.2.1:53  10 mx1.example.com., 20 mx2.example.com.
mx1.example.com.  A     glue     stale    0    -   bundle   -                   CNAME m.example.com., 192.0.2.7
mx1.example.com.  AAAA  answer   expired  0    cd  refresh  -                   no such record
no.example.com.   A     failure  live     5    -   client   a?[2Jb              SERVFAIL
`
	// The escape character is a column wide for the table and a question mark in the end.
	if got := "\n" + b.String(); got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
}
