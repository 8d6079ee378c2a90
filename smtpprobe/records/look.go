package records

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/miekg/dns"

	"github.com/mxglue/mxglue/smtpprobe/lookup"
)

// What is kept of a stranger's words, in octets.
const (
	maxRecord = 512
	maxText   = 512
)

// maxTime bounds one Look: an SPF record can have many questions follow one another.
const maxTime = 30 * time.Second

// Look asks for the TLSRPT, SPF and DMARC records of a domain in A-labels.
func Look(ctx context.Context, exchange lookup.Exchange, domain string) Result {
	ctx, cancel := context.WithTimeout(ctx, maxTime)
	defer cancel()
	var r Result
	var found [3][]Finding
	var asked sync.WaitGroup
	asked.Go(func() { r.TLSRPT, found[0] = lookTLSRPT(ctx, exchange, domain) })
	asked.Go(func() { r.SPF, found[1] = lookSPF(ctx, exchange, domain) })
	asked.Go(func() { r.DMARC, found[2] = lookDMARC(ctx, exchange, domain) })
	asked.Wait()
	for _, findings := range found {
		r.Findings = append(r.Findings, findings...)
	}
	return r
}

// texts asks for the TXT records of a name that the filter takes. The answer's RRs tell whether there were any.
func texts(ctx context.Context, exchange lookup.Exchange, name string, takes func(string) bool) ([]string, lookup.Answer, error) {
	ans, err := lookup.Ask(ctx, exchange, name, dns.TypeTXT)
	var taken []string
	for _, text := range lookup.Texts(ans.RRs) {
		if takes(text) {
			taken = append(taken, text)
		}
	}
	return taken, ans, err
}

// finding makes one.
func finding(severity, code, rule, about, format string, args ...any) Finding {
	return Finding{severity, code, rule, about, lookup.Clip(fmt.Sprintf(format, args...), maxText)}
}
