package smtpprobe

import (
	"math"
	"net/netip"
	"time"

	"github.com/mxglue/mxglue/smtpprobe/dane"
	"github.com/mxglue/mxglue/smtpprobe/records"
	"github.com/mxglue/mxglue/smtpprobe/sts"
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
	TLSFailed            Verdict = "tls_failed"             // implicit TLS only: no handshake, so no greeting
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

// SchemaVersion is that of the JSON form of a Report. Fields are added under the same number; it rises when
// one changes its meaning or goes.
const SchemaVersion = 1

// Report is the outcome of one probe. Texts that came from outside are escaped (Escape) and bounded.
type Report struct {
	SchemaVersion int             `json:"schema_version"` // of this form
	Domain        string          `json:"domain"`         // A-labels, or an address literal
	Verdict       Verdict         `json:"verdict"`
	Status        Status          `json:"status"`
	Reason        string          `json:"reason"`           // one sentence
	Source        string          `json:"source,omitempty"` // of the MX answer: glue, bundle, cache, upstream
	TTL           uint32          `json:"ttl,omitempty"`    // seconds left of the MX RRset
	AD            bool            `json:"ad"`               // the MX answer is authentic (RFC 4035 3.2.3)
	MX            []Exchanger     `json:"mx"`               // by preference, then name
	Order         []string        `json:"order"`            // the exchangers in the order tried (RFC 5321 5.1 shuffles equal preferences)
	TakesMail     *string         `json:"takes_mail"`       // the first exchanger, in that order, that said 220; or nil
	Warnings      []string        `json:"warnings"`         // the texts of the findings that are warnings or worse
	Senders       Senders         `json:"senders"`
	Findings      []Finding       `json:"findings"`
	STS           *sts.Result     `json:"mta_sts,omitempty"`
	Records       *records.Result `json:"records,omitempty"`
	Differences   []Difference    `json:"differences,omitempty"` // between Exchange and FreshExchange
	HeldUntil     time.Time       `json:"held_until,omitzero"`   // until then exchangers are not connected to, because a better one is left alone after a failure
}

// Exchanger is one host of the MX RRset, or the domain itself where it has none (implicit MX).
type Exchanger struct {
	Name       string       `json:"exchanger"`          // lower case, no final dot
	Preference uint16       `json:"preference"`         // of the MX record; 0 for an implicit MX
	Implicit   bool         `json:"implicit,omitempty"` // RFC 5321 5.1; or given by the caller, without an MX question
	Verdict    Verdict      `json:"verdict"`
	Degraded   bool         `json:"degraded,omitempty"` // says 220 on one address, fails on another
	Detail     string       `json:"detail,omitempty"`   // why the verdict is what it is
	CNAME      string       `json:"cname,omitempty"`    // where the name leads, if it is an alias (RFC 2181 10.3 forbids it)
	AD         bool         `json:"ad"`                 // the answers for its addresses are authentic, or those of one family
	DANE       *dane.Result `json:"dane,omitempty"`
	Senders    Senders      `json:"senders"`
	Attempts   []Attempt    `json:"attempts"` // in the order tried
}

// Attempt is one address of an exchanger.
type Attempt struct {
	Address       netip.Addr   `json:"address"` // IPv4 or IPv6
	Port          uint16       `json:"port"`    // the one connected to
	Verdict       Verdict      `json:"verdict"`
	Code          int          `json:"code"`                     // of the greeting; 0: none came
	Greeting      string       `json:"greeting"`                 // its text; lines are separated by newlines
	Detail        string       `json:"detail,omitempty"`         // why the verdict is what it is
	Source        string       `json:"source"`                   // of the address: glue, bundle, cache, upstream
	TTL           uint32       `json:"ttl,omitempty"`            // seconds left of its RRset
	AD            bool         `json:"ad"`                       // the answer that held it is authentic
	Shared        string       `json:"shared,omitempty"`         // the exchanger whose connection this result was taken from
	Age           float64      `json:"age,omitempty"`            // seconds since that connection ended
	Hello         string       `json:"hello,omitempty"`          // the command that was accepted: EHLO or HELO
	Extensions    []string     `json:"extensions,omitempty"`     // keywords of the reply to EHLO
	ExtensionsTLS []string     `json:"extensions_tls,omitempty"` // after STARTTLS
	TLS           *TLS         `json:"tls,omitempty"`            // nil: not looked at
	Recipient     *Recipient   `json:"recipient,omitempty"`      // nil: not asked (DepthRCPT), or not answered
	PTR           *records.PTR `json:"ptr,omitempty"`
	Senders       Senders      `json:"senders"`
	Notes         []string     `json:"notes,omitempty"`  // oddities that did not decide the verdict
	Teaser        bool         `json:"teaser,omitempty"` // the greeting has several lines, and the last came more than 1 s after the first began, as postscreen's does
	MS            Phases       `json:"ms"`
	Transcript    []string     `json:"transcript,omitempty"` // the dialogue, escaped: "S: ", "C: ", and "-- " for what was no line

	handshake *handshake // nil: TLS was not looked at
	local     netip.Addr // our end of the connection
	told421   bool       // some reply after the greeting was 421
	holdEnds  time.Time  // of the failure that this is the result of, where another made the connection
}

// Recipient is the reply to RCPT TO:<postmaster@domain> (RFC 5321 4.5.1).
type Recipient struct {
	Command string `json:"command"`        // the one that was answered so: MAIL or RCPT
	Code    int    `json:"code"`           // of the reply
	Text    string `json:"text,omitempty"` // of the reply
}

// Difference is a question that the cache and a fresh lookup answer differently, TTLs aside.
type Difference struct {
	Name   string   `json:"name"`   // that was asked for
	Type   string   `json:"type"`   // MX, A, AAAA
	Cached []string `json:"cached"` // records, or the failure
	Fresh  []string `json:"fresh"`  // the same, as asked now
}

// Phases are durations in milliseconds, to the microsecond. 0: the phase was not reached.
type Phases struct {
	Connect   float64 `json:"connect"`              // until the connection stood
	FirstByte float64 `json:"first_byte,omitempty"` // from the connection to the greeting's first byte; long before its end: a teaser, as postscreen's
	Greeting  float64 `json:"greeting"`             // from the connection to the end of the greeting
	Hello     float64 `json:"ehlo,omitempty"`       // EHLO, and HELO after it
	TLS       float64 `json:"tls,omitempty"`        // STARTTLS and the handshake
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
