package status

import (
	"context"
	"fmt"
	"net/http"
	"time"
)

// The limits of GET /live. A browser comes back by itself when its time is up, and so nobody who has gone without a word
// keeps a place for longer.
const (
	maxListeners = 16 // of maxConnections
	listenFor    = time.Hour
	comeBack     = 3 * time.Second
)

// news is one event of GET /live: the Point for the charts, and everything on the page that changes, in the page's words.
type news struct {
	Point     Point                `json:"point"`
	Version   string               `json:"version"`
	Working   bool                 `json:"working"`
	Uptime    string               `json:"uptime"`
	Figures   map[string][2]string `json:"figures"` // value and help, by Section.Key
	Upstreams []upstreamLine       `json:"upstreams"`
	Notes     []string             `json:"notes"`
}

func (s Snapshot) news(p Point) news {
	n := news{
		Point: p, Version: s.Version, Working: s.Trouble() == "", Uptime: s.Uptime(),
		Figures: map[string][2]string{}, Upstreams: s.lines(), Notes: s.Notes(),
	}
	for _, section := range append(s.Sections(), s.saved()) {
		for _, f := range section.Figures {
			n.Figures[section.Key(f)] = [2]string{f.Value, f.Help}
		}
	}
	return n
}

// live answers GET /live with server-sent events, one a second: JSON as in news.
func (s *Series) live(w http.ResponseWriter, r *http.Request) {
	heard := s.listen()
	if heard == nil {
		w.Header().Set("Retry-After", "60")
		http.Error(w, fmt.Sprintf("%d others are listening already, which is the most", maxListeners), http.StatusServiceUnavailable)
		return
	}
	defer s.leave(heard)
	w.Header().Set("Content-Type", "text/event-stream")
	if r.Method == http.MethodHead {
		return
	}
	conn := http.NewResponseController(w)
	ctx, cancel := context.WithTimeout(r.Context(), listenFor)
	defer cancel()
	text := fmt.Sprintf("retry: %d\n\n", comeBack.Milliseconds())
	for {
		conn.SetWriteDeadline(time.Now().Add(writeTimeout)) // for this event, not for all of them
		if _, err := w.Write([]byte(text)); err != nil || conn.Flush() != nil {
			return // it has gone
		}
		select {
		case <-ctx.Done():
			return
		case event := <-heard:
			text = "data: " + string(event) + "\n\n"
		}
	}
}

// listen makes a place for a listener; nil: all are taken.
func (s *Series) listen() chan []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.listeners) == maxListeners {
		return nil
	}
	heard := make(chan []byte, 1)
	s.listeners[heard] = true
	return heard
}

func (s *Series) leave(heard chan []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.listeners, heard)
}

// tell gives an event to every listener. One that has not taken the last yet misses this one: they do not build on one
// another.
func (s *Series) tell(event []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for heard := range s.listeners {
		select {
		case heard <- event:
		default:
		}
	}
}
