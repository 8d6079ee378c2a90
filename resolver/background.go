package resolver

import "sync"

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

// Resolve answers a query that the cache could not, and waits for the upstream if need be. It returns nil if ctx ends
