package status

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// livePipes is a listener on no network: its connections live in a bubble of time.
type livePipes struct {
	waiting chan net.Conn
	closed  chan struct{}
}

func newLivePipes() livePipes { return livePipes{make(chan net.Conn), make(chan struct{})} }

func (p livePipes) Accept() (net.Conn, error) {
	select {
	case conn := <-p.waiting:
		return conn, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p livePipes) Close() error {
	select {
	case <-p.closed:
	default:
		close(p.closed)
	}
	return nil
}

func (p livePipes) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 8053} }

// listenTo asks for /live over a connection of its own.
func (p livePipes) listenTo(t *testing.T) (net.Conn, *http.Response) {
	t.Helper()
	client, server := net.Pipe()
	p.waiting <- server
	t.Cleanup(func() { client.Close() })
	if _, err := client.Write([]byte("GET /live HTTP/1.1\r\nHost: 127.0.0.1:8053\r\n\r\n")); err != nil {
		t.Fatal(err)
	}
	response, err := http.ReadResponse(bufio.NewReader(client), nil)
	if err != nil {
		t.Fatal(err)
	}
	return client, response
}

// liveDaemon serves a daemon with a history in a bubble of time, until the function it returns is called.
func liveDaemon(t *testing.T, snapshot func() Snapshot) (p livePipes, stop func() error) {
	p = newLivePipes()
	d := Daemon{Snapshot: snapshot, Series: NewSeries(snapshot)}
	ctx, cancel := context.WithCancel(t.Context())
	go d.Series.Run(ctx)
	ended := make(chan error, 1)
	go func() { ended <- Serve(ctx, p, d.Handler()) }()
	return p, func() error { cancel(); return <-ended }
}

// events reads so many events and returns the last.
func events(t *testing.T, lines *bufio.Scanner, n int) (last news) {
	t.Helper()
	for n > 0 && lines.Scan() {
		data, ok := strings.CutPrefix(lines.Text(), "data: ")
		if !ok {
			continue
		}
		if err := json.Unmarshal([]byte(data), &last); err != nil {
			t.Fatalf("event %q: %v", data, err)
		}
		n--
	}
	if n > 0 {
		t.Fatalf("it ended with %v, %d events before what was wanted", lines.Err(), n)
	}
	return last
}

func newScanner(response *http.Response) *bufio.Scanner {
	lines := bufio.NewScanner(response.Body)
	lines.Buffer(nil, 1<<20)
	return lines
}

// The limits that end every other request do not end this one; an hour does, and the browser comes back.
func TestLiveTellsEverySecondForAnHour(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		p, stop := liveDaemon(t, busy)
		_, response := p.listenTo(t)
		if kind := response.Header.Get("Content-Type"); response.StatusCode != http.StatusOK || kind != "text/event-stream" {
			t.Fatalf("%s, %s; want 200 and events", response.Status, kind)
		}
		lines := newScanner(response)
		last := events(t, lines, 3500)
		if took := time.Since(began); took < 3499*time.Second || took > 3502*time.Second {
			t.Errorf("3500 events within %v, want one a second", took)
		}
		if last.Point.Time != time.Now().Unix() || last.Point.Saved != 430 || !last.Working || last.Version != "1.2.3" || last.Uptime != "1 d 2 h" {
			t.Errorf("the last event is %+v", last)
		}
		for n := 0; n < 500 && lines.Scan(); n++ { // to the end, which is near
		}
		if took := time.Since(began); lines.Err() != nil || took < listenFor || took > listenFor+2*time.Second {
			t.Errorf("it ended after %v with %v, want it to end well after %v", took, lines.Err(), listenFor)
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
}

func TestLiveEndsWithTheDaemon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, stop := liveDaemon(t, busy)
		_, response := p.listenTo(t)
		lines := newScanner(response)
		events(t, lines, 3)
		go func() {
			for lines.Scan() {
			}
		}()
		began := time.Now()
		if err := stop(); err != nil {
			t.Error(err)
		}
		if took := time.Since(began); took >= drainTimeout {
			t.Errorf("the daemon needed %v to stop while somebody listened", took)
		}
	})
}

func TestLiveHasNoMoreThanSixteenListeners(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, stop := liveDaemon(t, busy)
		var first net.Conn
		for i := range maxListeners {
			conn, response := p.listenTo(t)
			if response.StatusCode != http.StatusOK {
				t.Fatalf("listener %d: %s", i+1, response.Status)
			}
			if first == nil {
				first = conn // reads on: the others are silent, as a tab that hangs
				go io.Copy(io.Discard, response.Body)
			}
		}
		_, response := p.listenTo(t)
		text, _ := bufio.NewReader(response.Body).ReadString('\n')
		if response.StatusCode != http.StatusServiceUnavailable || response.Header.Get("Retry-After") == "" || !strings.Contains(text, "16 others") {
			t.Errorf("one more: %s, %q; want 503, when to come back, and why", response.Status, text)
		}
		time.Sleep(2 * time.Second)
		first.Close()
		time.Sleep(2 * time.Second)
		if _, response := p.listenTo(t); response.StatusCode != http.StatusOK {
			t.Errorf("after one has gone: %s, want 200", response.Status)
		}
		// Those that take nothing are thrown out when an event cannot be written.
		time.Sleep(writeTimeout + 3*time.Second)
		if _, response := p.listenTo(t); response.StatusCode != http.StatusOK {
			t.Errorf("after the silent ones have had their time: %s, want 200", response.Status)
		}
		stop()
	})
}

func TestLiveKnowsEveryFigureOfThePage(t *testing.T) {
	page := get(t, busy, "/")
	told := busy().news(Point{})
	keys := regexp.MustCompile(`data-figure="([^"]+)"`).FindAllStringSubmatch(page, -1)
	if len(keys) != len(told.Figures) || len(keys) < 30 {
		t.Errorf("%d figures on the page, %d in an event", len(keys), len(told.Figures))
	}
	for _, key := range keys {
		figure, ok := told.Figures[key[1]]
		if !ok || !strings.Contains(page, ">"+figure[0]+"<") || !strings.Contains(page, ">"+figure[1]+"<") {
			t.Errorf("%s is %q in an event, and not so on the page", key[1], figure)
		}
	}
	if len(told.Upstreams) != 2 || told.Upstreams[0].State != "failing: no response within 1.5s" || len(told.Notes) != len(busy().Notes()) {
		t.Errorf("upstreams %+v, notes %q", told.Upstreams, told.Notes)
	}
	if dead().news(Point{}).Working {
		t.Error("a daemon in trouble is told to be working")
	}
}
