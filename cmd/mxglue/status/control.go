package status

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"sync"
)

// MaxDump is the most entries that one GET /dump shows.
const MaxDump = 10_000

// control has the paths that show and change more than figures. They are for clients on this host's loopback addresses and
// for those that bring the token.
func (d Daemon) control(mux *http.ServeMux) {
	// Browsers send what a foreign page wants them to send, and this host's browser is on loopback: Sec-Fetch-Site or
	// Origin says whose wish it was.
	own := http.NewCrossOriginProtection()
	own.SetDenyHandler(refusal("this comes from another web page: mxglue takes orders from its own host's commands only"))
	mux.Handle("POST /flush", d.trusted(own.Handler(http.HandlerFunc(d.flush))))
	mux.Handle("POST /reload", d.trusted(own.Handler(http.HandlerFunc(d.reload))))
	d.explains(mux, own)
	var oneAtATime sync.Mutex // a dump takes much memory
	mux.Handle("GET /dump", d.trusted(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		oneAtATime.Lock()
		defer oneAtATime.Unlock()
		d.dump(w, r)
	})))
}

// flush answers {"flushed": n}.
func (d Daemon) flush(w http.ResponseWriter, r *http.Request) {
	flushed, err := d.Flush(r.URL.Query().Get("name"))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	writeJSON(w, struct {
		Flushed int `json:"flushed"`
	}{flushed})
}

// Reloaded is what a reload has brought about. Keys are those of config.yaml.
type Reloaded struct {
	File      string   `json:"file"`          // that was read, or "built-in defaults"
	Changed   []string `json:"changed"`       // keys that hold now and did not before
	Restart   []string `json:"after_restart"` // keys whose values hold after a restart only
	Forgotten int      `json:"forgotten"`     // replies that others are asked for now, or that were failures
}

// reload answers a Reloaded. If nothing was taken over the status is 422 and the text says why, one line for each mistake.
func (d Daemon) reload(w http.ResponseWriter, _ *http.Request) {
	done, err := d.Reload()
	if err != nil {
		http.Error(w, err.Error(), http.StatusUnprocessableEntity)
		return
	}
	writeJSON(w, done)
}

// dump answers an array of cache.Known, of everything if no name is given.
func (d Daemon) dump(w http.ResponseWriter, r *http.Request) {
	name := "."
	if query := r.URL.Query(); query.Has("name") {
		name = query.Get("name")
	}
	known, err := d.Dump(name, MaxDump)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	writeJSON(w, known)
}

// trusted lets pass who is on this host or brings the token.
func (d Daemon) trusted(next http.Handler) http.Handler {
	say := "this is for clients on loopback; others need status.token, which is not set: ask on the host that mxglue runs on, or set it"
	if d.Token != "" {
		say = "this is for clients on loopback, and for others with the header \"Authorization: Bearer TOKEN\" (status.token)"
	}
	refuse := refusal(say)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if onLoopback(r.RemoteAddr) || d.hasToken(r) {
			next.ServeHTTP(w, r)
			return
		}
		refuse.ServeHTTP(w, r)
	})
}

func onLoopback(remote string) bool {
	at, err := netip.ParseAddrPort(remote)
	return err == nil && at.Addr().IsLoopback()
}

// hasToken compares digests, whose length tells nothing, in a time that tells nothing.
func (d Daemon) hasToken(r *http.Request) bool {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	want, got := sha256.Sum256([]byte(d.Token)), sha256.Sum256([]byte(token))
	same := subtle.ConstantTimeCompare(want[:], got[:]) == 1
	return same && d.Token != "" && strings.EqualFold(scheme, "Bearer") // RFC 9110 §11.1: in any case
}

// refusal answers 403. It is not logged: a stranger could fill the log.
func refusal(sentence string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, sentence, http.StatusForbidden)
	})
}

func writeJSON(w http.ResponseWriter, v any) {
	text, err := json.MarshalIndent(v, "", "  ")
	if err != nil { // a figure that is no number
		slog.Error("status: cannot render JSON", "error", err)
		http.Error(w, "this cannot be rendered as JSON; the log says why", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Write(append(text, '\n'))
}
