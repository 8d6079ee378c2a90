//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// mtaReport is what "mxglue check --json" says of senders.
type mtaReport struct {
	Domain  string
	Senders mtaSenders
	MX      []struct {
		Senders  mtaSenders
		Attempts []struct {
			Verdict string
			TLS     *struct{ Verdict string }
		}
	}
}

type mtaSenders struct {
	Plain, DANE string
	STS         string `json:"mta_sts"`
}

// deliveries is what the report says that a Postfix of each level would do with mail.
func (r mtaReport) deliveries() map[string]string {
	does := map[string]string{"none": "defer", "encrypt": "defer", "secure": "defer", "dane": r.Senders.DANE, "dane-only": "defer"}
	if len(r.MX) != 1 || len(r.MX[0].Attempts) != 1 {
		return does
	}
	a := r.MX[0].Attempts[0]
	if a.Verdict == "ok" || a.Verdict == "slow" {
		does["none"] = "clear"
	}
	if r.Senders.Plain == "encrypted" || r.Senders.Plain == "authenticated" {
		does["encrypt"] = "encrypted"
	}
	if a.TLS != nil && a.TLS.Verdict == "ok" {
		does["secure"] = "authenticated"
	}
	if r.Senders.DANE == "authenticated" {
		does["dane-only"] = "authenticated"
	}
	return does
}

// checkMTA runs "mxglue check --json" of one domain.
func checkMTA(t *testing.T, ca, domain string) (r mtaReport, code int) {
	t.Helper()
	out := check(t, "--json", "--ca", ca, domain)
	if err := json.Unmarshal([]byte(out.stdout), &r); err != nil {
		t.Errorf("check %s: exit code %d, %v:\n%s%s", domain, out.code, err, out.stdout, out.stderr)
	}
	return r, out.code
}

// checkDomains looks at all domains with mxglue, a process each, and holds what it says against what is known of them.
func checkDomains(t *testing.T, ca string, domains []mtaDomain) (does []map[string]string) {
	t.Helper()
	does = make([]map[string]string, len(domains))
	each(domains, func(i int, d mtaDomain) {
		r, code := checkMTA(t, ca, d.domain())
		does[i] = r.deliveries()
		want := d.want()
		for _, level := range levels {
			if does[i][level] != want[level] {
				t.Errorf("%s: mxglue says that a sender with %s would: %s; want %s (%+v)", d.domain(), level, does[i][level], want[level], r)
			}
		}
		named := d.dane == "authenticated" // by DANE-EE, where it has expired: its dates are nobody's business (RFC 7672 3.1.1)
		if critical := d.dane == "defer" || d.ip == expiredIP && !named; critical != (code == 2) {
			t.Errorf("%s: exit code %d; want 2 if DANE senders defer or the certificate has expired unnamed by DANE-EE, and only then", d.domain(), code)
		}
		if d.ip == expiredIP && named && code != 1 {
			t.Errorf("%s: exit code %d; want 1 for a certificate that has expired and is named by DANE-EE", d.domain(), code)
		}
	})
	return does
}

// compareFinger runs posttls-finger for all domains and levels: its verdicts have to be mxglue's.
func compareFinger(t *testing.T, ca string, domains []mtaDomain, does []map[string]string) {
	t.Helper()
	f := newFinger(t, ca)
	each(domains, func(i int, d mtaDomain) {
		printed := map[string]string{}
		for _, level := range levels {
			printed[level] = f.touch(t, level, d.domain())
		}
		theirs := deliveries(printed)
		for _, level := range levels {
			if theirs[level] != does[i][level] {
				t.Errorf("%s at level %s: mxglue says %s, posttls-finger %s:\n%s", d.domain(), level, does[i][level], theirs[level], printed[level])
			}
		}
	})
}

// each calls do for every domain and waits. It calls so many at a time that all connections of mxglue to postscreen overlap:
// who passes the pregreet test spares connections that come from the same address after it, while it lasts.
func each(domains []mtaDomain, do func(int, mtaDomain)) {
	var all sync.WaitGroup
	slots := make(chan struct{}, 20)
	for i, d := range domains {
		slots <- struct{}{}
		all.Go(func() { defer func() { <-slots }(); do(i, d) })
	}
	all.Wait()
}

// A real Postfix: postscreen with its pregreet test in front of smtpd with a good certificate; smtpd without STARTTLS; smtpd
// with a certificate that has expired.
func TestMTAPostfix(t *testing.T) {
	ca := newAuthority(t)
	good, other := ca.issue(t, 100*24*time.Hour, mtaNames...), ca.issue(t, 100*24*time.Hour, mtaNames...)
	expired := ca.issue(t, -time.Hour, mtaNames...)
	teased := everywhere(t, teaserIP, ca, good, other)
	domains := append(slices.Clone(teased),
		mtaDomain{name: "plain", ip: plainIP, dane: "clear", secure: "defer", encrypt: "defer"},
		mtaDomain{name: "plain-ee", ip: plainIP, tlsa: []string{tlsa(t, 3, 1, good.leaf)}, dane: "defer", secure: "defer", encrypt: "defer"},
		mtaDomain{name: "expired", ip: expiredIP, dane: "encrypted", secure: "defer"},
		mtaDomain{name: "expired-ee", ip: expiredIP, tlsa: []string{tlsa(t, 3, 1, expired.leaf)}, dane: "authenticated", secure: "defer"},
		mtaDomain{name: "expired-ta", ip: expiredIP, tlsa: []string{tlsa(t, 2, 1, ca.middle)}, dane: "defer", secure: "defer"},
	)
	serveDomains(t, domains)
	p := startReceivingPostfix(t, good, expired)
	log := since(t, p.log, "disconnect from ", 3) // of startReceivingPostfix
	does := checkDomains(t, ca.file, domains)
	// "disconnect from" stands last, and PASS says that nothing was sent in postscreen's two seconds.
	await(t, log, "disconnect from ", len(domains))
	polite(t, log(), "PREGREET", "HANGUP", "COMMAND", "NON-SMTP", "lost connection", "timeout", "SSL_accept error", "improper")
	await(t, log, "]: PASS ", len(teased))
	await(t, log, " ehlo=2 starttls=1 quit=1 commands=4", len(domains)-2)
	await(t, log, " ehlo=1 quit=1 commands=2", 2) // where STARTTLS is not offered
	compareFinger(t, ca.file, domains, does)
}

// A real Exim, which refuses who talks before the greeting.
func TestMTAExim(t *testing.T) {
	ca := newAuthority(t)
	good, other := ca.issue(t, 100*24*time.Hour, mtaNames...), ca.issue(t, 100*24*time.Hour, mtaNames...)
	domains := everywhere(t, eximIP, ca, good, other)
	serveDomains(t, domains)
	log := since(t, startExim(t, good), "no MAIL in SMTP connection", 1)
	does := checkDomains(t, ca.file, domains)
	await(t, log, " closed by QUIT", len(domains))
	await(t, log, " C=EHLO,STARTTLS,EHLO,QUIT", len(domains))
	polite(t, log(), "synchronization error", " lost", "dropped", "TLS error", "rejected", "unexpected")
	compareFinger(t, ca.file, domains, does)
}

// A real OpenSMTPD.
func TestMTAOpenSMTPD(t *testing.T) {
	ca := newAuthority(t)
	good, other := ca.issue(t, 100*24*time.Hour, mtaNames...), ca.issue(t, 100*24*time.Hour, mtaNames...)
	domains := everywhere(t, openIP, ca, good, other)
	serveDomains(t, domains)
	log := since(t, startOpenSMTPD(t, good), " smtp disconnected reason=quit", 1)
	does := checkDomains(t, ca.file, domains)
	await(t, log, " smtp disconnected reason=quit", len(domains))
	await(t, log, " smtp tls ", len(domains))
	polite(t, log(), "reason=disconnect", "reason=timeout", "io-error", "failed-command")
	compareFinger(t, ca.file, domains, does)
}

// since waits until a log has so many lines with the words, and returns what reads the log from there on.
func since(t *testing.T, log func() string, words string, n int) func() string {
	t.Helper()
	await(t, log, words, n)
	before := len(log())
	return func() string { return log()[before:] }
}

// await waits until a log has so many lines with the words, and no more.
func await(t *testing.T, log func() string, words string, n int) {
	t.Helper()
	eventually(t, 10*time.Second, func() error {
		if got := strings.Count(log(), words); got != n {
			return fmt.Errorf("the server's log has %d times %q, want %d:\n%s", got, words, n, log())
		}
		return nil
	})
}

// polite fails the test where a server's log complains of a client.
func polite(t *testing.T, log string, complaints ...string) {
	t.Helper()
	for line := range strings.Lines(log) {
		for _, c := range complaints {
			if strings.Contains(line, c) {
				t.Errorf("the server complains of mxglue: %s", strings.TrimSpace(line))
			}
		}
	}
}
