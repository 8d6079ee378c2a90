package resolver

import (
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// background is the goroutines that nobody waits for until the end.
type background struct {
	mu     sync.Mutex
	closed bool
	all    sync.WaitGroup
}

// start runs f in a goroutine, unless the end has come.
func (b *background) start(f func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.closed {
		b.all.Go(f)
	}
}

func (b *background) close() {
	b.mu.Lock()
	b.closed = true
	b.mu.Unlock()
	b.all.Wait()
}

// strangersLog is how often what a stranger can provoke is logged: the counters tell the rest.
func strangersLog() *rate.Limiter { return rate.NewLimiter(rate.Every(time.Minute), 5) }

// seldom logs a warning about something that a stranger's domain can bring about at will, five at once and one a minute.
func (r *Resolver) seldom(message string, args ...any) {
	if r.strangers.Allow() {
		r.log.Warn(message, args...)
	}
}
