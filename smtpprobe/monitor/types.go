package monitor

import (
	"time"

	"github.com/mxglue/mxglue/smtpprobe"
	"github.com/mxglue/mxglue/smtpprobe/lookup"
)

// State is what is known of one domain. Its slices, maps and reports are shared: read them only.
type State struct {
	Domain string `json:"domain"`
	Standing
	Last    Result            `json:"last"`
	Report  smtpprobe.Report  `json:"report"`         // of the last probe
	Deep    *smtpprobe.Report `json:"deep,omitempty"` // of the last that went to TLS, if Report did not
	Known   Known             `json:"known"`          // the records and keys seen last
	Shallow int               `json:"shallow"`        // probes since the last that went to TLS
	Next    time.Time         `json:"next"`           // when it is probed again
	Depth   smtpprobe.Depth   `json:"next_depth"`     // and how far
}

// TLS is the last report that looked at certificates; its Domain is empty if there was none yet.
func (s State) TLS() smtpprobe.Report {
	switch {
	case s.Deep != nil:
		return *s.Deep
	case s.Last.Depth >= smtpprobe.DepthTLS:
		return s.Report
	}
	return smtpprobe.Report{}
}

// Result is one probe, in short.
type Result struct {
	At       time.Time         `json:"at"` // when it ended
	Depth    smtpprobe.Depth   `json:"depth"`
	Status   smtpprobe.Status  `json:"status"` // unknown where Blocked
	Verdict  smtpprobe.Verdict `json:"verdict"`
	Reason   string            `json:"reason"` // one sentence
	Up       int               `json:"up"`     // exchangers that say 220
	Of       int               `json:"of"`     // exchangers
	Seconds  float64           `json:"seconds"`
	Blocked  bool              `json:"blocked,omitempty"`   // nobody answers us: it says nothing about the domain
	Held     bool              `json:"held,omitempty"`      // from connections of before the last result, which the prober does not repeat yet
	BestDown int               `json:"best_down,omitempty"` // results in a row, this one included, in which the most preferred exchangers were all down
}

// Kind is what an event is about.
type Kind string

// The kinds of events. The first two concern no single domain.
const (
	PortBlocked Kind = "port_blocked" // nobody answers: the network here is to blame
	PortOpen    Kind = "port_open"    // somebody answers again

	StatusChanged Kind = "status"   // of Standing: an alarm, another one, or the end of one
	FlapBegins    Kind = "flapping" // the results keep changing
	FlapEnds      Kind = "steady"   // and no longer do

	MXChanged     Kind = "mx"     // another MX RRset
	TLSAChanged   Kind = "tlsa"   // other TLSA records of an exchanger
	KeyChanged    Kind = "key"    // a certificate key that the exchanger had not shown
	PolicyChanged Kind = "policy" // another MTA-STS policy
)

// Event is something that happened, once.
type Event struct {
	At     time.Time `json:"at"`
	Domain string    `json:"domain,omitempty"` // "": all of them
	Kind   Kind      `json:"kind"`
	About  string    `json:"about,omitempty"` // the exchanger, where it is about one
	Was    string    `json:"was,omitempty"`
	Is     string    `json:"is,omitempty"`
	Text   string    `json:"text"` // one sentence
}

// summarize is the report in short.
func summarize(r smtpprobe.Report, o outcome) Result {
	result := Result{
		At: o.ended.UTC(), Depth: o.depth, Status: r.Status, Verdict: r.Verdict, Reason: clip(r.Reason),
		Of: len(r.MX), Seconds: o.ended.Sub(o.began).Seconds(),
	}
	for _, e := range r.MX {
		if e.Says220() {
			result.Up++
		}
	}
	return result
}

// maxText bounds what the history keeps of a text, in octets.
const maxText = 300

// clip shortens s, which is escaped already, to maxText octets.
func clip(s string) string { return lookup.Clip(s, maxText) }
