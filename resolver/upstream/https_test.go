package upstream

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/miekg/dns"
)

// web is a DNS over HTTPS server.
type web struct {
	*httptest.Server
	ca         *authority
	handshakes atomic.Int32
}

// post is one query as it got there.
type post struct {
	query
	*http.Request
	w http.ResponseWriter
}

// say answers.
func (p post) say(m *dns.Msg) {
	p.w.Header().Set("Content-Type", mediaType)
	p.w.Write(packed(m))
}

// serveWeb serves https://dns.example, over HTTP/2 if so wished.
func serveWeb(t testing.TB, h2 bool, answer func(p post)) *web {
	t.Helper()
	w := &web{ca: newAuthority(t)}
	w.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		p := post{query{Msg: new(dns.Msg), packed: body}, r, rw}
		if err == nil {
			err = p.Unpack(body)
		}
		if err != nil {
			t.Errorf("%s %s: %x: %v", r.Method, r.URL, body, err)
		}
		answer(p)
	}))
	w.EnableHTTP2 = h2
	w.Config.ErrorLog = log.New(io.Discard, "", 0)
	w.TLS = config(w.ca.issue(t, "dns.example", time.Hour))
	w.TLS.VerifyConnection = func(tls.ConnectionState) error { w.handshakes.Add(1); return nil }
	w.StartTLS()
	t.Cleanup(w.Close)
	return w
}

func (w *web) at() netip.AddrPort { return netip.MustParseAddrPort(w.Listener.Addr().String()) }

// open returns the upstream that w is, found by ip= and the rest of the query.
func (w *web) open(t testing.TB, query string) *Upstream {
	t.Helper()
	u, err := New(fmt.Sprintf("https://dns.example:%d/dns-query%s", w.at().Port(), query))
	if err != nil {
		t.Fatal(err)
	}
	u.RootCAs = w.ca.roots
	t.Cleanup(u.Close)
	return u
}

const here = "?ip=127.0.0.1"

func answerPost(p post) {
	p.say(p.reply(fmt.Sprintf("%s 60 IN A %v", p.Question[0].Name, addressOf(p.Question[0].Name))))
}

// The request is as RFC 8484 §4.1 wants it, padded, and tells nothing of us.
func TestHTTPS(t *testing.T) {
	posts := make(chan post, 1)
	w := serveWeb(t, true, func(p post) { posts <- p; answerPost(p) })
	u := w.open(t, here+"&profile=mail")
	if err := ask(soon(t), u, 1); err != nil {
		t.Fatal(err)
	}
	p := <-posts
	if got := fmt.Sprint(p.Proto, " ", p.Method, " ", p.URL, " ", p.Host); got != fmt.Sprintf("HTTP/2.0 POST /dns-query?profile=mail dns.example:%d", w.at().Port()) {
		t.Errorf("request: %s", got)
	}
	for name, want := range map[string]string{"Content-Type": mediaType, "Accept": mediaType, "User-Agent": "", "Cookie": "", "Accept-Encoding": ""} {
		if got := p.Header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if p.Id != 0 || !p.RecursionDesired || !p.IsEdns0().Do() {
		t.Errorf("query: %v", p.Msg)
	}
	checkPadded(t, p.query)
	if st := u.Stats(); st.Queries != 1 || st.TCP != 1 || st.Connections != 1 || st.Failures != 0 {
		t.Errorf("stats: %+v", st)
	}
}

// One handshake serves many queries, and few serve many at once.
func TestHTTPSReuse(t *testing.T) {
	w := serveWeb(t, true, answerPost)
	u := w.open(t, here)
	for i := range 20 {
		if err := ask(soon(t), u, i); err != nil {
			t.Fatal(err)
		}
	}
	if n := w.handshakes.Load(); n != 1 {
		t.Errorf("%d handshakes for 20 queries", n)
	}
	for range 3 {
		for _, err := range askAll(soon(t), u, 100) {
			if err != nil {
				t.Error(err)
			}
		}
	}
	cold := w.open(t, here)
	for _, err := range askAll(soon(t), cold, 100) {
		if err != nil {
			t.Error(err)
		}
	}
	if n := cold.Stats().Connections; n > maxConns {
		t.Errorf("%d connections for 100 queries at once, want at most %d", n, maxConns)
	}
}

// Connections that the server closes while they are idle cost no error.
func TestHTTPSClosedIdle(t *testing.T) {
	w := serveWeb(t, true, answerPost)
	u := w.open(t, here)
	for i := range 10 {
		if err := ask(soon(t), u, i); err != nil {
			t.Error(err)
		}
		w.CloseClientConnections()
	}
	if st := u.Stats(); st.Failures != 0 || st.Connections < 2 {
		t.Errorf("stats: %+v", st)
	}
}

// A connection that is torn in the middle of an answer is an error at once.
func TestHTTPSTorn(t *testing.T) {
	w := serveWeb(t, true, func(p post) {
		p.w.Header().Set("Content-Type", mediaType)
		p.w.Write(packed(p.reply())[:5])
		p.w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	})
	ctx := soon(t)
	if err := ask(ctx, w.open(t, here), 1); err == nil || ctx.Err() != nil {
		t.Errorf("got error %v", err)
	}
}

func TestHTTPSCertificate(t *testing.T) {
	w, other := serveWeb(t, true, answerPost), newAuthority(t)
	for what, cert := range map[string]tls.Certificate{
		"not dns.example":   w.ca.issue(t, "evil.example", time.Hour),
		"unknown authority": other.issue(t, "dns.example", time.Hour),
		"expired":           w.ca.issue(t, "dns.example", -time.Minute),
	} {
		w.TLS.Certificates[0] = cert
		if err := ask(soon(t), w.open(t, here), 1); err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("got error %v, want one with %q", err, what)
		}
	}
}

// HTTP/1.1 has no streams: a server without HTTP/2 is refused, and told why.
func TestHTTPSWithoutHTTP2(t *testing.T) {
	w := serveWeb(t, false, func(p post) { t.Errorf("asked over %s", p.Proto) })
	for _, protocols := range [][]string{{"http/1.1"}, nil} {
		w.TLS.NextProtos = protocols
		if err := ask(soon(t), w.open(t, here), 1); err == nil || !strings.Contains(err.Error(), "HTTP/2") && !strings.Contains(err.Error(), "application protocol") {
			t.Errorf("%v: got error %v", protocols, err)
		}
	}
}

// Whatever is no DNS message is an error that says what came instead.
func TestHTTPSResponses(t *testing.T) {
	for what, answer := range map[string]func(p post){
		"HTTP status 503": func(p post) { p.w.WriteHeader(http.StatusServiceUnavailable); answerPost(p) },
		"HTTP status 302": func(p post) { http.Redirect(p.w, p.Request, "/elsewhere", http.StatusFound) },
		"text/html":       func(p post) { p.w.Header().Set("Content-Type", "text/html"); p.w.Write(packed(p.reply())) },
		"65535 octets": func(p post) { // there is no end to it, but when we hang up
			p.w.Header().Set("Content-Type", mediaType)
			for _, err := p.w.Write(packed(p.reply())); err == nil; {
				_, err = p.w.Write(make([]byte, 1<<16))
			}
		},
		"truncated":      func(p post) { m := p.reply(); m.Truncated = true; p.say(m) },
		"does not match": func(p post) { m := p.reply(); m.Id = 1; p.say(m) },
		"not match":      func(p post) { m := p.reply(); m.Question[0] = named(2); p.say(m) },
		"malformed": func(p post) {
			p.w.Header().Set("Content-Type", mediaType)
			p.w.Write(append(packed(p.reply())[:12], 63))
		},
	} {
		t.Run(what, func(t *testing.T) {
			ended := make(chan bool, 1)
			u := serveWeb(t, true, func(p post) { answer(p); ended <- true }).open(t, here)
			if err := ask(t.Context(), u, 1); err == nil || !strings.Contains(err.Error(), what) {
				t.Errorf("got error %v, want one with %q", err, what)
			}
			select {
			case <-ended:
			case <-time.After(patience):
				t.Error("the response is still being sent")
			}
			if st := u.Stats(); st.Failures != 1 || (st.Mismatched == 1) != strings.HasSuffix(what, "match") {
				t.Errorf("stats: %+v", st)
			}
		})
	}
}

// Time spent in an HTTP cache counts (RFC 8484 §5.1).
func TestHTTPSAge(t *testing.T) {
	for age, want := range map[string]uint32{"": 300, "0": 300, "100": 200, "300": 0, "4000": 0, "-5": 300, "old": 300} {
		w := serveWeb(t, true, func(p post) {
			p.w.Header().Set("Age", age)
			m := p.reply(right)
			m.SetEdns0(4096, true)
			p.say(m)
		})
		r, err := w.open(t, here).Exchange(soon(t), question, false)
		if err != nil {
			t.Fatal(err)
		}
		if got := r.Msg.Answer[0].Header().Ttl; got != want || !r.Msg.IsEdns0().Do() {
			t.Errorf("Age %q: TTL %d, want %d; OPT %v", age, got, want, r.Msg.IsEdns0())
		}
	}
}

// The server's address comes from ip=, or from Lookup; the next address is tried where the first leads nowhere.
func TestHTTPSAddress(t *testing.T) {
	w := serveWeb(t, true, answerPost)
	if err := ask(soon(t), w.open(t, "?ip=127.0.0.9&ip=127.0.0.1"), 1); err != nil {
		t.Error(err)
	}

	u := w.open(t, "")
	if err := ask(soon(t), u, 1); err == nil || !strings.Contains(err.Error(), "?ip=") {
		t.Errorf("without an address: error %v", err)
	}
	u.Lookup = func(ctx context.Context, host string) ([]netip.Addr, error) {
		if _, ends := ctx.Deadline(); host != "dns.example" || !ends {
			t.Errorf("%q was looked up; with a deadline: %v", host, ends)
		}
		return []netip.Addr{w.at().Addr()}, nil
	}
	if err := ask(soon(t), u, 1); err != nil {
		t.Error(err)
	}

	failed := errors.New("no such name")
	for _, found := range []error{failed, nil} {
		u := w.open(t, "")
		u.Lookup = func(context.Context, string) ([]netip.Addr, error) { return nil, found }
		if err := ask(soon(t), u, 1); err == nil || !errors.Is(err, found) && found != nil || !strings.Contains(err.Error(), "dns.example") {
			t.Errorf("lookup fails with %v: error %v", found, err)
		}
	}
}

// A silent server is waited for until the context ends.
func TestHTTPSSilent(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	w := serveWeb(t, true, func(p post) { cancel(); <-p.Context().Done() })
	u := w.open(t, here)
	if err := ask(ctx, u, 1); !errors.Is(err, context.Canceled) {
		t.Errorf("got error %v", err)
	}
	if st := u.Stats(); st.Failures != 0 {
		t.Errorf("stats: %+v", st)
	}
}

// However many addresses a lookup brings, few are tried, and the first that hangs does not use up the time of the others.
func TestHTTPSAddressesBounded(t *testing.T) {
	for what, leads := range map[string]func(ctx context.Context) error{
		"nowhere": func(context.Context) error { return errors.New("no route") },
		"hangs":   func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() },
	} {
		synctest.Test(t, func(t *testing.T) {
			u, err := New("https://dns.example/q")
			if err != nil {
				t.Fatal(err)
			}
			u.Lookup = func(context.Context, string) ([]netip.Addr, error) { return make([]netip.Addr, 100), nil }
			dials := 0
			u.dial = func(ctx context.Context, _, _ string) (net.Conn, error) {
				dials++
				if end, _ := ctx.Deadline(); time.Until(end) < dialTimeout/maxAddresses {
					t.Errorf("%s: %v is left for address %d", what, time.Until(end), dials)
				}
				return nil, leads(ctx)
			}
			began := time.Now()
			if err := ask(t.Context(), u, 1); err == nil || dials != maxAddresses || time.Since(began) > dialTimeout {
				t.Errorf("%s: %d addresses tried in %v, error %v", what, dials, time.Since(began), err)
			}
		})
	}
}

// pipeListener is a port without a network.
type pipeListener chan net.Conn

func (l pipeListener) Accept() (net.Conn, error) {
	if conn, ok := <-l; ok {
		return conn, nil
	}
	return nil, net.ErrClosed
}
func (l pipeListener) Close() error   { return nil }
func (l pipeListener) Addr() net.Addr { return &net.TCPAddr{} }

// mute is a connection that can die without a word: what is written gets lost from then on.
type mute struct {
	net.Conn
	dead *atomic.Bool
}

func (m mute) Write(p []byte) (int, error) {
	if m.dead.Load() {
		return len(p), nil
	}
	return m.Conn.Write(p)
}

// TestHTTPSConnectionEnds sees, in the time of a bubble, that an idle connection is closed and that a dead one is left.
func TestHTTPSConnectionEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ca, port := newAuthority(t), make(pipeListener)
		var closed atomic.Int64 // when a connection was, seconds
		server := &http.Server{
			Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				p := post{query{Msg: new(dns.Msg)}, r, w}
				if body, err := io.ReadAll(r.Body); err == nil && p.Unpack(body) == nil {
					answerPost(p)
				}
			}),
			TLSConfig: config(ca.issue(t, "dns.example", time.Hour)),
			ErrorLog:  log.New(io.Discard, "", 0),
			ConnState: func(_ net.Conn, state http.ConnState) {
				if state == http.StateClosed {
					closed.Store(time.Now().Unix())
				}
			},
		}
		go server.ServeTLS(port, "", "")
		u, err := New("https://dns.example/q" + here)
		if err != nil {
			t.Fatal(err)
		}
		u.RootCAs = ca.roots
		var newest *atomic.Bool
		u.dial = func(context.Context, string, string) (net.Conn, error) {
			at, there := net.Pipe()
			port <- there
			newest = new(atomic.Bool)
			return mute{at, newest}, nil
		}
		if err := ask(t.Context(), u, 1); err != nil {
			t.Fatal(err)
		}
		last := time.Now()
		time.Sleep(idleTimeout + time.Second)
		synctest.Wait()
		if idle := closed.Load() - last.Unix(); idle != int64(idleTimeout/time.Second) {
			t.Errorf("the idle connection was closed after %d s, want %v", idle, idleTimeout)
		}

		if err := ask(t.Context(), u, 2); err != nil {
			t.Fatal(err)
		}
		newest.Store(true)
		ctx, cancel := context.WithTimeout(t.Context(), 1500*time.Millisecond)
		defer cancel()
		if err := ask(ctx, u, 3); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("over a dead connection: error %v", err)
		}
		time.Sleep(3 * time.Second)
		ctx, cancel = context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := ask(ctx, u, 4); err != nil {
			t.Errorf("after the connection died: %v", err)
		}
		if n := u.Stats().Connections; n != 3 {
			t.Errorf("%d connections, want 3", n)
		}
		u.Close()
		close(port)
		server.Close()
	})
}
