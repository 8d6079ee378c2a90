package smtpprobe

import (
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"encoding/json"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// Whatever dates a certificate has, the report can be written as JSON: one server must not silence a whole run, nor keep the
// monitor from remembering the domain.
func TestDatesThatJSONRefuses(t *testing.T) {
	for _, test := range []struct{ from, to, wantFrom, wantTo string }{
		{"20200101000000Z", "20600101000000+2400", "2020-01-01T00:00:00Z", "2059-12-31T00:00:00Z"},
		{"20200101000000-2400", "20600101000000Z", "2020-01-02T00:00:00Z", "2060-01-01T00:00:00Z"},
		{"00000101000000+0100", "99991231235959-0100", "0000-01-01T00:00:00Z", "9999-12-31T23:59:59Z"},
	} {
		t.Run(test.from+" "+test.to, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				odd := redated(t, issue(t, nil, asIs), test.from, test.to)
				r, a := probeTLS(t, &secureMX{chain: []*identity{odd}}, &Prober{})
				if _, err := json.Marshal(r); err != nil {
					t.Fatal(err)
				}
				c := a.TLS.Chain[0]
				if from, to := c.NotBefore.Format(time.RFC3339), c.NotAfter.Format(time.RFC3339); from != test.wantFrom || to != test.wantTo || !a.TLS.NotAfter.Equal(c.NotAfter) {
					t.Errorf("from %s to %s, first end %s; want from %s to %s", from, to, a.TLS.NotAfter, test.wantFrom, test.wantTo)
				}
			})
		})
	}
}

// A certificate that is too long to be kept is not taken for a good one.
func TestCertificateTooLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		long := issue(t, nil, func(c *x509.Certificate) { c.Subject.Organization = []string{strings.Repeat("a", maxChainBytes)} })
		r, a := probeTLS(t, &secureMX{chain: []*identity{long}}, &Prober{})
		if a.TLS.Verdict != ValidationFailure || !strings.Contains(a.TLS.Detail, "more than 65536 octets") || r.Senders.Plain != OutcomeEncrypted || a.TLS.Version != "TLS 1.3" {
			t.Errorf("%s: got %s: %s; plain %s", a.TLS.Version, a.TLS.Verdict, a.TLS.Detail, r.Senders.Plain)
		}
	})
}

// redated is a certificate signed by itself with other dates, as DER has them; crypto/x509 writes no such ones.
func redated(t *testing.T, id *identity, from, to string) *identity {
	t.Helper()
	var whole struct {
		TBS, Algorithm asn1.RawValue
		Signature      asn1.BitString
	}
	if _, err := asn1.Unmarshal(id.Raw, &whole); err != nil {
		t.Fatal(err)
	}
	validity := sequence(t, der(t, asn1.RawValue{Tag: asn1.TagGeneralizedTime, Bytes: []byte(from)}), der(t, asn1.RawValue{Tag: asn1.TagGeneralizedTime, Bytes: []byte(to)}))
	var parts [][]byte
	for rest := whole.TBS.Bytes; len(rest) > 0; {
		var part asn1.RawValue
		var err error
		if rest, err = asn1.Unmarshal(rest, &part); err != nil {
			t.Fatal(err)
		}
		parts = append(parts, part.FullBytes)
	}
	parts[4] = validity // behind version, serial number, algorithm and issuer (RFC 5280 4.1)
	tbs := sequence(t, parts...)
	sum := sha256.Sum256(tbs)
	signature, err := id.key.Sign(rand.Reader, sum[:], crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(sequence(t, tbs, whole.Algorithm.FullBytes, der(t, asn1.BitString{Bytes: signature, BitLength: 8 * len(signature)})))
	if err != nil {
		t.Fatal(err)
	}
	return &identity{cert, id.key}
}

// sequence is a SEQUENCE of what is DER already.
func sequence(t *testing.T, parts ...[]byte) []byte {
	var inside []byte
	for _, part := range parts {
		inside = append(inside, part...)
	}
	return der(t, asn1.RawValue{Tag: asn1.TagSequence, IsCompound: true, Bytes: inside})
}

func der(t *testing.T, value any) []byte {
	t.Helper()
	text, err := asn1.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return text
}
