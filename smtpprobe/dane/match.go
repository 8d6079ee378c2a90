package dane

import (
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/mxglue/mxglue/smtpprobe/lookup"
)

// maxChain is how many certificates of a served chain are looked at.
const maxChain = 20

// Match tells which record a served chain, the leaf first, matches: how is a sentence. The error is a
// *MatchError. nextHops are the domain the mail is for and, where that is an alias, its end; a DANE-TA
// certificate may name them in place of the host where the MX answer is secure (RFC 7672 3.2.2).
func (r Result) Match(chain []*x509.Certificate, nextHops []string, now time.Time) (how string, err error) {
	switch {
	case r.Status != Secure:
		return "", fail("validation-failure", r.Rule, "There is no TLSA record to match: %s", r.Detail)
	case len(chain) == 0:
		return "", fail("validation-failure", "RFC 7672 §3.2", "The server sent no certificate.")
	}
	chain = chain[:min(len(chain), maxChain)]
	_, outdated := r.current(usageEE)
	if record, ok := r.NamesLeaf(chain[0]); ok {
		return fmt.Sprintf("The server's certificate matches TLSA %s (RFC 7672 §3.1.1).", record), nil
	}
	anchors, weaker := r.current(usageTA)
	names := []string{r.Base}
	if r.MXSecure {
		names = append(names, nextHops...)
	}
	for _, record := range anchors {
		for _, anchor := range record.anchors(chain) {
			if err = verify(chain, anchor, names, now); err == nil {
				return fmt.Sprintf("The chain ends at a certificate that matches TLSA %s (RFC 7672 §3.1.2).", record), nil
			}
		}
	}
	if err != nil {
		return "", err
	}
	return "", r.mismatch(chain, append(outdated, weaker...))
}

// NamesLeaf returns the DANE-EE record that a server's certificate matches, if there is one. Its names MUST NOT be checked,
// and its dates MUST be ignored (RFC 7672 3.1.1).
func (r Result) NamesLeaf(leaf *x509.Certificate) (Record, bool) {
	records, _ := r.current(usageEE)
	i := slices.IndexFunc(records, func(record Record) bool { return record.matches(leaf) })
	if r.Status != Secure || i < 0 {
		return Record{}, false
	}
	return records[i], true
}

// anchors are the certificates that a DANE-TA record names: those the server sent above its own, and one
// that is published whole (RFC 7671 5.2.2 has it used although the server does not send it). A bare key that
// is published whole (2 1 0) counts only where the server sends its certificate, as RFC 7672 3.1.2 says it must.
func (r Record) anchors(chain []*x509.Certificate) []*x509.Certificate {
	var anchors []*x509.Certificate
	for _, cert := range chain[1:] {
		if r.matches(cert) {
			anchors = append(anchors, cert)
		}
	}
	if len(anchors) == 0 && r.Selector == selectorCert && r.MatchingType == full && !r.matches(chain[0]) {
		if cert, err := x509.ParseCertificate(r.data); err == nil {
			anchors = append(anchors, cert)
		}
	}
	return anchors
}

// verify checks the path from the leaf to the anchor, with dates, and the names of the leaf (RFC 7672 3.2.2).
func verify(chain []*x509.Certificate, anchor *x509.Certificate, names []string, now time.Time) error {
	roots, between := x509.NewCertPool(), x509.NewCertPool()
	roots.AddCert(anchor)
	for _, cert := range chain[1:] {
		between.AddCert(cert)
	}
	_, err := chain[0].Verify(x509.VerifyOptions{Roots: roots, Intermediates: between, CurrentTime: now})
	if err != nil {
		code := "certificate-not-trusted"
		if invalid := (x509.CertificateInvalidError{}); errors.As(err, &invalid) && invalid.Reason == x509.Expired {
			code = "certificate-expired"
		}
		return fail(code, "RFC 7672 §3.1.2", "The trust anchor matches, the path to it does not hold: %s.", lookup.Describe(err))
	}
	for _, name := range names {
		if presented(chain[0]).VerifyHostname(name) == nil { // a wildcard is a whole left-most label: RFC 7672 3.2.3
			return nil
		}
	}
	return fail("certificate-host-mismatch", "RFC 7672 §3.2.3", "The trust anchor matches, but the certificate names none of %s.", strings.Join(names, ", "))
}

// presented is a certificate with the names to check: its DNS-IDs or, only where it has none, its common name
// (RFC 7672 3.2.3). crypto/x509 never looks at the latter.
func presented(leaf *x509.Certificate) *x509.Certificate {
	if len(leaf.DNSNames) > 0 {
		return leaf
	}
	return &x509.Certificate{DNSNames: []string{leaf.Subject.CommonName}}
}

// mismatch tells why no record is that of the chain.
func (r Result) mismatch(chain []*x509.Certificate, outdated []Record) error {
	for _, record := range outdated {
		for i, cert := range chain {
			if record.matches(cert) && (record.Usage == usageTA) == (i > 0) {
				return fail("tlsa-invalid", "RFC 7671 §9", "Only TLSA %s matches, and senders with digest agility leave it out for a stronger digest that does not match.", record)
			}
		}
	}
	anchors, others := 0, 0
	for _, record := range r.Records {
		switch {
		case !record.Usable:
		case record.Usage == usageTA && record.matches(chain[0]):
			return fail("tlsa-invalid", "RFC 7671 §5.2", "TLSA %s is the server's own certificate, and usage 2 names an issuer: publish it with usage 3.", record)
		case record.Usage == usageTA:
			anchors++
		default:
			others++
		}
	}
	if anchors > 0 && others == 0 {
		return fail("tlsa-invalid", "RFC 7672 §3.1.2", "The trust anchor of no TLSA record is among the %d certificates that the server sends, where it must be.", len(chain))
	}
	return fail("tlsa-invalid", "RFC 7672 §3.2", "None of the %d usable TLSA records at %s matches; the server's key is 3 1 1 %s.", anchors+others, r.Base, SPKI(chain[0]))
}

// fail makes a MatchError.
func fail(code, rule, format string, args ...any) error {
	return &MatchError{Code: code, Rule: rule, Text: lookup.Clip(fmt.Sprintf(format, args...), 512)}
}
