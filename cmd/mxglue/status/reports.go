package status

import (
	"math"
	"strconv"
	"time"

	"github.com/mxglue/mxglue/smtpprobe"
	"github.com/mxglue/mxglue/smtpprobe/sts"
)

// exchangers sends what the hosts of a domain did. A host of which nothing was learned has no mx_up: it is neither. The
// phases and the code are those of the address that decides, or, with addresses, of each.
func (m sink) exchangers(r smtpprobe.Report, addresses bool) {
	for _, e := range r.MX {
		labels := []string{"domain", r.Domain, "mx", e.Name, "pref", strconv.Itoa(int(e.Preference))}
		if e.Verdict != smtpprobe.Skipped && e.Verdict != smtpprobe.LocalError {
			m.gauge("mx_up", "1 if the MX host says 220 on one of its addresses.", oneIf(e.Says220()), labels...)
		}
		count := map[string]int{"up": 0, "down": 0, "untried": 0}
		seen := map[string]bool{}
		for _, a := range e.Attempts {
			address := a.Address.String()
			count[stateOf(a)]++
			if addresses && !seen[address] {
				seen[address] = true
				m.address(a, append(labels[:4:4], "address", address)...)
			}
		}
		for state, n := range count {
			m.gauge("mx_addresses", "Addresses of the MX host, by what they are.", float64(n), append(labels[:4:4], "state", state)...)
		}
		if a := greeting(e); a != nil && !addresses {
			m.address(*a, labels[:4]...)
		}
	}
}

// address sends what one connection was like.
func (m sink) address(a smtpprobe.Attempt, labels ...string) {
	m.gauge("mx_greeting_code", "SMTP code of the greeting; 0 if none came.", float64(a.Code), labels...)
	for _, phase := range []struct {
		name string
		ms   float64
	}{{"connect", a.MS.Connect}, {"greeting", a.MS.Greeting}, {"ehlo", a.MS.Hello}, {"tls", a.MS.TLS}, {"quit", a.MS.Quit}} {
		if phase.ms > 0 {
			m.gauge("mx_phase_seconds", "How long a phase of the connection took.", math.Round(phase.ms*1e3)/1e6, append(labels[:len(labels):len(labels)], "phase", phase.name)...)
		}
	}
}

// greeting is the attempt that decides about a host: the first that says 220, else the first that was made; nil: none was.
func greeting(e smtpprobe.Exchanger) (made *smtpprobe.Attempt) {
	for i, a := range e.Attempts {
		switch {
		case stateOf(a) == "up":
			return &e.Attempts[i]
		case made == nil && stateOf(a) == "down":
			made = &e.Attempts[i]
		}
	}
	return made
}

// stateOf is what an address is: up, down, or untried where that says nothing about it.
func stateOf(a smtpprobe.Attempt) string {
	switch a.Verdict {
	case smtpprobe.OK, smtpprobe.Slow:
		return "up"
	case smtpprobe.Skipped, smtpprobe.BlockedAddress, smtpprobe.LocalError:
		return "untried"
	}
	return "down"
}

// security sends what a domain does for encryption, and what senders make of it. The metrics whose labels end in a word
// are there with the word that holds now, as 1.
func (m sink) security(r smtpprobe.Report) {
	for _, e := range r.MX {
		if end := earliestEnd(e); !end.IsZero() {
			m.gauge("tls_cert_not_after_timestamp_seconds", "When the first certificate that the MX host shows will have ended.", unix(end), "domain", r.Domain, "mx", e.Name)
		}
		if e.DANE != nil {
			m.gauge("dane_status", "1; the label tells: none, secure, unusable, error or unknown.", 1, "domain", r.Domain, "mx", e.Name, "status", string(e.DANE.Status))
		}
	}
	if r.STS != nil {
		m.gauge("mta_sts_mode", "1; the label tells: enforce, testing, none, absent, broken or unknown.", 1, "domain", r.Domain, "mode", modeOf(*r.STS))
	}
	for _, sender := range []struct {
		kind    string
		outcome smtpprobe.Outcome
	}{{"plain", r.Senders.Plain}, {"dane", r.Senders.DANE}, {"mta_sts", r.Senders.STS}} {
		if sender.outcome != "" {
			m.gauge("domain_sender_outcome", "1; the label tells: authenticated, encrypted, clear, defer, bounce or unknown.", 1,
				"domain", r.Domain, "sender", sender.kind, "outcome", string(sender.outcome))
		}
	}
}

// modeOf is the mode of a policy, or why there is none.
func modeOf(p sts.Result) string {
	switch p.Status {
	case sts.OK:
		return p.Mode
	case sts.None:
		return "absent"
	case sts.Unknown:
		return "unknown"
	}
	return "broken"
}

// earliestEnd is when the first of the certificates ends that hosts have shown; zero: none did.
func earliestEnd(hosts ...smtpprobe.Exchanger) (end time.Time) {
	for _, e := range hosts {
		for _, a := range e.Attempts {
			if a.TLS != nil && !a.TLS.NotAfter.IsZero() && (end.IsZero() || a.TLS.NotAfter.Before(end)) {
				end = a.TLS.NotAfter
			}
		}
	}
	return end
}

// statusNumber is a status as monitoring plugins count.
func statusNumber(s smtpprobe.Status) float64 {
	return float64(smtpprobe.Report{Status: s}.ExitCode())
}

func unix(t time.Time) float64 { return float64(t.Unix()) }
