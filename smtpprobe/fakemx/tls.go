package fakemx

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"io"
	"math/big"
	"time"
)

// certificateTime is how long a certificate of our own making is valid.
const certificateTime = 90 * 24 * time.Hour

// startTLS does as the script says of STARTTLS, and tells whether the dialogue goes on.
func (s *session) startTLS(ctx context.Context) bool {
	if s.in.Buffered() > 0 { // RFC 3207 4.2: what came in clear after STARTTLS is not to be believed
		s.Early, s.hungUp = true, true
		s.send("554 5.5.1 You talk before the reply to STARTTLS\r\n")
		return false
	}
	answer := "220 2.0.0 Ready to start TLS\r\n"
	switch s.server.Script.StartTLS {
	case Absent, Implicit:
		return s.send("502 5.5.1 No STARTTLS here\r\n")
	case Fails:
		return s.send("454 4.7.0 TLS not available due to temporary reason\r\n")
	case Injects:
		answer += "250-injected.example\r\n250 AUTH PLAIN\r\n" // one write, one segment
	case Garbles:
		s.TLSFailed = true
		if s.send(answer) {
			_, _ = s.in.ReadByte() // of the ClientHello
			s.send("This is not TLS.\r\n")
		}
		return false
	case Hangs:
		s.TLSFailed = true
		if s.send(answer) {
			_, _ = io.Copy(io.Discard, s.in)
		}
		return false
	}
	return s.send(answer) && s.handshake(ctx) == nil
}

// handshake puts TLS on the connection. The error has been counted.
func (s *session) handshake(ctx context.Context) error {
	config, err := s.server.tlsConfig()
	if err == nil {
		conn := tls.Server(s.conn, config)
		if err = conn.HandshakeContext(ctx); err == nil {
			s.conn, s.TLS = conn, true
			s.in.Reset(conn)
			return nil
		}
	}
	s.TLSFailed = true
	return err
}

// tlsConfig is Server.TLS or one with a certificate of our own.
func (s *Server) tlsConfig() (*tls.Config, error) {
	if s.TLS != nil {
		return s.TLS, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ownTLS == nil {
		certificate, err := SelfSigned(s.name(), time.Now())
		if err != nil {
			return nil, err
		}
		s.ownTLS = &tls.Config{Certificates: []tls.Certificate{certificate}}
	}
	return s.ownTLS, nil
}

// SelfSigned makes a certificate for a host name that is signed by its own key, an ECDSA one on P-256, and is valid from an
// hour before now for 90 days.
func SelfSigned(name string, now time.Time) (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano()), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(certificateTime),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return tls.Certificate{}, err
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, nil
}
