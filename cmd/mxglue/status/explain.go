package status

import (
	"context"
	"net/http"
	"time"

	"github.com/mxglue/mxglue/resolver"
)

// An Explanation is what GET /explain shows: the fields of resolver.Explanation, and what follows from them.
type Explanation struct {
	resolver.Explanation
	Postfix string   `json:"postfix"`           // what a Postfix that asks this daemon would do, a sentence
	Verdict *Verdict `json:"verdict,omitempty"` // the prober's last word
}

// A Verdict is what the prober last found.
type Verdict struct {
	Text string    `json:"text"`
	At   time.Time `json:"at"`
}

// askPatience is how long POST /explain asks: it stays below writeTimeout.
const askPatience = 8 * time.Second

// explains has the path that tells what is known of a domain, if there is somebody to tell it. GET asks nobody; POST asks
// upstream for what is missing, and so no web page may send it.
func (d Daemon) explains(mux *http.ServeMux, own *http.CrossOriginProtection) {
	if d.Explain == nil {
		return
	}
	mux.Handle("GET /explain", d.trusted(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { d.explain(w, r, false) })))
	mux.Handle("POST /explain", d.trusted(own.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { d.explain(w, r, true) }))))
}

// explain answers an Explanation.
func (d Daemon) explain(w http.ResponseWriter, r *http.Request, ask bool) {
	ctx, cancel := context.WithTimeout(r.Context(), askPatience)
	defer cancel()
	known, err := d.Explain(ctx, r.URL.Query().Get("name"), ask)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	e := Explanation{Explanation: known, Postfix: postfix(known)}
	if d.Verdict != nil {
		if text, at, ok := d.Verdict(known.Domain); ok {
			e.Verdict = &Verdict{text, at}
		}
	}
	writeJSON(w, e)
}
