package status

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mxglue/mxglue/smtpprobe"
)

// The answer is there half a second before the scraper gives up, the goodbye of the probe included.
func TestProbeHonoursTheScrapeTimeout(t *testing.T) {
	for header, want := range map[string]time.Duration{
		"10": 8550 * time.Millisecond, "30": 28500 * time.Millisecond, "0.4": 360 * time.Millisecond, "": 119 * time.Second, "1e300": 119 * time.Second, "+Inf": 119 * time.Second,
	} {
		synctest.Test(t, func(t *testing.T) {
			d := prober(nil)
			module := d.Probes.Modules["mx"]
			module.Probe = func(ctx context.Context, _ string, _ bool) (smtpprobe.Report, []Question) {
				began := time.Now()
				<-ctx.Done()
				if took := time.Since(began); took != want {
					t.Errorf("%s: %q: the probe has %v, want %v", scrapeTimeoutHeader, header, took, want)
				}
				return smtpprobe.Report{Domain: "example.com", Status: smtpprobe.StatusUnknown, Senders: smtpprobe.Senders{Plain: smtpprobe.OutcomeUnknown}}, nil
			}
			d.Probes.Modules["mx"] = module
			var headers []string
			if header != "" {
				headers = []string{scrapeTimeoutHeader + ": " + header}
			}
			response := tell(d, "GET", "/probe?target=example.com", "127.0.0.1:1", headers...)
			has(t, samples(t, body(t, response)), "probe_success{} 0", "mxglue_domain_status{domain=example.com} 3",
				"probe_duration_seconds{} "+strconv.FormatFloat(want.Seconds(), 'f', -1, 64))
		})
	}
}

// A seventeenth probe is turned away, and let in once there is room.
func TestProbesAtOnceAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := prober(nil)
		module := d.Probes.Modules["mx"]
		module.Probe = func(ctx context.Context, _ string, _ bool) (smtpprobe.Report, []Question) {
			<-ctx.Done()
			return halfUp(), nil
		}
		d.Probes.Modules["mx"] = module
		handler := d.Handler()
		get := func() *http.Response { return serveOne(handler, "/probe?target=example.com") }
		for range maxProbes {
			go get()
		}
		synctest.Wait()
		response := get()
		if text := body(t, response); response.StatusCode != http.StatusServiceUnavailable || response.Header.Get("Retry-After") != "5" || !strings.Contains(text, "16 probes") {
			t.Errorf("one too many: %s, Retry-After %q, %q; want 503, 5 and why", response.Status, response.Header.Get("Retry-After"), text)
		}
		time.Sleep(3 * time.Minute) // of the bubble: the others end
		if response := get(); response.StatusCode != http.StatusOK {
			t.Errorf("with room: %s, want 200", response.Status)
		}
	})
}

// The server's deadlines, 5 s for reading a request and 10 s for writing, end no probe. Over the HTTP server as it runs.
func TestProbeMayTakeLongerThanOtherRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := prober(nil)
		module := d.Probes.Modules["mx"]
		module.Probe = func(ctx context.Context, _ string, _ bool) (smtpprobe.Report, []Question) {
			select {
			case <-time.After(25 * time.Second):
			case <-ctx.Done():
				t.Errorf("cut short: %v", context.Cause(ctx))
			}
			return halfUp(), nil
		}
		d.Probes.Modules["mx"] = module
		ctx, cancel := context.WithCancel(t.Context())
		listener := newPipes()
		ended := make(chan error)
		go func() { ended <- Serve(ctx, listener, d.Handler()) }()
		conn := listener.dial()
		fmt.Fprintf(conn, "GET /probe?target=example.com HTTP/1.0\r\nHost: localhost\r\n%s: 30\r\n\r\n", scrapeTimeoutHeader)
		text, err := io.ReadAll(conn)
		if err != nil || !strings.HasPrefix(string(text), "HTTP/1.0 200 OK\r\n") || !strings.Contains(string(text), "\nprobe_success 1\n") {
			t.Errorf("%v, %s", err, text)
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

// A probe under way when mxglue stops is cut short, in time to say QUIT, and is no result.
func TestProbeEndsWhenTheDaemonStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := prober(nil)
		module := d.Probes.Modules["mx"]
		ctx, cancel := context.WithCancel(t.Context())
		module.Probe = func(ctx context.Context, _ string, _ bool) (smtpprobe.Report, []Question) {
			cancel()
			began := time.Now()
			<-ctx.Done()
			if took := time.Since(began); took > 0 {
				t.Errorf("the probe goes on for %v", took)
			}
			time.Sleep(time.Second) // of the bubble: the goodbye
			return halfUp(), nil
		}
		d.Probes.Modules["mx"] = module
		listener := newPipes()
		ended := make(chan error)
		go func() { ended <- Serve(ctx, listener, d.Handler()) }()
		conn := listener.dial()
		fmt.Fprint(conn, "GET /probe?target=example.com HTTP/1.0\r\nHost: localhost\r\n\r\n")
		if text, err := io.ReadAll(conn); err != nil || !strings.HasPrefix(string(text), "HTTP/1.0 503 ") || strings.Contains(string(text), "probe_success") {
			t.Errorf("%v, %s", err, text)
		}
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

// serveOne sends one GET to a handler.
func serveOne(handler http.Handler, path string) *http.Response {
	request := httptest.NewRequest("GET", path, nil)
	request.Host = "localhost"
	recorder := httptest.NewRecorder()
	handler.ServeHTTP(recorder, request)
	return recorder.Result()
}

// pipes is a listener whose connections live in a synctest bubble.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
}

func newPipes() *pipes { return &pipes{make(chan net.Conn), make(chan struct{})} }

func (p *pipes) dial() net.Conn {
	client, server := net.Pipe()
	p.conns <- server
	return client
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case conn := <-p.conns:
		return conn, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	close(p.closed)
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 8053} }
