package smtpprobe

import (
	"math"
	"net/netip"
	"time"
)

// Verdict is what became of one connection, one exchanger or one domain.
type Verdict string

// Verdicts of an attempt. An exchanger has the best of its attempts' verdicts, or one of the next list.
const (
	OK                   Verdict = "ok"                     // greeted with 220 (another 2xx is taken, and noted)
	Slow                 Verdict = "slow"                   // the same, after more than Options.Slow
	Refused              Verdict = "refused"                // connection refused
	TimeoutConnect       Verdict = "timeout_connect"        // no answer to the connection
	Unreachable          Verdict = "unreachable"            // a router said so
	Reset                Verdict = "reset"                  // connection reset before the greeting ended
	ClosedBeforeGreeting Verdict = "closed_before_greeting" // connection closed before the greeting ended
	GreetingTimeout      Verdict = "greeting_timeout"       // silence, or a greeting that did not end in time
	Greeting4xx          Verdict = "greeting_4xx"           // alive, refuses this client for now
	Greeting5xx          Verdict = "greeting_5xx"           // alive, refuses this client (RFC 5321 3.1)
	NotSMTP              Verdict = "not_smtp"               // speaks, but no SMTP
	BadGreeting          Verdict = "bad_greeting"           // SMTP of a kind: too long, codes that differ, 1xx, 3xx, 6xx to 9xx
	BlockedAddress       Verdict = "blocked_address"        // special-use address, not connected to
	LocalError           Verdict = "local_error"            // says nothing about the peer: no route from here, cut by the caller
	Skipped              Verdict = "skipped"                // not tried
)

// Verdicts of a domain, besides OK; NXDomain, DNSFail and NoAddress are verdicts of an exchanger too.
const (
	Warning   Verdict = "warning"    // some exchangers say 220
	Critical  Verdict = "critical"   // none does
	Unknown   Verdict = "unknown"    // could not be found out from here
	NullMX    Verdict = "null_mx"    // takes no mail, and says so (RFC 7505)
	NXDomain  Verdict = "nxdomain"   // the name does not exist
	DNSFail   Verdict = "dns_fail"   // SERVFAIL, timeout, bogus: nothing is known
	NoAddress Verdict = "no_address" // no exchanger has an address
	IPLiteral Verdict = "ip_literal" // exchanger only: an address where a name must stand (RFC 5321 5.1)
)

// Status is a domain's verdict in the four words of a monitor.
type Status string

// The four statuses.
const (
	StatusOK       Status = "ok"
	StatusWarning  Status = "warning"
	StatusCritical Status = "critical"
	StatusUnknown  Status = "unknown"
)

// Report is the outcome of one probe. Texts that came from outside are escaped (Escape) and bounded.
type Report struct {
	Domain    string      `json:"domain"` // A-labels
	Verdict   Verdict     `json:"verdict"`
	Status    Status      `json:"status"`
	Reason    string      `json:"reason"`           // one sentence
	Source    string      `json:"source,omitempty"` // of the MX answer: glue, bundle, cache, upstream
	MX        []Exchanger `json:"mx"`               // by preference, then name
	Order     []string    `json:"order"`            // the exchangers in the order tried (RFC 5321 5.1 shuffles equal preferences)
	TakesMail *string     `json:"takes_mail"`       // the first exchanger, in that order, that said 220; or nil
	Warnings  []string    `json:"warnings"`         // sentences
}

// Exchanger is one host of the MX RRset, or the domain itself where it has none (implicit MX).
type Exchanger struct {
	Name       string    `json:"exchanger"` // lower case, no final dot
	Preference uint16    `json:"preference"`
	Implicit   bool      `json:"implicit,omitempty"` // RFC 5321 5.1
	Verdict    Verdict   `json:"verdict"`
	Degraded   bool      `json:"degraded,omitempty"` // says 220 on one address, fails on another
	Detail     string    `json:"detail,omitempty"`
	CNAME      string    `json:"cname,omitempty"` // where the name leads, if it is an alias (RFC 2181 10.3 forbids it)
	Attempts   []Attempt `json:"attempts"`        // in the order tried
}

// Attempt is one address of an exchanger.
type Attempt struct {
	Address    netip.Addr `json:"address"`
	Port       uint16     `json:"port"`
	Verdict    Verdict    `json:"verdict"`
	Code       int        `json:"code"`     // of the greeting; 0: none came
	Greeting   string     `json:"greeting"` // its text; lines are separated by newlines
	Detail     string     `json:"detail,omitempty"`
	Source     string     `json:"source"`           // of the address: glue, bundle, cache, upstream
	Shared     string     `json:"shared,omitempty"` // the exchanger whose connection this result was taken from
	Hello      string     `json:"hello,omitempty"`  // the command that was accepted: EHLO or HELO
	Extensions []string   `json:"extensions,omitempty"`
	Notes      []string   `json:"notes,omitempty"` // oddities that did not decide the verdict
	MS         Phases     `json:"ms"`
}

// Phases are durations in milliseconds, to the microsecond. 0: the phase was not reached.
type Phases struct {
	Connect   float64 `json:"connect"`
	FirstByte float64 `json:"first_byte,omitempty"` // from the connection to the greeting's first byte; long before its end: a teaser, as postscreen's
	Greeting  float64 `json:"greeting"`             // from the connection to the end of the greeting
	Hello     float64 `json:"ehlo,omitempty"`       // EHLO, and HELO after it
	Quit      float64 `json:"quit,omitempty"`       // until the reply to QUIT, if one came
}

// milliseconds rounds d to the microsecond.
func milliseconds(d time.Duration) float64 {
	return math.Round(d.Seconds()*1e6) / 1e3
}

// ExitCode is the status as monitors count: 0 ok, 1 warning, 2 critical, 3 unknown.
func (r Report) ExitCode() int {
	switch r.Status {
	case StatusOK:
		return 0
	case StatusWarning:
		return 1
	case StatusCritical:
		return 2
	}
	return 3
}

// Says220 tells whether the exchanger takes a client in on at least one of its addresses.
func (e Exchanger) Says220() bool { return e.Verdict == OK || e.Verdict == Slow }
