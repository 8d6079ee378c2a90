package status

import (
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/mxglue/mxglue/cache"
)

// A Daemon is what the status side shows and commands. Its functions are called by several goroutines at a time.
type Daemon struct {
	Snapshot func() Snapshot // called once per request
	// Flush forgets a domain and what came with it, Dump tells what is known at or below one, at most so many. Their
	// errors say what is wrong with the domain as it stood in the request.
	Flush func(domain string) (flushed int, err error)
	Dump  func(domain string, most int) ([]cache.Known, error)
	Token string // that lets clients flush and dump that are not on loopback; "" is none
}

// Handler answers GET and HEAD of /stats, /metrics, /healthz and /, and to trusted clients (control.go) POST /flush and
// GET /dump, both with ?name=DOMAIN. Other methods get 405, other paths 404, foreign Host names 403.
func (d Daemon) Handler() http.Handler {
	page := newPage()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /stats", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, d.Snapshot()) })
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { writeHealth(w, d.Snapshot()) })
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry(d.Snapshot), promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) { page.write(w, d.Snapshot()) })
	d.control(mux)
	return guard(mux, page.policy)
}

// writeHealth answers 200 "ok", or 503 and what is wrong.
func writeHealth(w http.ResponseWriter, s Snapshot) {
	if trouble := s.Trouble(); trouble != "" {
		http.Error(w, trouble, http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	io.WriteString(w, "ok\n")
}

// guard refuses foreign hosts and sets the headers that every response has.
func guard(next http.Handler, policy string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header := w.Header()
		header.Set("Content-Security-Policy", policy)
		header.Set("X-Content-Type-Options", "nosniff")
		header.Set("X-Frame-Options", "DENY")
		header.Set("Referrer-Policy", "no-referrer")
		header.Set("Cross-Origin-Resource-Policy", "same-origin")
		header.Set("Cache-Control", "no-store")
		if !ownHost(r.Host) {
			http.Error(w, "this address is only answered by its number or as localhost, not by another name", http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// ownHost tells whether a Host header (RFC 9110 §7.2) can be meant for us: an IP address, as status.listen is one, or
// localhost. A browser that a foreign page has led here by DNS rebinding says the foreign name. None at all is HTTP/1.0,
// which no browser speaks.
func ownHost(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	_, err := netip.ParseAddr(host)
	return err == nil || host == "" || strings.EqualFold(host, "localhost")
}
