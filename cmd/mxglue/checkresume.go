package main

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/mxglue/mxglue/smtpprobe/bulk"
)

// readFormer reads the output of a former run, and tells which domains it has. Where the output goes on in the same file
// (>> FILE), a last line that is torn, because the run was killed, is cut off, and goesOn says that a header is there.
// Elsewhere the file is left as it is. A file that does not exist has no domains.
func readFormer(name, format string, out io.Writer) (done map[string]bool, goesOn bool, err error) {
	file, err := os.Open(name)
	if errors.Is(err, os.ErrNotExist) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, err
	}
	defer file.Close()
	read := bulk.Done
	if format == "csv" {
		read = doneCSV
	}
	done, whole, err := read(file)
	if err != nil {
		return nil, false, fmt.Errorf("no output of --format %s: %w", format, err)
	}
	if !sameFile(name, out) {
		return done, false, nil
	}
	return done, whole > 0, os.Truncate(name, whole)
}

// doneCSV is bulk.Done for --format csv: the domains of the first column, and how many octets are whole lines. All lines
// of a domain are written in one piece.
func doneCSV(r io.Reader) (done map[string]bool, size int64, err error) {
	text, err := io.ReadAll(r)
	if err != nil {
		return nil, 0, err
	}
	text = text[:bytes.LastIndexByte(text, '\n')+1]
	lines, err := csv.NewReader(bytes.NewReader(text)).ReadAll()
	if err != nil {
		return nil, 0, err
	}
	if len(lines) > 0 && !slices.Equal(lines[0], csvColumns) {
		return nil, 0, errors.New("its first line is not the header that mxglue writes")
	}
	done = make(map[string]bool)
	for _, line := range lines[min(1, len(lines)):] {
		done[line[0]] = true
	}
	return done, int64(len(text)), nil
}

// sameFile tells whether what is written to out goes into the file of that name.
func sameFile(name string, out io.Writer) bool {
	file, ok := out.(*os.File)
	if !ok {
		return false
	}
	a, err := os.Stat(name)
	if err != nil {
		return false
	}
	b, err := file.Stat()
	return err == nil && os.SameFile(a, b)
}
