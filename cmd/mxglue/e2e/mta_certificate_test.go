//go:build e2e

package e2e

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// An authority issues the certificates of the exchangers: a root that the senders trust, and an intermediate that signs.
type authority struct {
	root, middle *x509.Certificate
	key          crypto.Signer // of the intermediate
	file         string        // the root, PEM
}

// An identity is the certificate of an exchanger.
type identity struct {
	leaf       *x509.Certificate
	chain, key string // PEM; the chain is the leaf and the intermediate
	file       string // the key and the chain: what Postfix calls a chain file
}

// newAuthority makes an authority.
func newAuthority(t *testing.T) authority {
	t.Helper()
	rootKey, key := newTLSKey(t), newTLSKey(t)
	root, middle := caTemplate(1, "Root"), caTemplate(2, "Intermediate")
	root = certify(t, root, root, rootKey.Public(), rootKey)
	middle = certify(t, middle, root, key.Public(), rootKey)
	return authority{root, middle, key, writeFile(t, scratch(t, "authority"), "root.pem", certificatePEM(root))}
}

// issue makes an identity for the names. It ends in that time; a negative one has passed.
func (a authority) issue(t *testing.T, ends time.Duration, names ...string) identity {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048) // what most exchangers have
	if err != nil {
		t.Fatal(err)
	}
	leaf := &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: names[0]}, DNSNames: names,
		NotBefore: time.Now().Add(-48 * time.Hour), NotAfter: time.Now().Add(ends), BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	leaf = certify(t, leaf, a.middle, key.Public(), a.key)
	chain := certificatePEM(leaf) + certificatePEM(a.middle)
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	keyPEM := string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	return identity{leaf, chain, keyPEM, writeFile(t, scratch(t, "identity"), "all.pem", keyPEM+chain)}
}

func caTemplate(serial int64, name string) *x509.Certificate {
	return &x509.Certificate{SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: name}, KeyUsage: x509.KeyUsageCertSign,
		NotBefore: time.Now().Add(-72 * time.Hour), NotAfter: time.Now().Add(1000 * time.Hour), BasicConstraintsValid: true, IsCA: true}
}

func certify(t *testing.T, template, parent *x509.Certificate, public crypto.PublicKey, signer crypto.Signer) *x509.Certificate {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, template, parent, public, signer)
	if err != nil {
		t.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func certificatePEM(c *x509.Certificate) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw}))
}

// tlsa is the data of a TLSA record with matching type 1, SHA-256, for a certificate (selector 0) or its key (selector 1).
func tlsa(t *testing.T, usage, selector uint8, c *x509.Certificate) string {
	t.Helper()
	hash, err := dns.CertificateToDANE(selector, 1, c)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%d %d 1 %s", usage, selector, hash)
}
