package sts

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/netip"
	"time"

	"github.com/mxglue/mxglue/smtpprobe/lookup"
)

const (
	maxPolicy      = 64 << 10         // octets of a policy: RFC 8461 3.3
	maxHeader      = 16 << 10         // octets of the header before it
	defaultTimeout = 15 * time.Second // RFC 8461 3.3 suggests a minute, for a sender that can wait
)

// Fetcher finds policies. Only Exchange must be set. It may be used by many goroutines at once, and must not be
// copied after its first use.
type Fetcher struct {
	Exchange lookup.Exchange
	Roots    *x509.CertPool                                                       // nil: those of the system
	Timeout  time.Duration                                                        // of a fetch, the host's addresses included; 0: 15 s
	Port     uint16                                                               // of the policy host; 0: 443
	Blocked  func(addr netip.Addr) string                                         // the class of an address that must not be connected to, or ""; nil: none
	Dial     func(ctx context.Context, network, address string) (net.Conn, error) // nil: net.Dialer
	Now      func() time.Time                                                     // nil: time.Now

	failed memory
}

// Look finds the policy of a domain in A-labels. It waits for one question and, where there is a record, for
// one fetch; after a fetch that failed it makes the next for the same record five minutes later at the earliest.
func (f *Fetcher) Look(ctx context.Context, domain string) Result {
	r := record(ctx, f.Exchange, domain)
	if r.Status != OK {
		return r
	}
	if known, found := f.failed.recall(domain, r.ID, f.now()); found {
		return known
	}
	r = f.fetch(ctx, r, domain)
	switch {
	case r.Status == OK:
	case ctx.Err() != nil: // a caller that went away says nothing about the policy
		r.Code = ""
		return r.settle(Unknown, "RFC 8461 §3.3", "There was no time to fetch the policy of %s.", domain)
	default:
		f.failed.note(domain, r, f.now())
	}
	return r
}

// fetch gets the policy of a record and reads it.
func (f *Fetcher) fetch(ctx context.Context, r Result, domain string) Result {
	host := "mta-sts." + domain
	text, mediaType, err := f.get(ctx, host)
	if err != nil {
		r.Code = codeFetch
		if invalid := (*tls.CertificateVerificationError)(nil); errors.As(err, &invalid) {
			r.Code = codeWebPKI
		}
		return r.settle(FetchError, "RFC 8461 §3.3", "The policy of %s could not be fetched from %s: %s.", domain, host, lookup.Describe(err))
	}
	p, err := parsePolicy(text)
	if err != nil {
		r.Code = codePolicy
		return r.settle(PolicyInvalid, "RFC 8461 §3.2", "The policy at %s cannot be used: %v.", host, err)
	}
	r.Mode, r.MaxAge, r.MX = p.mode, p.maxAge, p.mx
	if mediaType != "text/plain" {
		r.warn("The policy at %s comes as %q: RFC 8461 section 3.2 says text/plain.", host, lookup.Clip(mediaType, 60))
	}
	if p.mode == ModeEnforce && p.maxAge < shortMaxAge {
		r.warn("The policy at %s holds for %d s: a value of weeks is expected (RFC 8461 section 3.2), for an attacker has to hide it no longer than that.", host, p.maxAge)
	}
	return r.settle(OK, "RFC 8461 §3.2", "The policy at %s has mode %s; patterns for exchangers: %d.", host, p.mode, len(p.mx))
}

// get is the request: no redirect (RFC 8461 3.3), no proxy, no cache, no connection kept.
func (f *Fetcher) get(ctx context.Context, host string) (text, mediaType string, err error) {
	ctx, cancel := context.WithTimeout(ctx, f.timeout())
	defer cancel()
	client := http.Client{
		Transport: &http.Transport{
			DialContext:            f.dialWithin(ctx), // SNI and the name checked are those of the URL: RFC 8461 7.1
			TLSClientConfig:        &tls.Config{RootCAs: f.Roots, MinVersion: tls.VersionTLS12, Time: f.Now},
			DisableKeepAlives:      true,
			DisableCompression:     true, // 64 KiB are 64 KiB
			MaxResponseHeaderBytes: maxHeader,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+host+f.port()+"/.well-known/mta-sts.txt", nil)
	if err != nil {
		return "", "", err
	}
	request.Header.Set("User-Agent", "mxglue")
	response, err := client.Do(request)
	if err != nil {
		return "", "", errors.Unwrap(err) // the URL stands beside it anyway
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return "", "", fmt.Errorf("HTTP status %d, where only 200 counts", response.StatusCode)
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, maxPolicy+1))
	switch {
	case err != nil:
		return "", "", err
	case len(body) > maxPolicy:
		return "", "", fmt.Errorf("it has more than %d octets", maxPolicy)
	}
	mediaType, _, _ = mime.ParseMediaType(response.Header.Get("Content-Type"))
	return string(body), mediaType, nil
}

// timeout is Timeout or its default.
func (f *Fetcher) timeout() time.Duration {
	if f.Timeout > 0 {
		return f.Timeout
	}
	return defaultTimeout
}

// now is the seam Now or the real thing.
func (f *Fetcher) now() time.Time {
	if f.Now != nil {
		return f.Now()
	}
	return time.Now()
}
