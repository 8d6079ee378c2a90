package bulk

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// maxReport bounds a line of a former output, in octets.
const maxReport = 16 << 20

// Done reads what a former run wrote (NDJSON, one report a line) and returns the domains that stand there.
// size is how many octets of it are whole lines: a run that was killed may have torn the last one, so cut the
// output to that size before writing on. A line that is no report is an error that names its number.
func Done(r io.Reader) (done map[string]bool, size int64, err error) {
	done = make(map[string]bool)
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxReport)
	lines.Split(wholeLines)
	number := 1
	for ; lines.Scan(); number++ {
		var report struct {
			Domain string `json:"domain"`
		}
		if err := json.Unmarshal(lines.Bytes(), &report); err != nil {
			return nil, 0, fmt.Errorf("line %d is no report: %w", number, err)
		}
		if report.Domain == "" {
			return nil, 0, fmt.Errorf(`line %d is no report: it has no "domain"`, number)
		}
		done[report.Domain] = true
		size += int64(len(lines.Bytes()))
	}
	if errors.Is(lines.Err(), bufio.ErrTooLong) {
		return nil, 0, fmt.Errorf("line %d is no report: longer than %d octets", number, maxReport)
	}
	return done, size, lines.Err()
}

// wholeLines is a bufio.SplitFunc: lines with their newline. What has none at the end of the file is torn.
func wholeLines(data []byte, atEOF bool) (advance int, token []byte, err error) {
	if end := bytes.IndexByte(data, '\n') + 1; end > 0 {
		return end, data[:end], nil
	}
	if atEOF {
		return len(data), nil, bufio.ErrFinalToken
	}
	return 0, nil, nil
}
