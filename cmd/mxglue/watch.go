package main

import "context"

// watch lets a monitor run.
func (r *running) watch(ctx context.Context, w *watch) {
	ctx, w.end = context.WithCancel(ctx)
	w.ended = make(chan struct{})
	r.parts.Go(func() {
		defer close(w.ended)
		w.run(ctx, r.log)
	})
}

// blocked tells what the monitor knows of port 25.
func (r *running) blocked() bool { return r.effect.Load().watch.blocked() }

// stop ends a monitor that runs, and waits until it has closed its file.
func (w *watch) stop() {
	w.end()
	<-w.ended
}

// discard closes the file of a monitor that does not run, and is not to.
func (w *watch) discard(inUse *watch) {
	if w != inUse && w.store != nil {
		_ = w.store.Close() // nothing was written
	}
}
