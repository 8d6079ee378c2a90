package smtpprobe

import (
	"cmp"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"time"
)

// Caps of one domain.
const (
	maxExchangers = 10 // MX hosts tried
	maxPerFamily  = 2  // addresses of each family tried per host, without AllAddresses
	maxAddresses  = 50 // addresses tried in all (Exim's hard limit too)
)

// Depth is how far a probe goes.
type Depth int

// The depths, each with all of those before it. The zero Depth is DepthTLS.
const (
	DepthDNS      Depth = iota + 1 // questions only, no connection
	DepthGreeting                  // the greeting, then QUIT; no policies, no records
	DepthTLS                       // EHLO, STARTTLS, certificate, EHLO again
	DepthRCPT                      // MAIL FROM:<>, RCPT TO:<postmaster@domain>, RSET
)

// Options says how to probe. The zero value is good for public mail.
type Options struct {
	Helo         string         // our name in EHLO; "": this host's name, or its address literal (RFC 5321 4.1.1.1)
	Port         uint16         // 0: 25, or 465 with ImplicitTLS
	Depth        Depth          // 0: DepthTLS
	Reach        Depth          // connections go so far at least, for the sake of other probes that want more of the same address
	Source       netip.Addr     // connect from this address; the zero Addr: the system's choice
	Allow        []netip.Prefix // connect to special-use addresses inside these too
	AllowPrivate bool           // connect to loopback, RFC 1918 and RFC 4193 addresses too
	PortBlocked  bool           // the caller knows that our network lets nobody out to the port (see BlockedHere)
	Transcript   bool           // keep the dialogue
	Slow         time.Duration  // a greeting that takes longer is slow; 0: 10 s
	Selection
	Security
	Pace
	Timeouts Timeouts
}

// Selection says which exchangers and addresses are tried.
type Selection struct {
	First        bool     // stop at the first 220
	AllAddresses bool     // of each host, up to 50 of the domain; else 2 IPv4 and 2 IPv6 of each
	NullMXFails  bool     // a null MX is critical
	MXToIP       bool     // connect to an exchanger that is an address, as Postfix does (RFC 5321 5.1 forbids it)
	Own          []string // our names and addresses: an exchanger there is ourselves (RFC 5321 5.1)
	IncludeSelf  bool     // probe those, and those less preferred, all the same
	Seed         uint64   // of the shuffle of equal preferences; 0: none
}

// Security says how TLS and the policies about it are looked at.
type Security struct {
	Validates     bool           // AD in a response may be believed (RFC 7672 2.1.1); without it nothing is said of DANE
	Roots         *x509.CertPool // trusted roots; nil: the system's
	ImplicitTLS   bool           // TLS before the greeting (port 465, RFC 8314)
	ForceStartTLS bool           // say STARTTLS even if it is not offered
	Legacy        bool           // where the handshake fails, connect once more and offer TLS 1.0 and all cipher suites
	CertWarning   time.Duration  // a certificate that ends sooner is a warning; 0: 21 days
	CertCritical  time.Duration  // and one that ends sooner than this is critical; 0: 7 days
}

// Pace bounds how often one address meets us.
type Pace struct {
	Between time.Duration // from the end of a connection to an address to the next one there, whatever the port; 0: 60 s; negative: no pause, for who owns the exchangers
	Reuse   time.Duration // how long a good result stands for a connection; 0: 60 s
	Hold    time.Duration // how long a bad one stands at most; 0: 6 h
	InOrder bool          // connect to no exchanger while a better one is left alone after a failure (see spare.go); for who probes again and again
}

// Timeouts bound the phases; each covers a whole reply, and 0 means the default. They are shorter than RFC
// 5321 4.5.3.2 asks of a client that has mail to deliver: a tester that waits 5 minutes tells less. 30 s
// is longer than the tarpits in use (postscreen 6 s, Sendmail's greet_pause up to 20 s).
type Timeouts struct {
	Lookup      time.Duration // one DNS question; 10 s
	Connect     time.Duration // 10 s
	Greeting    time.Duration // 30 s
	Hello       time.Duration // the replies to EHLO, HELO and STARTTLS, each; 30 s
	TLS         time.Duration // the handshake; 20 s
	Recipient   time.Duration // the replies to MAIL, RCPT and RSET, each; 60 s
	Quit        time.Duration // the reply to QUIT; 5 s
	QuitRefused time.Duration // the same after a greeting of 4xx or 5xx; 2 s
	Policy      time.Duration // the fetch of an MTA-STS policy; 15 s
	Address     time.Duration // all of one address, up to QUIT; 90 s
}

// RFCTimeouts are the patience that RFC 5321 4.5.3.2 asks of a sender: 5 minutes a step, and RFC 8461 3.3 for a policy: one.
// Nothing bounds an address but the sum of its steps.
func RFCTimeouts() Timeouts {
	const step = 5 * time.Minute
	return Timeouts{Connect: step, Greeting: step, Hello: step, TLS: step, Recipient: step, Policy: time.Minute, Address: time.Hour}
}

// withDefaults fills in what is not set.
func (o Options) withDefaults() Options {
	o.Port = cmp.Or(o.Port, map[bool]uint16{false: 25, true: 465}[o.ImplicitTLS])
	o.Depth = cmp.Or(o.Depth, DepthTLS)
	o.Between = cmp.Or(o.Between, time.Minute)
	for _, d := range []struct {
		field *time.Duration
		value time.Duration
	}{
		{&o.Slow, 10 * time.Second},
		{&o.Reuse, time.Minute},
		{&o.Hold, mostHold},
		{&o.CertWarning, 21 * 24 * time.Hour},
		{&o.CertCritical, 7 * 24 * time.Hour},
		{&o.Timeouts.Lookup, 10 * time.Second},
		{&o.Timeouts.Connect, 10 * time.Second},
		{&o.Timeouts.Greeting, 30 * time.Second},
		{&o.Timeouts.Hello, 30 * time.Second},
		{&o.Timeouts.TLS, 20 * time.Second},
		{&o.Timeouts.Recipient, 60 * time.Second},
		{&o.Timeouts.Quit, 5 * time.Second},
		{&o.Timeouts.QuitRefused, 2 * time.Second},
		{&o.Timeouts.Address, 90 * time.Second},
	} {
		if *d.field <= 0 {
			*d.field = d.value
		}
	}
	return o
}

// checkHelo refuses a name that would break the command line, or that no server could take.
func checkHelo(name string) error {
	if len(name) > 255 || strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return fmt.Errorf("helo %.100q is neither a host name nor an address literal such as [192.0.2.1]", name)
	}
	return nil
}

// heloName is the name for EHLO: a fully qualified name, else the address literal of our end of the
// connection (RFC 5321 4.1.1.1, 4.1.3).
func (o Options) heloName(local net.Addr) string {
	if o.Helo != "" {
		return o.Helo
	}
	if host, err := os.Hostname(); err == nil && strings.Contains(host, ".") && checkHelo(host) == nil {
		return host
	}
	end, err := netip.ParseAddrPort(local.String())
	switch addr := end.Addr().Unmap().WithZone(""); {
	case err != nil:
		return "[127.0.0.1]"
	default:
		return literal(addr)
	}
}

var errNoExchange = errors.New("Prober.Exchange is not set")
