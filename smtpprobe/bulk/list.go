package bulk

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/mxglue/mxglue/smtpprobe"
)

// Bounds of a list.
const (
	maxLine = 64 << 10 // octets
	maxBad  = 20       // bad lines named one by one
)

// ReadDomains reads a list: one domain or mail address a line, comments after #, blank lines. It returns the
// domains in A-labels, lower case, each once, in the order of the list. The error names each line that is
// no domain (the first 20) by its number, or says why reading ended; the domains are good in either case.
func ReadDomains(r io.Reader) ([]string, error) {
	var domains []string
	var bad []error
	badLines := 0
	seen := make(map[string]bool)
	number := 0
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxLine)
	for lines.Scan() {
		number++
		text, _, _ := strings.Cut(strings.TrimPrefix(lines.Text(), "\ufeff"), "#")
		if text = strings.TrimSpace(text); text == "" {
			continue
		}
		domain, err := smtpprobe.ParseDomain(text)
		switch {
		case err != nil:
			if badLines++; badLines <= maxBad {
				bad = append(bad, fmt.Errorf("line %d: %w", number, err))
			}
		case !seen[domain]:
			seen[domain] = true
			domains = append(domains, domain)
		}
	}
	if badLines > maxBad {
		bad = append(bad, fmt.Errorf("more such lines: %d", badLines-maxBad))
	}
	switch err := lines.Err(); {
	case errors.Is(err, bufio.ErrTooLong):
		bad = append(bad, fmt.Errorf("line %d: longer than %d octets, which is no domain; nothing behind it was read", number+1, maxLine))
	case err != nil:
		bad = append(bad, fmt.Errorf("line %d: %w", number+1, err))
	}
	return domains, errors.Join(bad...)
}
