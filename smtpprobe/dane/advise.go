package dane

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"slices"
	"time"
)

// signatureSoon is how long before its end a signature should have been renewed.
const signatureSoon = 24 * time.Hour

// SPKI is the SHA-256 of a certificate's public key in hexadecimal: the data of a TLSA record 3 1 1.
func SPKI(cert *x509.Certificate) string {
	sum := sha256.Sum256(cert.RawSubjectPublicKeyInfo)
	return hex.EncodeToString(sum[:])
}

// Advise is what the owner of the records should know besides; sentences. leaf may be nil. soon is how long
// before its end a certificate is worth a word.
func (r Result) Advise(leaf *x509.Certificate, now time.Time, soon time.Duration) []string {
	if len(r.Records) == 0 {
		return nil
	}
	var advice []string
	isBest := func(record Record) bool {
		return record.Usage == usageEE && record.Selector == selectorSPKI && record.MatchingType == digest256
	}
	if !slices.ContainsFunc(r.Records, isBest) {
		say := "Publish a TLSA record 3 1 1 for " + r.Base + ": it is the recommended form (RFC 7672 §3.1)"
		if leaf != nil {
			say += "; the server's key is 3 1 1 " + SPKI(leaf)
		}
		advice = append(advice, say+".")
	}
	if leaf != nil && len(r.Records) == 1 && leaf.NotAfter.Before(now.Add(soon)) {
		advice = append(advice, fmt.Sprintf("The certificate of %s ends on %s, and there is one TLSA record: if the next has another key, publish its record beside this one two TTLs before it is used (RFC 7671 §8.1).",
			r.Base, leaf.NotAfter.UTC().Format(time.DateOnly)))
	}
	if !r.SignatureEnds.IsZero() && r.SignatureEnds.Before(now.Add(signatureSoon)) {
		advice = append(advice, fmt.Sprintf("The signature of the TLSA records of %s ends at %s: the zone is not signed anew in time, and without it the host is unreachable for DANE senders.",
			r.Base, r.SignatureEnds.Format(time.RFC3339)))
	}
	return advice
}
