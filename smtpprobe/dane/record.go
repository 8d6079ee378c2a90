package dane

import (
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/miekg/dns"

	"github.com/mxglue/mxglue/smtpprobe/lookup"
)

// Certificate usages, selectors and matching types (RFC 6698 7.2 to 7.4, named by RFC 7218).
const (
	usageTA      = 2 // DANE-TA: an issuer in the chain
	usageEE      = 3 // DANE-EE: the server's own certificate
	selectorCert = 0
	selectorSPKI = 1
	full         = 0
	digest256    = 1
	digest512    = 2
)

// maxDigits of a record's data are kept for the report: a SHA-512 has as many.
const maxDigits = 2 * sha512.Size

// parse reads a record and decides whether a sender can use it.
func parse(rr *dns.TLSA) Record {
	r := Record{Usage: rr.Usage, Selector: rr.Selector, MatchingType: rr.MatchingType, Data: lookup.Clip(rr.Certificate, maxDigits)}
	data, err := hex.DecodeString(rr.Certificate)
	if err != nil { // package dns wrote it
		r.Why = "its data is not hexadecimal"
		return r
	}
	r.data = data
	r.Why = r.fault()
	r.Usable = r.Why == ""
	return r
}

// fault tells what is wrong with the record and what to do, or "".
func (r Record) fault() string {
	switch {
	case r.Usage < usageTA:
		// MAY be treated as unusable, and most do (RFC 7672 3.1.3); Postfix takes 1 for 3.
		return fmt.Sprintf("usage %d asks for a public CA, which SMTP does not have; remove it, or publish usage 3 or 2", r.Usage)
	case r.Usage > usageEE:
		return fmt.Sprintf("usage %d is not assigned; publish usage 3 or 2", r.Usage)
	case r.Selector > selectorSPKI:
		return fmt.Sprintf("selector %d is not assigned; publish 1, the public key", r.Selector)
	case r.MatchingType > digest512:
		return fmt.Sprintf("matching type %d is not assigned; publish 1, SHA-256", r.MatchingType)
	case r.MatchingType == digest256 && len(r.data) != sha256.Size:
		return fmt.Sprintf("its data has %d octets, and a SHA-256 has %d; make it anew from the certificate", len(r.data), sha256.Size)
	case r.MatchingType == digest512 && len(r.data) != sha512.Size:
		return fmt.Sprintf("its data has %d octets, and a SHA-512 has %d; make it anew from the certificate", len(r.data), sha512.Size)
	case r.MatchingType != full:
		return ""
	}
	var err error
	if r.Selector == selectorCert {
		_, err = x509.ParseCertificate(r.data)
	} else {
		_, err = x509.ParsePKIXPublicKey(r.data)
	}
	if err != nil {
		return "its data does not parse (" + lookup.Describe(err) + "); publish 3 1 1, a digest"
	}
	return ""
}

// String is the record as people name it: "3 1 1 0123456789abcdef…".
func (r Record) String() string {
	return fmt.Sprintf("%d %d %d %s", r.Usage, r.Selector, r.MatchingType, lookup.Clip(r.Data, 19))
}

// matches tells whether the record is the certificate's.
func (r Record) matches(cert *x509.Certificate) bool {
	want, err := dns.CertificateToDANE(r.Selector, r.MatchingType, cert)
	return err == nil && want == hex.EncodeToString(r.data)
}

// current are the usable records of a usage, without those whose digest is weaker than another's of the same
// usage and selector: a sender with digest agility leaves these out (RFC 7671 9). Full data always counts.
func (r Result) current(usage uint8) (records, outdated []Record) {
	var strongest [selectorSPKI + 1]uint8
	for _, record := range r.Records {
		if record.Usable && record.Usage == usage {
			strongest[record.Selector] = max(strongest[record.Selector], record.MatchingType)
		}
	}
	for _, record := range r.Records {
		switch {
		case !record.Usable || record.Usage != usage:
		case record.MatchingType == full || record.MatchingType == strongest[record.Selector]:
			records = append(records, record)
		default:
			outdated = append(outdated, record)
		}
	}
	return records, outdated
}

// earliestEnd is when the first of the signatures ends; zero without any.
func earliestEnd(sigs []*dns.RRSIG) time.Time {
	var end time.Time
	for _, sig := range sigs {
		if t := time.Unix(int64(sig.Expiration), 0).UTC(); end.IsZero() || t.Before(end) {
			end = t
		}
	}
	return end
}
