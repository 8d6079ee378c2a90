package status

import (
	"bytes"
	"crypto/sha256"
	_ "embed" // the page and its style
	"encoding/base64"
	"html/template"
	"log/slog"
	"net/http"

	"github.com/mxglue/mxglue/resolver/upstream"
)

//go:embed page.html
var pageHTML string

//go:embed page.css
var pageCSS string

// upstreamColumns head the table of upstreams, beside address and state.
var upstreamColumns = []string{"queries", "failures", "mismatched", "over TCP", "round trip", "DNSSEC"}

// An upstreamLine is one upstream in a table.
type upstreamLine struct {
	Address string
	Cells   []string // as upstreamColumns
	State   string
	Failing bool
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

// A page renders Snapshots for people.
type page struct {
	template *template.Template
	policy   string // the Content-Security-Policy that lets the page have its own style and nothing else
}

func newPage() page {
	sum := sha256.Sum256([]byte(pageCSS))
	return page{
		template: template.Must(template.New("page").Parse(pageHTML)), // embedded: right or wrong at build time
		policy: "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) +
			"'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
	}
}

func (p page) write(w http.ResponseWriter, s Snapshot) {
	lines := make([]upstreamLine, len(s.Upstreams))
	for i, u := range s.Upstreams {
		lines[i] = s.lineOf(u)
	}
	var text bytes.Buffer
	err := p.template.Execute(&text, struct {
		Snapshot
		Style   template.CSS
		Columns []string
		Lines   []upstreamLine
	}{s, template.CSS(pageCSS), upstreamColumns, lines})
	if err != nil {
		slog.Error("status: cannot render the page", "error", err)
		http.Error(w, "the page cannot be rendered; the log says why", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Write(text.Bytes())
}
