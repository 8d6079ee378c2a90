package monitor

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime/debug"
	"strconv"
	"sync/atomic"
	"time"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

// ErrDamaged says that a file is no history, or no longer one.
var ErrDamaged = errors.New("is damaged, or no history: move it aside, and mxglue begins a new one")

// Limits bound a store; 0 is the default.
type Limits struct {
	Results int           // of each domain; 672: a week at one every 15 minutes
	Events  int           // of all domains together; 5000
	Age     time.Duration // of results, events, and domains that are monitored no more; 30 days
}

// Store is the history in a file. Safe for concurrent use; one process at a time has the file.
type Store struct {
	db     *bbolt.DB
	path   string
	limits Limits
	broken atomic.Pointer[error] // bbolt has panicked: its locks are as they are, so it is not called any more
}

// The buckets, and the format they have.
var (
	metaBucket    = []byte("meta")
	statesBucket  = []byte("states")  // domain: State
	resultsBucket = []byte("results") // domain: a bucket of sequence: Result
	eventsBucket  = []byte("events")  // sequence: Event
	formatKey     = []byte("format")
)

const format = 1

// lockWait is how long OpenStore waits for another process to let go of the file.
const lockWait = time.Second

// OpenStore opens the history in a file, or begins one there; its directory must exist. The whole file is
// read and checked. The error names the file: it is in use, cannot be read, comes from a later mxglue, or is
// no history (ErrDamaged).
func OpenStore(path string, limits Limits) (*Store, error) {
	s := &Store{path: path, limits: limits.withDefaults()}
	err := s.guard(func() (err error) {
		s.db, err = bbolt.Open(path, 0o600, &bbolt.Options{Timeout: lockWait})
		return err
	})
	if err == nil {
		err = s.check()
	}
	if err == nil {
		err = s.update(prepare)
	}
	if err == nil {
		err = s.view(sound)
	}
	if err != nil {
		if s.db != nil {
			s.Close() // its own error would only hide the first
		}
		return nil, s.wrap(explain(err))
	}
	return s, nil
}

// wrap names the file in an error of reading or writing.
func (s *Store) wrap(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("history %s: %w", s.path, err)
}

// Close lets go of the file.
func (s *Store) Close() error { return s.guard(s.db.Close) }

// explain says what to do about an error of opening. What bbolt does not say in a way of its own is damage.
func explain(err error) error {
	var file *fs.PathError
	switch {
	case errors.Is(err, bolterrors.ErrTimeout):
		return errors.New("is in use by another process: stop that one, or name another file")
	case errors.As(err, &file):
		return file.Err
	case errors.Is(err, errLater), errors.Is(err, ErrDamaged):
		return err
	}
	return fmt.Errorf("%w (%w)", ErrDamaged, err)
}

var errLater = fmt.Errorf("was written by a later mxglue, in a format later than %d: upgrade, or move it aside", format)

// prepare makes the buckets of a new file and checks the format of an old one.
func prepare(tx *bbolt.Tx) error {
	for _, name := range [][]byte{metaBucket, statesBucket, resultsBucket, eventsBucket} {
		if _, err := tx.CreateBucketIfNotExists(name); err != nil {
			return err
		}
	}
	meta := tx.Bucket(metaBucket)
	written := meta.Get(formatKey)
	if written == nil {
		return putJSON(meta, formatKey, format)
	}
	switch n, err := strconv.Atoi(string(written)); {
	case err != nil || n < format: // 1 was the first
		return fmt.Errorf("the format %.40q", written)
	case n > format:
		return errLater
	}
	return nil
}

// check reads every page, because bbolt has checksums on its first two only, and a damaged one would be met
// in the middle of the night. First what is reachable, by ourselves: a page that lies nowhere is a fault,
// which can be recovered from in this goroutine, and not in that of Check.
func (s *Store) check() error {
	return s.view(func(tx *bbolt.Tx) error {
		switch info, err := os.Stat(s.path); {
		case err != nil:
			return err
		case info.Size() < tx.Size():
			return fmt.Errorf("cut off: it has %d octets of %d", info.Size(), tx.Size())
		}
		if err := tx.ForEach(func(_ []byte, b *bbolt.Bucket) error { return walk(b, 0) }); err != nil {
			return err
		}
		var first error
		for err := range tx.Check() {
			if first == nil {
				first = err
			}
		}
		return first
	})
}

// walk reads a bucket. Ours are two deep at most, and all values are JSON.
func walk(b *bbolt.Bucket, depth int) error {
	if depth > 2 {
		return errors.New("buckets too deep")
	}
	return b.ForEach(func(k, v []byte) error {
		switch inner := b.Bucket(k); {
		case inner != nil:
			return walk(inner, depth+1)
		case !json.Valid(v):
			return fmt.Errorf("the value of %.40q is no JSON", k)
		}
		return nil
	})
}

// view and update run a transaction. update returns once it is on the disk.
func (s *Store) view(do func(*bbolt.Tx) error) error {
	return s.guard(func() error { return s.db.View(do) })
}

func (s *Store) update(do func(*bbolt.Tx) error) error {
	return s.guard(func() error { return s.db.Update(do) })
}

// guard makes an error of a panic, and of a fault in the memory that maps the file: bbolt has both for a
// damaged one, and a nameserver must not die of its history. Nor wait for it: the locks of a bbolt that
// panicked may be held for ever.
func (s *Store) guard(do func() error) (err error) {
	if broken := s.broken.Load(); broken != nil {
		return *broken
	}
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w (broken page: %v)", ErrDamaged, p)
			s.broken.Store(&err)
		}
	}()
	return do()
}

func (l Limits) withDefaults() Limits {
	if l.Results <= 0 {
		l.Results = 7 * 24 * 4
	}
	if l.Events <= 0 {
		l.Events = 5000
	}
	if l.Age <= 0 {
		l.Age = 30 * 24 * time.Hour
	}
	return l
}
