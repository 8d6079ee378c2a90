package status

import (
	"net/http"
	"sync"
	"time"
)

// How many of the busiest domains are shown, and how old they may be: to find them takes a look at the whole cache.
const (
	shownBusiest = 20
	busiestAge   = 5 * time.Second
)

// Busy is a domain that mail goes to.
type Busy struct {
	Domain string `json:"domain"`
	Hits   uint32 `json:"hits"` // of its MX answer, of late: halved whenever it is fetched anew
}

// busiest answers GET /busiest with an array of Busy, the busiest first. It tells who writes to whom, so it is for whom
// GET /dump is for.
func (d Daemon) busiest(mux *http.ServeMux) {
	if d.Busiest == nil {
		return
	}
	var (
		mu    sync.Mutex
		taken time.Time // when known was; guarded by mu
		known []Busy    // guarded by mu
	)
	mux.Handle("GET /busiest", d.trusted(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		if now := time.Now(); now.Sub(taken) > busiestAge || known == nil {
			known, taken = append([]Busy{}, d.Busiest(shownBusiest)...), now
		}
		writeJSON(w, known)
	})))
}
