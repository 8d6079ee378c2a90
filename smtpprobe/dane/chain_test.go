package dane

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/mxglue/mxglue/smtpprobe/lookup/lookuptest"
)

// spec says how a chain differs from a good one for mx.example.
type spec struct {
	names      []string // DNS-IDs; nil: mx.example
	commonName string
	leafEnds   time.Duration // from now; 0: 90 days
	caEnds     time.Duration // of the intermediate
}

// testChain is leaf, intermediate, root.
type testChain struct {
	leaf, intermediate, root *x509.Certificate
	now                      time.Time
}

func newChain(t testing.TB, s spec) testChain {
	t.Helper()
	c := testChain{now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	ends := func(d time.Duration) time.Time {
		if d == 0 {
			d = 90 * 24 * time.Hour
		}
		return c.now.Add(d)
	}
	serial := int64(0)
	issue := func(template, parent *x509.Certificate, parentKey *ecdsa.PrivateKey) (*x509.Certificate, *ecdsa.PrivateKey) {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		serial++
		template.SerialNumber, template.NotBefore = big.NewInt(serial), c.now.Add(-100*24*time.Hour)
		if parent == nil {
			parent, parentKey = template, key
		}
		der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, parentKey)
		if err != nil {
			t.Fatal(err)
		}
		cert, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		return cert, key
	}
	ca := func(name string, d time.Duration) *x509.Certificate {
		return &x509.Certificate{Subject: pkix.Name{CommonName: name}, NotAfter: ends(d), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	}
	if s.names == nil {
		s.names = []string{"mx.example"}
	}
	var rootKey, intermediateKey *ecdsa.PrivateKey
	c.root, rootKey = issue(ca("Test Root", 0), nil, nil)
	c.intermediate, intermediateKey = issue(ca("Test Intermediate", s.caEnds), c.root, rootKey)
	c.leaf, _ = issue(&x509.Certificate{Subject: pkix.Name{CommonName: s.commonName}, DNSNames: s.names, NotAfter: ends(s.leafEnds)}, c.intermediate, intermediateKey)
	return c
}

func (c testChain) certs() []*x509.Certificate {
	return []*x509.Certificate{c.leaf, c.intermediate, c.root}
}

// tlsa is a record for the certificate at that depth.
func (c testChain) tlsa(usage, selector, matchingType uint8, depth int) string {
	data, err := dns.CertificateToDANE(selector, matchingType, c.certs()[depth])
	if err != nil {
		panic(err)
	}
	return fmt.Sprintf("%d %d %d %s", usage, selector, matchingType, data)
}

// result is what Lookup says of such records.
func result(t *testing.T, mxSecure bool, records ...string) Result {
	t.Helper()
	zone := "SIGNED example\n"
	for _, record := range records {
		zone += "_25._tcp.mx.example. TLSA " + record + "\n"
	}
	return Lookup(t.Context(), lookuptest.New(t, zone).Exchange, true, Host{Name: "mx.example", Secure: true, MXSecure: mxSecure}, 25)
}
