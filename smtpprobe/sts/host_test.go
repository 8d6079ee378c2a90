package sts

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"io"
	"log"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mxglue/mxglue/smtpprobe/lookup/lookuptest"
)

const goodPolicy = "version: STSv1\r\nmode: enforce\r\nmx: mx.d.example\r\nmax_age: 604800\r\n"

const goodZone = `
	_mta-sts.d.example. TXT "v=STSv1; id=1;"
	mta-sts.d.example.  A   127.0.0.1`

// host is a policy host on this machine, and a Fetcher that knows its CA.
type host struct {
	*httptest.Server
	fetcher    *Fetcher
	requests   atomic.Int32
	serverName atomic.Value // SNI
}

// newHost serves answer with a certificate for the name that ends at notAfter; one of another CA where trusted
// is false.
func newHost(t *testing.T, zone, name string, notAfter time.Time, trusted bool, answer http.HandlerFunc) *host {
	t.Helper()
	ca, caKey := certificate(t, &x509.Certificate{Subject: pkix.Name{CommonName: "Test CA"}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign, NotAfter: time.Now().Add(time.Hour)}, nil, nil)
	leaf, key := certificate(t, &x509.Certificate{DNSNames: []string{name}, NotAfter: notAfter}, ca, caKey)
	h := new(host)
	h.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.requests.Add(1)
		answer(w, r)
	}))
	h.Config.ErrorLog = log.New(io.Discard, "", 0) // handshakes that fail are the point
	h.TLS = &tls.Config{GetCertificate: func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
		h.serverName.Store(hello.ServerName)
		return &tls.Certificate{Certificate: [][]byte{leaf.Raw}, PrivateKey: key}, nil
	}}
	h.StartTLS()
	t.Cleanup(h.Close)
	roots := x509.NewCertPool()
	if trusted {
		roots.AddCert(ca)
	}
	port := netip.MustParseAddrPort(h.Listener.Addr().String()).Port()
	h.fetcher = &Fetcher{Exchange: lookuptest.New(t, zone).Exchange, Roots: roots, Port: port}
	return h
}

// certificate makes one; without a parent it signs itself.
func certificate(t *testing.T, template, parent *x509.Certificate, parentKey *ecdsa.PrivateKey) (*x509.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template.SerialNumber, template.NotBefore = big.NewInt(1), time.Now().Add(-2*time.Hour)
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

// serve answers with the policy.
func serve(policy string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		io.WriteString(w, policy)
	}
}
