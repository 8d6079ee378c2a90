package doctor

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/miekg/dns"

	"github.com/mxglue/mxglue/resolver/upstream"
	"github.com/mxglue/mxglue/smtpprobe"
)

// Doctor examines this machine. Its func fields are seams. It is used once.
type Doctor struct {
	Root   string           // before the path of every file that is read; "": the machine's own
	Listen []netip.AddrPort // server.listen
	// Ours tells whether what is sent to an address and port of this machine gets to Listen. Required.
	Ours   func(at netip.AddrPort) bool
	Daemon Daemon

	Upstreams  []*upstream.Upstream // those of everything, as configured or found; asked directly
	NoUpstream error                // why there are none
	StripAD    bool                 // resolver.dnssec is strip
	Case0x20   bool                 // resolver.case_0x20
	// Exchange asks one question as the mail server would, routes included. Required where there are Upstreams.
	Exchange func(ctx context.Context, q *dns.Msg) (r *dns.Msg, source string, err error)

	Trials Trials
	System System
	Now    time.Time // of this machine's clock
}

// Daemon is the way to the running daemon. Both are required; errors say what to do.
type Daemon struct {
	Status func(ctx context.Context) (Running, error)
	// Asked tells which questions at or below a domain (of all for ".") clients on this machine have put, as far as the cache
	// remembers.
	Asked func(ctx context.Context, domain string) ([]Question, error)
}

// Question is one that a client on this machine has put.
type Question struct {
	Name string // lower case, with a final dot
	Type string // MX, A, ...
	Ago  time.Duration
}

// Running is what a running daemon says of itself.
type Running struct {
	Version string
	Up      time.Duration
	Queries uint64
	Trouble string // why it cannot answer; "" if it can
}

// System is what of the operating system is not a file.
type System struct {
	// Run runs a program and returns what it prints. nil: the real thing.
	Run func(ctx context.Context, program string, args ...string) ([]byte, error)
	// Dial opens an SMTP connection. nil: net.Dialer.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Egress is our address on the way to the internet; network is ip4 or ip6, and an error means that there is no way.
	// nil: what the kernel's routes say.
	Egress func(network string) (netip.Addr, error)
	// Hostname is this machine's name. nil: os.Hostname.
	Hostname func() (string, error)
}

// Trials are the names that the checks ask for, and how they knock.
type Trials struct {
	Signed  string            // has A records and is signed
	Bogus   string            // has A records and signatures that are wrong
	Large   string            // has TXT records of more than 1232 octets
	Zones   []string          // NXDOMAIN is looked for below these
	DNSBLs  []string          // lists of IPv4 addresses
	Domains []string          // that take mail over IPv4 and IPv6
	Probe   smtpprobe.Options // what mxglue check would do; the timeouts are the doctor's own
}

// A Status is what became of a check.
type Status string

// The statuses; what is wrong fails.
const (
	OK   Status = "ok"
	Warn Status = "warn"
	Fail Status = "fail"
)

// Finding is the outcome of one check.
type Finding struct {
	Check  string `json:"check"`  // a word, the same in every version
	Status Status `json:"status"` //
	Text   string `json:"text"`   // what was seen
	Advice string `json:"advice"` // what to do; "" with OK
}

func ok(check, format string, args ...any) Finding {
	return Finding{Check: check, Status: OK, Text: sentence(format, args...)}
}

func warn(check, advice, format string, args ...any) Finding {
	return Finding{check, Warn, sentence(format, args...), smtpprobe.Escape(advice)}
}

func fail(check, advice, format string, args ...any) Finding {
	return Finding{check, Fail, sentence(format, args...), smtpprobe.Escape(advice)}
}

// unknown is the finding of a check that could not be made. Without advice it is the upstream's doing.
func unknown(check, advice, format string, args ...any) Finding {
	if advice == "" {
		advice = "run mxglue doctor again when upstream above is ok"
	}
	return warn(check, advice, "could not find out: "+format, args...)
}

// Limits of the text of a finding and of the words of one peer in it, characters.
const (
	maxText  = 400
	maxWords = 120
)

// sentence escapes the whole: parts of it are what somebody else said.
func sentence(format string, args ...any) string {
	return clip(smtpprobe.Escape(fmt.Sprintf(format, args...)), maxText)
}

func clip(s string, most int) string {
	if r := []rune(s); len(r) > most {
		return string(r[:most-1]) + "…"
	}
	return s
}

// patience is how long one group of checks may take in all; each question in it has less.
const patience = 30 * time.Second

// Examine runs all checks and shows each finding when it and those before it are there. It returns the worst status.
func (d *Doctor) Examine(ctx context.Context, show func(Finding)) Status {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	groups := d.groups(d.postfix(ctx))
	results := make([]chan []Finding, len(groups))
	for i, check := range groups {
		results[i] = make(chan []Finding, 1)
		go func() { results[i] <- check(ctx) }()
	}
	worst := OK
	for _, result := range results {
		for _, f := range <-result {
			show(f)
			worst = worse(worst, f.Status)
		}
	}
	return worst
}

// A group is checks that are made one after the other.
type group func(context.Context) []Finding

// groups are all checks, in the order in which they are shown. Without an upstream there is nobody to ask.
func (d *Doctor) groups(mail postfix) []group {
	groups := []group{d.checkDaemon, d.checkResolvConf, func(ctx context.Context) []Finding { return d.checkMailServer(ctx, mail) }}
	if len(d.Upstreams) == 0 {
		return append(groups, func(context.Context) []Finding {
			return []Finding{fail("upstream", "set resolver.upstreams in config.yaml to the resolvers to ask", "%v", d.NoUpstream)}
		})
	}
	for _, u := range d.Upstreams {
		groups = append(groups, func(ctx context.Context) []Finding { return d.checkUpstream(ctx, u) })
	}
	return append(groups, d.checkDNSBLs,
		func(ctx context.Context) []Finding { return d.checkPort25(ctx, "ip4") },
		func(ctx context.Context) []Finding { return d.checkPort25(ctx, "ip6") },
		func(ctx context.Context) []Finding { return d.checkOwnName(ctx, mail) })
}

func worse(a, b Status) Status {
	if a == Fail || b == OK {
		return a
	}
	return b
}

// ExitCode is 0 for OK, 1 for Warn, 2 for Fail.
func (s Status) ExitCode() int {
	switch s {
	case OK:
		return 0
	case Warn:
		return 1
	}
	return 2
}
