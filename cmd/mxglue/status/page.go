package status

import (
	"embed"
	"io"
	"io/fs"
	"net/http"

	"github.com/mxglue/mxglue/resolver/upstream"
)

// The page, and what it loads: no asset comes from elsewhere, and none is built.
//
//go:embed web
var web embed.FS

// policy is the Content-Security-Policy of every response: our own files and nothing else, none of it inline, and no text
// becomes markup.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"base-uri 'none'; form-action 'self'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"

// upstreamColumns head the table of upstreams, beside address and state.
var upstreamColumns = []string{"queries", "failures", "mismatched", "over TCP", "round trip", "DNSSEC"}

// An upstreamLine is one upstream in a table.
type upstreamLine struct {
	Address string   `json:"address"`
	Cells   []string `json:"cells"` // as upstreamColumns
	State   string   `json:"state"`
	Failing bool     `json:"failing"`
}

func (s Snapshot) lineOf(u upstream.Stats) upstreamLine {
	line := upstreamLine{Address: u.Address, State: state(u)}
	line.Failing = line.State == failing || line.State == down
	roundTrip, dnssec := "–", "–"
	if u.RTTms > 0 {
		roundTrip = Duration(milliseconds(u.RTTms))
	}
	switch {
	case s.stripped(u):
		dnssec = "AD stripped"
	case u.Validates:
		dnssec = "validates"
	}
	if line.Failing {
		line.State += ": " + reason(u)
	}
	line.Cells = []string{Count(u.Queries), Count(u.Failures), Count(u.Mismatched), Count(u.TCP), roundTrip, dnssec}
	return line
}

func (s Snapshot) lines() []upstreamLine {
	lines := make([]upstreamLine, len(s.Upstreams))
	for i, u := range s.Upstreams {
		lines[i] = s.lineOf(u)
	}
	return lines
}

// saved is what stands at the top of the page.
func (s Snapshot) saved() Section { return Section{"Saved", s.Tiles()} }

// Key names a figure of the section on the page, as both label and title are there but once.
func (s Section) Key(f Figure) string { return s.Title + "/" + f.Label }

// page routes the page and its assets. What else is routed must have been.
func (d Daemon) page(mux *http.ServeMux) {
	text, _ := web.ReadFile("web/page.html") // nothing embedded fails
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		v := view{
			Snapshot: d.Snapshot(),
			live:     d.Series != nil, busiest: d.Busiest != nil, explain: leads(mux, "/explain"), monitor: leads(mux, "/monitor"),
			trusted: onLoopback(r.RemoteAddr),
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		io.WriteString(w, v.fill(string(text)))
	})

	files, _ := fs.Sub(web, "web") // the name is valid
	serve := http.FileServerFS(files)
	fs.WalkDir(files, "assets", func(path string, entry fs.DirEntry, _ error) error { // nothing embedded fails
		if !entry.IsDir() {
			mux.Handle("GET /"+path, serve) // each by its name: no listing of a directory
		}
		return nil
	})
}

// leads tells whether a path answers anything but 404.
func leads(mux *http.ServeMux, path string) bool {
	r, err := http.NewRequest(http.MethodHead, path, nil)
	if err != nil {
		return false
	}
	var answer statusOnly
	mux.ServeHTTP(&answer, r)
	return answer.code != http.StatusNotFound
}

// A statusOnly is a response of which nothing but the status is wanted.
type statusOnly struct {
	header http.Header
	code   int
}

// Header is the http.ResponseWriter's.
func (s *statusOnly) Header() http.Header {
	if s.header == nil {
		s.header = http.Header{}
	}
	return s.header
}

// WriteHeader takes the first status.
func (s *statusOnly) WriteHeader(code int) {
	if s.code == 0 {
		s.code = code
	}
}

// Write throws the body away.
func (s *statusOnly) Write(body []byte) (int, error) {
	s.WriteHeader(http.StatusOK)
	return len(body), nil
}
