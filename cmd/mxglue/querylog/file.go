package querylog

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
)

// file is what is known of the file that is open.
type file struct {
	mu   sync.Mutex
	info fs.FileInfo            // guarded by mu
	next atomic.Pointer[stream] // has been opened anew, for the writer to go on with
}

// Reopen opens the file anew, for when somebody has moved it away: queries that come from now on are in the new one, and
// maybe some that came just before. Where the file is still in its place, or there is a socket, nothing is to be done. On an
// error, as Open has them, the old file goes on.
func (l *Log) Reopen() error {
	if l.Dial != nil || l.inPlace() {
		return nil
	}
	s, err := l.openFile()
	if err != nil {
		return err
	}
	if unused := l.file.next.Swap(s); unused != nil {
		unused.close()
	}
	l.nudge()
	return nil
}

// inPlace says whether the file that is open is the one that its name leads to.
func (l *Log) inPlace() bool {
	now, err := os.Stat(l.Output)
	l.file.mu.Lock()
	defer l.file.mu.Unlock()
	return err == nil && os.SameFile(now, l.file.info)
}

// openFile opens the file and notes which one it is.
func (l *Log) openFile() (*stream, error) {
	f, err := openFile(l.Output, l.Format)
	if err != nil {
		return nil, l.fileError(err)
	}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, l.fileError(err)
	}
	s, err := newStream(f, l.Options)
	if err != nil {
		return nil, l.fileError(err)
	}
	l.file.mu.Lock()
	defer l.file.mu.Unlock()
	l.file.info = info
	return s, nil
}

// fileError says which file it was, and what it takes.
func (l *Log) fileError(err error) error {
	if link := new(os.LinkError); errors.As(err, &link) {
		err = fmt.Errorf("cannot be renamed to end in .old: %w", link.Err)
	}
	if path := new(fs.PathError); errors.As(err, &path) {
		err = path.Err
	}
	return fmt.Errorf("query log %s: %w; it takes a file that mxglue may write, in a directory that is there, on a disk with room", l.Output, err)
}

// openFile opens a file to be added to. A dnstap file is one stream, so what is there is set aside. A pipe that nobody reads
// is an error rather than a wait.
func openFile(name string, f Format) (*os.File, error) {
	if info, err := os.Stat(name); f == Dnstap && err == nil && info.Mode().IsRegular() && info.Size() > 0 {
		if err := os.Rename(name, name+".old"); err != nil {
			return nil, err
		}
	}
	return os.OpenFile(name, os.O_WRONLY|os.O_APPEND|os.O_CREATE|syscall.O_NONBLOCK, 0o600)
}
