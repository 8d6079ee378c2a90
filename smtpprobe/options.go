package smtpprobe

import (
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
	maxPerFamily  = 2  // addresses of each family tried per host
)

// Options says how to probe. The zero value is good for public mail.
type Options struct {
	Helo         string        // our name in EHLO; "": this host's name, or its address literal (RFC 5321 4.1.1.1)
	Port         uint16        // 0: 25
	AllowPrivate bool          // connect to loopback, RFC 1918 and RFC 4193 addresses too
	First        bool          // stop at the first 220
	Slow         time.Duration // a greeting that takes longer is slow; 0: 10 s
	Timeouts     Timeouts
}

// Timeouts bound the phases; each covers a whole reply, and 0 means the default. They are shorter than RFC
// 5321 4.5.3.2 asks of a client that has mail to deliver: a tester that waits 5 minutes tells less. 30 s
// is longer than the tarpits in use (postscreen 6 s, Sendmail's greet_pause up to 20 s).
type Timeouts struct {
	Lookup      time.Duration // one DNS question; 10 s
	Connect     time.Duration // 10 s
	Greeting    time.Duration // 30 s
	Hello       time.Duration // the replies to EHLO and to HELO, each; 30 s
	Quit        time.Duration // the reply to QUIT; 5 s
	QuitRefused time.Duration // the same after a greeting of 4xx or 5xx; 2 s
	Address     time.Duration // all of one address, up to QUIT; 90 s
}

// withDefaults fills in what is not set.
func (o Options) withDefaults() Options {
	if o.Port == 0 {
		o.Port = 25
	}
	for _, d := range []struct {
		field *time.Duration
		value time.Duration
	}{
		{&o.Slow, 10 * time.Second},
		{&o.Timeouts.Lookup, 10 * time.Second},
		{&o.Timeouts.Connect, 10 * time.Second},
		{&o.Timeouts.Greeting, 30 * time.Second},
		{&o.Timeouts.Hello, 30 * time.Second},
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
	case addr.Is4():
		return "[" + addr.String() + "]"
	default:
		return "[IPv6:" + addr.String() + "]"
	}
}

var errNoExchange = errors.New("Prober.Exchange is not set")
