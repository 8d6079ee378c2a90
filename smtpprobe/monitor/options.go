package monitor

import (
	"errors"
	"fmt"
	"time"

	"github.com/mxglue/mxglue/smtpprobe"
)

// Bounds of what may be asked for.
const (
	minInterval = 5 * time.Minute // more often, and a stranger's mail server takes us for an attack
	maxDomains  = 1000
)

// retryInterval is how long a failed destination is left in peace: "the retry interval SHOULD be at least 30
// minutes" (RFC 5321 4.5.4.1).
const retryInterval = 30 * time.Minute

// Options says what to monitor, and how often. The zero value of each field but Domains is its default.
type Options struct {
	Domains  []string      // mail addresses and U-labels too; each once
	Interval time.Duration // between probes of a domain; 15 min; at least 5 min unless Own
	Own      bool          // the mail servers are our own: any interval goes, for the retry too
	Deep     int           // every how manieth probe goes to the certificate; 6; 1: all
	Width    int           // probes at once; 4
	Timeout  time.Duration // of one probe; 10 min
}

// withDefaults fills in what is not set, turns the domains into A-labels, and refuses what is impossible.
func (o Options) withDefaults() (Options, error) {
	if o.Interval == 0 {
		o.Interval = 15 * time.Minute
	}
	if o.Deep == 0 {
		o.Deep = 6
	}
	if o.Width == 0 {
		o.Width = 4
	}
	if o.Timeout == 0 {
		o.Timeout = 10 * time.Minute
	}
	var domains []string
	seen := make(map[string]bool)
	for _, d := range o.Domains {
		domain, err := smtpprobe.ParseDomain(d)
		if err != nil {
			return o, err
		}
		if !seen[domain] {
			seen[domain] = true
			domains = append(domains, domain)
		}
	}
	o.Domains = domains
	return o, o.check()
}

func (o Options) check() error {
	switch {
	case o.Interval <= 0 || o.Timeout <= 0:
		return fmt.Errorf("interval %v, timeout %v: want more than 0", o.Interval, o.Timeout)
	case o.Interval < minInterval && !o.Own:
		return fmt.Errorf("interval %v: want at least %v, unless all mail servers are your own", o.Interval, minInterval)
	case o.Deep < 0 || o.Width < 0:
		return errors.New("deep and width count: want more than 0")
	case len(o.Domains) > maxDomains:
		return fmt.Errorf("%d domains: want at most %d", len(o.Domains), maxDomains)
	}
	return nil
}

// retry is the time between probes of a domain one of whose addresses failed.
func (o Options) retry() time.Duration {
	if o.Own {
		return o.Interval
	}
	return max(o.Interval, retryInterval)
}
