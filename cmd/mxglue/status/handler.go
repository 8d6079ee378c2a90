package status

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/mxglue/mxglue/cache"
	"github.com/mxglue/mxglue/resolver"
	"github.com/mxglue/mxglue/smtpprobe/monitor"
)

// A Daemon is what the status side shows and commands. Its functions are called by several goroutines at a time.
type Daemon struct {
	Snapshot func() Snapshot // called once per request
	// Flush forgets a domain and what came with it, Dump tells what is known at or below one, at most so many. Their
	// errors say what is wrong with the domain as it stood in the request.
	Flush  func(domain string) (flushed int, err error)
	Dump   func(domain string, most int) ([]cache.Known, error)
	Reload func() (Reloaded, error) // reads the configuration anew; an error says why nothing of it holds
	// Explain tells what is known of a domain's mail hosts; with ask it asks upstream for what is missing, until ctx ends.
	// nil: there is no /explain. Verdict is the monitor's last word on a domain, and when that was; nil: there is no monitor.
	Verdict func(domain string) (text string, at time.Time, ok bool)
	Explain func(ctx context.Context, domain string, ask bool) (resolver.Explanation, error)
	Token   string // that lets clients flush, dump and reload that are not on loopback; "" is none

	Probes  Probes           // what GET /probe may do
	Monitor *monitor.Monitor // what GET /monitor and /metrics read; nil: nothing is monitored

	// What only the page has: its history, which cmd runs, and the domains that were mailed to most of late, at most so
	// many, the busiest first. Where one is nil, the page goes without.
	Series  *Series
	Busiest func(most int) []Busy
}

// Handler answers GET and HEAD of /stats, /metrics, /healthz, /monitor, / and what that page needs (/assets/, /live, /series),
// GET of /probe (probe.go), and to trusted clients (control.go) POST /flush and GET /dump, both with ?name=DOMAIN, POST
// /reload, /explain and GET /busiest. Other methods get 405, other paths 404, foreign Host names 403.
func (d Daemon) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /stats", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, d.Snapshot()) })
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { writeHealth(w, d.Snapshot()) })
	mux.Handle("GET /metrics", promhttp.HandlerFor(d.registry(), promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /monitor", d.monitored)
	if d.Series != nil {
		mux.HandleFunc("GET /live", d.Series.live)
		mux.HandleFunc("GET /series", d.Series.history)
	}
	d.probe(mux)
	d.control(mux)
	d.busiest(mux)
	d.page(mux) // the last: it asks what else there is
	return guard(mux)
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
func guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header := w.Header()
		header.Set("Content-Security-Policy", policy)
		header.Set("X-Content-Type-Options", "nosniff")
		header.Set("X-Frame-Options", "DENY")
		header.Set("Referrer-Policy", "no-referrer")
		header.Set("Cross-Origin-Resource-Policy", "same-origin")
		header.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
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
