//go:build e2e

package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// Where the Unbound that is beyond loopback speaks DNS over TLS, and the name in its certificate.
const (
	tlsAddress = farIP + ":8853"
	tlsName    = "resolver.example"
)

// tlsLines are what makes an Unbound speak DNS over TLS.
const tlsLines = `
server:
  interface: 10.77.0.53@8853
  tls-port: 8853
  tls-service-key: %q
  tls-service-pem: %q
`

// DNS over TLS to a real Unbound: it answers, twenty questions take one connection, and because nobody on the way can
// change it, the AD bit is passed on from an address where it would be stripped.
func TestDoT(t *testing.T) {
	ca, lines := certificates(t)
	startSigned(t, 20, lines)
	d := serveBefore(t, []string{"tls://" + tlsAddress + "#" + tlsName}, "MXGLUE_RESOLVER_CA_FILE="+ca)
	for i := range 20 {
		name := fmt.Sprintf("n%d.dnssec.example.", i)
		want := bits{rcode: "NOERROR", ad: true, signed: true}
		if b := (kind{ad: true, do: true}).ask(t, dnsAddress, name, dns.TypeA); b != want {
			t.Errorf("%s: %v, want %v", name, b, want)
		}
	}
	s := readStats(t)
	if u := s.Upstreams[0]; u.Connections != 1 || u.Queries < 20 || u.Failures > 0 {
		t.Errorf("/stats: %d connections, %d queries, %d failures; want 1, 20 and more, none", u.Connections, u.Queries, u.Failures)
	}
	stop(t, d)
}

// Whoever cannot prove to be the resolver that was named is not asked, and the log says why.
func TestDoTNotProved(t *testing.T) {
	ca, lines := certificates(t)
	startSigned(t, 1, lines)
	for _, test := range []struct {
		name, upstream, env string
		mention             []string
	}{
		{"another name", "tls://" + tlsAddress + "#other.example", "MXGLUE_RESOLVER_CA_FILE=" + ca, []string{"certificate", tlsName, "other.example"}},
		{"no name", "tls://" + tlsAddress, "MXGLUE_RESOLVER_CA_FILE=" + ca, []string{"certificate", farIP}},
		{"unknown authority", "tls://" + tlsAddress + "#" + tlsName, "", []string{"certificate signed by unknown authority"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			d := serveBefore(t, []string{test.upstream}, test.env)
			began := time.Now()
			if b := (kind{}).ask(t, dnsAddress, "n0.dnssec.example.", dns.TypeMX); b.rcode != "SERVFAIL" {
				t.Errorf("%v, want SERVFAIL", b)
			}
			if took := time.Since(began); took >= budget+time.Second/2 {
				t.Errorf("SERVFAIL after %v, want within %v", took, budget)
			}
			stop(t, d) // then its log is complete
			mentions(t, "the log", d.output.String(), append(test.mention, test.upstream)...)
		})
	}
}

// certificates makes an authority and a certificate from it for tlsName. It returns the authority's file, and the lines of
// unbound.conf that use the certificate.
func certificates(t *testing.T) (ca, lines string) {
	t.Helper()
	dir := scratch(t, "certificates")
	template := func(serial int64, name string) *x509.Certificate {
		return &x509.Certificate{SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: name},
			NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), BasicConstraintsValid: true}
	}
	authority := template(1, "Test authority")
	authority.IsCA, authority.KeyUsage = true, x509.KeyUsageCertSign
	leaf := template(2, tlsName)
	leaf.DNSNames, leaf.KeyUsage, leaf.ExtKeyUsage = []string{tlsName}, x509.KeyUsageDigitalSignature, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}

	authorityKey, leafKey := newTLSKey(t), newTLSKey(t)
	signed := func(c *x509.Certificate, public any) string {
		der, err := x509.CreateCertificate(rand.Reader, c, authority, public, authorityKey)
		if err != nil {
			t.Fatal(err)
		}
		return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	}
	der, err := x509.MarshalPKCS8PrivateKey(leafKey)
	if err != nil {
		t.Fatal(err)
	}
	key := writeFile(t, dir, "key.pem", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})))
	cert := writeFile(t, dir, "cert.pem", signed(leaf, leafKey.Public()))
	ca = writeFile(t, dir, "ca.pem", signed(authority, authorityKey.Public()))
	return ca, fmt.Sprintf(tlsLines, key, cert)
}

func newTLSKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}
