package smtpprobe

import (
	"cmp"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"time"
)

// maxNames is how many DNS-IDs of a certificate are reported.
const maxNames = 20

// certificate describes an element of a served chain.
func certificate(c *x509.Certificate) Certificate {
	names := []string{}
	for _, name := range c.DNSNames[:min(len(c.DNSNames), maxNames)] {
		names = append(names, clip(Escape(name), maxDetail))
	}
	return Certificate{
		Subject: clip(Escape(c.Subject.String()), maxDetail), Issuer: clip(Escape(c.Issuer.String()), maxDetail), Names: names,
		NotBefore: instant(c.NotBefore), NotAfter: instant(c.NotAfter),
		Key: keyName(c), Signature: c.SignatureAlgorithm.String(), SelfSigned: selfSigned(c),
	}
}

// instant is a date of a certificate as JSON can have it. One in DER may be in a zone 24 hours from UTC, or before the year 0 or
// after 9999 in UTC: encoding/json refuses all of these, and with one of them the whole report.
func instant(t time.Time) time.Time {
	switch t = t.UTC(); {
	case t.Year() < 0:
		return time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC)
	case t.Year() > 9999:
		return time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)
	}
	return t
}

// keyName is the kind and size of a certificate's key.
func keyName(c *x509.Certificate) string {
	switch key := c.PublicKey.(type) {
	case *rsa.PublicKey:
		return fmt.Sprintf("RSA %d", key.N.BitLen())
	case *ecdsa.PublicKey:
		return "ECDSA " + key.Params().Name
	case ed25519.PublicKey:
		return "Ed25519"
	}
	return c.PublicKeyAlgorithm.String()
}

// weakness says what is too weak about a certificate, or "". The limits are those of NIST SP 800-57 and the
// CA/Browser Forum: RSA from 2048 bits on, curves from 256 on, no MD5, no SHA-1 (nobody looks at the signature
// of a self-signed one).
func weakness(c *x509.Certificate) string {
	switch key := c.PublicKey.(type) {
	case *rsa.PublicKey:
		if key.N.BitLen() < 2048 {
			return keyName(c) + " key: want 2048 bits or more"
		}
	case *ecdsa.PublicKey:
		if key.Params().BitSize < 256 {
			return keyName(c) + " key: want P-256 or more"
		}
	}
	switch c.SignatureAlgorithm {
	case x509.MD2WithRSA, x509.MD5WithRSA, x509.SHA1WithRSA, x509.DSAWithSHA1, x509.ECDSAWithSHA1:
		if !selfSigned(c) {
			return "signature " + c.SignatureAlgorithm.String() + ": want SHA-256 or more"
		}
	}
	return ""
}

// selfSigned tells whether a certificate vouches for itself.
func selfSigned(c *x509.Certificate) bool {
	return slices.Equal(c.RawIssuer, c.RawSubject) && c.CheckSignature(c.SignatureAlgorithm, c.RawTBSCertificate, c.Signature) == nil
}

// trust is what a public CA's word is worth for a served chain, names aside.
type trust struct {
	needed  []*x509.Certificate // the served elements of the path to a root; nil: there is none
	expired bool                // there is a path but for its dates
	why     string
}

// trustOf verifies a served chain against the roots (nil: the system's) at a time.
func trustOf(chain []*x509.Certificate, roots *x509.CertPool, now time.Time) trust {
	options := x509.VerifyOptions{Roots: roots, Intermediates: x509.NewCertPool(), CurrentTime: now}
	for _, c := range chain[1:] {
		options.Intermediates.AddCert(c)
	}
	paths, err := chain[0].Verify(options)
	if err == nil {
		return trust{needed: served(paths, chain)}
	}
	// Would it be trusted at a time when all of it was valid?
	latest := slices.MaxFunc(chain, func(a, b *x509.Certificate) int { return a.NotBefore.Compare(b.NotBefore) }).NotBefore
	options.CurrentTime = latest.Add(time.Second)
	if paths, again := chain[0].Verify(options); again == nil {
		return trust{needed: served(paths, chain), expired: true, why: dates(served(paths, chain), now)}
	}
	return trust{why: distrust(chain, err)}
}

// served returns the served elements of the path that holds longest.
func served(paths [][]*x509.Certificate, chain []*x509.Certificate) []*x509.Certificate {
	var best []*x509.Certificate
	for _, path := range paths {
		kept := slices.DeleteFunc(slices.Clone(path), func(c *x509.Certificate) bool { return !slices.ContainsFunc(chain, c.Equal) })
		if best == nil || ends(kept).After(ends(best)) {
			best = kept
		}
	}
	return best
}

// ends is when the first of some certificates ends.
func ends(chain []*x509.Certificate) time.Time {
	return slices.MinFunc(chain, func(a, b *x509.Certificate) int { return a.NotAfter.Compare(b.NotAfter) }).NotAfter
}

// dates says which certificate is outside its dates.
func dates(chain []*x509.Certificate, now time.Time) string {
	for _, c := range chain {
		switch name := clip(Escape(cmp.Or(c.Subject.String(), "(no subject)")), maxDetail); {
		case now.After(c.NotAfter):
			return fmt.Sprintf("%s ended on %s", name, c.NotAfter.UTC().Format(time.DateOnly))
		case now.Before(c.NotBefore):
			return fmt.Sprintf("%s begins on %s only", name, c.NotBefore.UTC().Format(time.DateOnly))
		}
	}
	return "a root outside its dates"
}

// distrust says why a chain leads nowhere. What it lacks is not fetched (AIA): senders do not either.
func distrust(chain []*x509.Certificate, err error) string {
	top := chain[len(chain)-1]
	issuer := clip(Escape(top.Issuer.String()), maxDetail)
	var unknown x509.UnknownAuthorityError
	switch {
	case !errors.As(err, &unknown):
		return describe(err)
	case selfSigned(chain[0]):
		return "self-signed"
	case selfSigned(top):
		return "the root " + issuer + " is not trusted here"
	}
	return "incomplete chain: the certificate of its issuer " + issuer + " is not served, and is no root trusted here"
}
