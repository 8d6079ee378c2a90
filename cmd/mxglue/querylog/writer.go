package querylog

import "time"

const (
	gather     = 100 * time.Millisecond // how long a batch waits for more
	retryEach  = time.Second
	reportEach = time.Minute // about trouble that comes and goes
)

// writer is the goroutine that writes.
type writer struct {
	*Log
	stream  *stream // nil: there is no connection
	spare   *batch
	failing bool      // the log says that nothing is written
	told    uint64    // of the dropped queries
	toldAt  time.Time // of trouble
}

// run writes what comes until the log is closed.
func (w *writer) run() {
	defer close(w.ended)
	for ending := false; !ending; {
		ending = w.await()
		w.renew()
		b, dropped := w.take()
		if w.write(b.queries) {
			w.report(dropped)
		}
		b.empty()
		w.spare = b
	}
	w.renew()
	if w.stream != nil {
		w.stream.close()
	}
	if n := w.Stats().Dropped - w.told; n > 0 {
		w.Options.Log.Warn("the query log ends, without all queries", "output", w.Output, "dropped", n)
	}
}

// await waits for a batch that is worth writing, or for the end.
func (w *writer) await() (ending bool) {
	select {
	case <-w.wake:
	case <-w.end:
		return true
	}
	w.mu.Lock()
	enough := w.filling.halfFull() // it was filled while another one was written
	w.mu.Unlock()
	if enough {
		return false
	}
	return w.pause(gather, w.wake)
}

// pause waits for a while, and less if it is woken. It says whether the end has come.
func (w *writer) pause(d time.Duration, wake <-chan struct{}) (ending bool) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-wake:
	case <-w.end:
		return true
	}
	return false
}

// take takes the batch that has been filled, leaves an empty one, and says how many queries had been dropped by then.
func (w *writer) take() (b *batch, dropped uint64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	b, w.filling = w.filling, w.spare
	return b, w.dropped
}

// renew goes on with the file that Reopen has opened.
func (w *writer) renew() {
	if s := w.file.next.Swap(nil); s != nil {
		if w.stream != nil {
			w.stream.close()
		}
		w.stream = s
	}
}

// write writes queries for as long as that takes, and says whether it was done before the end.
func (w *writer) write(queries []Query) bool {
	for len(queries) > 0 {
		n, err := w.attempt(queries)
		w.written.Add(uint64(n))
		queries = queries[n:]
		if err == nil {
			continue
		}
		if now := time.Now(); !w.failing && now.Sub(w.toldAt) >= reportEach {
			w.failing, w.toldAt = true, now
			w.Options.Log.Warn("the query log is not written; mxglue tries again each second, and drops the queries that it has no room for",
				"output", w.Output, "error", err)
		}
		if w.pause(retryEach, nil) {
			w.mu.Lock()
			w.dropped += uint64(len(queries))
			w.mu.Unlock()
			return false
		}
		w.renew()
	}
	return true
}

// attempt writes queries, connecting first if need be, and returns how many got through.
func (w *writer) attempt(queries []Query) (n int, err error) {
	if w.stream == nil {
		conn, err := w.Dial()
		if err != nil {
			return 0, err
		}
		if w.stream, err = newStream(conn, w.Options); err != nil {
			return 0, err
		}
	}
	n, err = w.stream.write(queries)
	if err != nil && w.Dial != nil {
		w.stream.out.Close()
		w.stream = nil
	}
	return n, err
}

// report says after a batch that trouble is over: that it can be written again, or that no more queries are dropped than had
// been when it was taken.
func (w *writer) report(dropped uint64) {
	now, lost := time.Now(), w.Stats().Dropped-w.told
	switch {
	case w.failing:
		w.Options.Log.Info("the query log is written again", "output", w.Output, "dropped", lost)
		w.failing = false
	case lost == 0 || w.told+lost > dropped || now.Sub(w.toldAt) < reportEach:
		return
	default:
		w.Options.Log.Warn("the query log was slower than the queries, and is up to date again; querylog.sample makes it less", "output", w.Output, "dropped", lost)
		w.toldAt = now
	}
	w.told += lost
}
