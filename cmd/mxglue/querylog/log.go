package querylog

import (
	"log/slog"
	"math"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mxglue/mxglue/cache/wire"
)

// Format is how queries are written.
type Format string

// The formats.
const (
	JSON   Format = "json"   // an object a line
	Dnstap Format = "dnstap" // CLIENT_RESPONSE messages in Frame Streams
)

// UnixPrefix stands before the path of a socket in Options.Output.
const UnixPrefix = "unix:"

// Options are the settings of a query log. The zero value of a field means the default named beside it.
type Options struct {
	Output  string       // a file, or UnixPrefix and the path of a stream socket that somebody listens on
	Format  Format       // (JSON)
	Sample  float64      // the share of the queries that is logged, above 0 and up to 1 (1)
	Version string       // the program, as dnstap's messages name it
	Log     *slog.Logger // (slog.Default)
	// Dial connects to the socket; nil means net.Dial.
	Dial func() (net.Conn, error)
}

// Log is safe for use by many goroutines.
type Log struct {
	Options
	threshold uint64 // of 64 random bits: those up to it are in the sample
	keep      int    // octets of a reply that the format has a use for

	mu      sync.Mutex
	filling *batch // guarded by mu
	dropped uint64 // guarded by mu
	written atomic.Uint64

	file file // where there is no socket

	wake   chan struct{} // there is something to write
	ending func()        // closes end
	end    chan struct{}
	ended  chan struct{}
}

// Stats is a snapshot of what became of the queries of the sample since Open.
type Stats struct {
	Written uint64 `json:"written"`
	Dropped uint64 `json:"dropped"` // because the file or the socket's reader was too slow, or could not take them
}

// Open opens the file, which is made with mode 0600 if it is not there. A file of JSON lines goes on where it ends; a dnstap
// file cannot be added to, so one that is there is renamed to end in ".old". A socket need not be listened on yet. The error
// names the file and what would help. A log that is open has to be closed.
func Open(o Options) (*Log, error) {
	if o.Format == "" {
		o.Format = JSON
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	if path, ok := strings.CutPrefix(o.Output, UnixPrefix); ok && o.Dial == nil {
		o.Dial = func() (net.Conn, error) { return net.DialTimeout("unix", path, patience) }
	}
	l := &Log{Options: o, threshold: math.MaxUint64, keep: wire.HeaderLen, filling: newBatch(),
		wake: make(chan struct{}, 1), end: make(chan struct{}), ended: make(chan struct{})}
	l.ending = sync.OnceFunc(func() { close(l.end) })
	if o.Sample > 0 && o.Sample < 1 {
		l.threshold = uint64(math.Ldexp(o.Sample, 64))
	}
	if o.Format == Dnstap {
		l.keep = wire.MaxMessage
	}
	var s *stream
	if o.Dial == nil {
		var err error
		if s, err = l.openFile(); err != nil {
			return nil, err
		}
	}
	go (&writer{Log: l, stream: s, spare: newBatch()}).run()
	return l, nil
}

// Chosen says of a query whether it is in the sample. Only then it is to be added.
func (l *Log) Chosen() bool { return l.threshold == math.MaxUint64 || rand.Uint64() <= l.threshold }

// Add logs a query, whose slices it copies. Without room for it the query is dropped and counted.
func (l *Log) Add(q Query) {
	l.mu.Lock()
	added, wake := l.filling.add(q, l.keep)
	if !added {
		l.dropped++
	}
	l.mu.Unlock()
	if wake {
		l.nudge()
	}
}

// nudge wakes the writer.
func (l *Log) nudge() {
	select {
	case l.wake <- struct{}{}:
	default: // it has been woken already
	}
}

// Stats returns the counters since Open.
func (l *Log) Stats() Stats {
	l.mu.Lock()
	defer l.mu.Unlock()
	return Stats{Written: l.written.Load(), Dropped: l.dropped}
}

// closeTime is how long Close waits for the writer, which a disk that hangs may hold up for ever.
const closeTime = 4 * patience

// Close writes what has been added, if that can be done at once, and closes the file or connection. It takes some seconds at
// most. What is added after it is lost.
func (l *Log) Close() {
	l.ending()
	late := time.NewTimer(closeTime)
	defer late.Stop()
	select {
	case <-l.ended:
	case <-late.C:
		l.Log.Error("the query log was left open: it could not be written to its end", "output", l.Output)
	}
}
