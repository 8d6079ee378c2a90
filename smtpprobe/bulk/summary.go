package bulk

import (
	"fmt"
	"time"

	"github.com/mxglue/mxglue/smtpprobe"
)

// Summary counts a run. Each domain of Total is ok, warning, critical, unknown or not probed.
type Summary struct {
	Total     int           `json:"total"` // domains given to Run
	Grouped   int           `json:"-"`     // domains whose group has been asked for: what Progress shows before the first report
	OK        int           `json:"ok"`
	Warning   int           `json:"warning"`
	Critical  int           `json:"critical"`
	Unknown   int           `json:"unknown"`
	NotProbed int           `json:"not_probed"` // the run was cut before
	Elapsed   time.Duration `json:"elapsed"`    // nanoseconds, as encoding/json writes it
}

// Done is how many domains have their report.
func (s Summary) Done() int { return s.OK + s.Warning + s.Critical + s.Unknown }

// Problems is how many of them are not ok.
func (s Summary) Problems() int { return s.Done() - s.OK }

// String is the summary as a line for people.
func (s Summary) String() string {
	line := fmt.Sprintf("%d of %d domains probed in %v: %d ok, %d warning, %d critical, %d unknown",
		s.Done(), s.Total, s.Elapsed.Round(100*time.Millisecond), s.OK, s.Warning, s.Critical, s.Unknown)
	if s.NotProbed > 0 {
		line += fmt.Sprintf("; %d not probed", s.NotProbed)
	}
	return line
}

// count adds a report.
func (s *Summary) count(status smtpprobe.Status) {
	s.NotProbed--
	switch status {
	case smtpprobe.StatusOK:
		s.OK++
	case smtpprobe.StatusWarning:
		s.Warning++
	case smtpprobe.StatusCritical:
		s.Critical++
	default:
		s.Unknown++
	}
}
