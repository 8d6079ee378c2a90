package status

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/mxglue/mxglue/smtpprobe"
)

// DefaultModule is meant by a GET /probe that names none.
const DefaultModule = "mx"

// The limits of GET /probe.
const (
	maxProbes   = 16                     // at once, as many as the prober has connections
	retryAfter  = 5 * time.Second        // for the next one
	scrapeSpare = 500 * time.Millisecond // the answer is on its way so long before the scraper gives up, as blackbox_exporter's
	mostGoodbye = time.Second            // a probe that is cut short says QUIT first
	writeSpare  = 5 * time.Second        // for the answer itself
)

const scrapeTimeoutHeader = "X-Prometheus-Scrape-Timeout-Seconds"

// Probes is what GET /probe may do.
type Probes struct {
	Modules map[string]Module
	Targets []string // domains, in A-labels, that may be asked about with all below them; none: every domain
}

// A Module is a way to probe.
type Module struct {
	// Probe makes one probe, and keeps the dialogue if transcript is set. It ends soon after ctx. The questions are what DNS
	// was asked for it.
	Probe     func(ctx context.Context, domain string, transcript bool) (smtpprobe.Report, []Question)
	Timeout   time.Duration // of the whole probe, at most
	Require   Require       // for probe_success
	Addresses bool          // metrics for each address
}

// A Question is one DNS question of a probe.
type Question struct {
	Name, Type   string // "example.com.", "MX"
	Source       string // of the answer: glue, bundle, cache, upstream; "" if it failed
	Began, Ended time.Time
}

// probes answers GET /probe.
type probes struct {
	Probes
	places chan struct{}
}

// probe adds the path that makes connections.
func (d Daemon) probe(mux *http.ServeMux) {
	mux.Handle("GET /probe", &probes{d.Probes, make(chan struct{}, maxProbes)})
	mux.HandleFunc("HEAD /probe", func(w http.ResponseWriter, _ *http.Request) { // or GET would stand for it
		w.Header().Set("Allow", http.MethodGet)
		w.WriteHeader(http.StatusMethodNotAllowed)
	})
}

// A request is a GET /probe that makes sense.
type request struct {
	domain, name string // of the module
	module       Module
	timeout      time.Duration
	debug        bool
}

func (p *probes) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if site := r.Header.Get("Sec-Fetch-Site"); site == "cross-site" || site == "same-site" {
		// https://www.w3.org/TR/fetch-metadata/: no foreign page makes connections through the browser of who runs mxglue.
		http.Error(w, "this comes from another web page: mxglue probes for scrapers and for whoever asks it directly", http.StatusForbidden)
		return
	}
	asked, code, err := p.read(r)
	if err != nil {
		http.Error(w, err.Error(), code)
		return
	}
	select {
	case p.places <- struct{}{}:
		defer func() { <-p.places }()
	default:
		w.Header().Set("Retry-After", strconv.Itoa(int(retryAfter.Seconds())))
		http.Error(w, fmt.Sprintf("%d probes are under way, which is the most at one time: ask again in %v", maxProbes, retryAfter), http.StatusServiceUnavailable)
		return
	}
	// The server's deadline for writing is for the other paths. A writer that has none has nothing to set.
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(asked.timeout + writeSpare))

	done := asked.probe(r.Context())
	if r.Context().Err() != nil { // the client has gone, or mxglue stops: what was found so far is not the domain's fault
		http.Error(w, "the probe was cut short: mxglue stops", http.StatusServiceUnavailable)
		return
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(done)
	if asked.debug {
		done.write(w, registry)
		return
	}
	promhttp.HandlerFor(registry, promhttp.HandlerOpts{}).ServeHTTP(w, r)
}

// read makes sense of a request. An error says what would be right, and comes with its HTTP status.
func (p *probes) read(r *http.Request) (asked request, code int, err error) {
	query := r.URL.Query()
	asked = request{name: cmp.Or(query.Get("module"), DefaultModule), debug: query.Get("debug") == "true"}
	known := false
	if asked.module, known = p.Modules[asked.name]; !known {
		return asked, http.StatusBadRequest, fmt.Errorf("module %.100q is unknown; there are %s (smtpprobe.modules)",
			asked.name, strings.Join(slices.Sorted(maps.Keys(p.Modules)), ", "))
	}
	target := query.Get("target")
	if target == "" {
		return asked, http.StatusBadRequest, fmt.Errorf("target is missing: ask for /probe?target=example.com&module=%s", asked.name)
	}
	if asked.domain, err = smtpprobe.ParseDomain(target); err != nil { // no host:port and no address: this is no port scanner
		return asked, http.StatusBadRequest, fmt.Errorf("target: %w", err)
	}
	if !p.covers(asked.domain) {
		return asked, http.StatusForbidden, fmt.Errorf("target %q is neither in smtpprobe.probe_targets nor below a domain that is", asked.domain)
	}
	asked.timeout, err = patience(r.Header.Get(scrapeTimeoutHeader), asked.module.Timeout)
	return asked, http.StatusBadRequest, err
}

// covers tells whether a domain may be asked about.
func (p *probes) covers(domain string) bool {
	return len(p.Targets) == 0 || slices.ContainsFunc(p.Targets, func(t string) bool { return domain == t || strings.HasSuffix(domain, "."+t) })
}

// patience is how long the answer may take: as the scraper says in its header, but for scrapeSpare, and never longer than
// most.
func patience(header string, most time.Duration) (time.Duration, error) {
	if header == "" {
		return most, nil
	}
	seconds, err := strconv.ParseFloat(header, 64)
	if err != nil || !(seconds > 0) {
		return 0, fmt.Errorf("%s: %.100q is not a number of seconds above 0", scrapeTimeoutHeader, header)
	}
	wanted := time.Duration(min(seconds, most.Seconds()+1) * float64(time.Second))
	if wanted > scrapeSpare {
		wanted -= scrapeSpare
	}
	return min(wanted, most), nil
}

// probe makes the probe. A tenth of the time, a second at most, is left for the goodbye of one that is cut short.
func (q request) probe(ctx context.Context) probed {
	ctx, cancel := context.WithTimeout(ctx, q.timeout-min(q.timeout/10, mostGoodbye))
	defer cancel()
	done := probed{request: q, began: time.Now()}
	done.report, done.questions = q.module.Probe(ctx, q.domain, q.debug)
	done.took = time.Since(done.began)
	slices.SortStableFunc(done.questions, func(a, b Question) int { return a.Began.Compare(b.Began) })
	return done
}
