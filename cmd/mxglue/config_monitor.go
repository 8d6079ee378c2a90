package main

import "time"

// Monitor is the section monitor: which domains are probed again and again.
type Monitor struct {
	Domains  []string // A-labels
	Busiest  int      // domains that the mail server asks for most; 0: none
	Interval time.Duration
	Deep     int    // every how manieth probe looks at certificates
	OwnMX    bool   // the mail servers are ours: no pauses for their sake
	Store    string // a file
}

const (
	maxMonitored = 1000            // domains
	minInterval  = 5 * time.Minute // between probes of strangers' mail servers
)

// on tells whether there is anything to monitor.
func (m *Monitor) on() bool { return len(m.Domains) > 0 || m.Busiest > 0 }

// conflicts are settings that are right each and wrong together.
func (m *Monitor) conflicts(add func(key, text string, args ...any)) {
	if len(m.Domains) > maxMonitored {
		add("monitor.domains", "%d domains are listed; at most %d", len(m.Domains), maxMonitored)
	}
	if m.Interval < minInterval && !m.OwnMX {
		add("monitor.interval", `"%s" is less than %s, which the owners of mail servers take for an attack; if these are all your own, say monitor.own_mx: true`,
			m.Interval, short(minInterval))
	}
	if m.OwnMX && m.Busiest > 0 {
		add("monitor.busiest", `"%d" would probe the mail servers of others without pause: leave it at 0, or say monitor.own_mx: false`, m.Busiest)
	}
	if m.on() && m.Store == "" {
		add("monitor.store", "is empty; the monitor needs a file to remember in, such as /var/lib/mxglue/monitor.db")
	}
}
