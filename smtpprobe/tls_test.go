package smtpprobe

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"io"
	"math/big"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/miekg/dns"

	"github.com/mxglue/mxglue/smtpprobe/sts"
)

// identity is a certificate with its key.
type identity struct {
	*x509.Certificate
	key *ecdsa.PrivateKey
}

// issue makes a certificate for the name mx.example, valid from an hour ago for 90 days, signed by another, or by
// itself where by is nil. change may make it something else.
func issue(t *testing.T, by *identity, change func(*x509.Certificate)) *identity {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "mx.example"}, DNSNames: []string{"mx.example"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(90 * day), BasicConstraintsValid: true,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	change(template)
	if by == nil {
		by = &identity{template, key}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, by.Certificate, &key.PublicKey, by.key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &identity{cert, key}
}

const day = 24 * time.Hour

// authority makes an issuer.
func authority(name string) func(*x509.Certificate) {
	return func(c *x509.Certificate) {
		c.Subject, c.DNSNames, c.IsCA, c.KeyUsage = pkix.Name{CommonName: name}, nil, true, x509.KeyUsageCertSign
	}
}

func asIs(*x509.Certificate) {}

// secureMX is a server that speaks TLS, over a pipe. The zero value greets, and offers STARTTLS with a certificate
// for mx.example that nobody trusts.
type secureMX struct {
	t        *testing.T
	chain    []*identity // the leaf first
	config   *tls.Config // nil: the defaults
	implicit bool
	offers   string // the EHLO keywords; "": STARTTLS; "-": none
	reply    string // to STARTTLS; "": 220
	inject   string // behind it
	garbage  bool   // in place of a handshake
	refuses  string // the reply to EHLO under TLS
	hello    string // that in clear; "": see offers

	mu   sync.Mutex
	said []string
}

func (m *secureMX) dial(context.Context, string, string) (net.Conn, error) {
	client, peer := net.Pipe()
	go m.serve(peer)
	return client, nil
}

func (m *secureMX) tlsConfig() *tls.Config {
	chain := m.chain
	if chain == nil {
		chain = []*identity{issue(m.t, nil, asIs)}
	}
	config := new(tls.Config)
	if m.config != nil {
		config = m.config.Clone()
	}
	config.SessionTicketsDisabled = true // a pipe buffers nothing
	config.Certificates = []tls.Certificate{{PrivateKey: chain[0].key}}
	for _, c := range chain {
		config.Certificates[0].Certificate = append(config.Certificates[0].Certificate, c.Raw)
	}
	return config
}

func (m *secureMX) serve(socket net.Conn) {
	defer socket.Close()
	conn, secure := socket, false
	upgrade := func() bool {
		server := tls.Server(socket, m.tlsConfig())
		conn, secure = server, true
		return server.Handshake() == nil
	}
	if m.implicit && !upgrade() {
		return
	}
	go conn.Write([]byte("220 mx.example ESMTP\r\n")) // a pipe buffers nothing, and a client that expects TLS talks first
	for in := bufio.NewReader(conn); ; {
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		line = strings.TrimSpace(line)
		m.mu.Lock()
		m.said = append(m.said, line)
		m.mu.Unlock()
		reply := "250 ok\r\n"
		switch verb, _, _ := strings.Cut(line, " "); {
		case verb == "QUIT":
			conn.Write([]byte("221 bye\r\n"))
			return
		case verb == "EHLO" && secure && m.refuses != "":
			reply = m.refuses + "\r\n"
		case verb == "EHLO" && secure:
			reply = "250-mx.example\r\n250 8BITMIME\r\n"
		case verb == "EHLO" && m.hello != "":
			reply = m.hello + "\r\n"
		case verb == "EHLO" && m.offers == "-":
		case verb == "EHLO":
			reply = "250-mx.example\r\n250 STARTTLS\r\n"
		case verb == "STARTTLS" && m.reply != "":
			reply = m.reply + "\r\n"
		case verb == "STARTTLS":
			conn.Write([]byte("220 go\r\n" + m.inject))
			if m.garbage {
				go conn.Write([]byte("this is no TLS, and long enough to be a record\r\n"))
				if rest, _ := io.ReadAll(conn); strings.Contains(string(rest), "QUIT") {
					m.mu.Lock()
					m.said = append(m.said, "QUIT")
					m.mu.Unlock()
				}
				return
			}
			if !upgrade() {
				return
			}
			in, reply = bufio.NewReader(conn), ""
		}
		if _, err := conn.Write([]byte(reply)); err != nil {
			return
		}
	}
}

// signed makes the answers of a resolver authentic, but for those about some names.
func signed(exchange func(context.Context, *dns.Msg) (*dns.Msg, string, error), but ...string) func(context.Context, *dns.Msg) (*dns.Msg, string, error) {
	return func(ctx context.Context, q *dns.Msg) (*dns.Msg, string, error) {
		r, source, err := exchange(ctx, q)
		if err == nil {
			r.AuthenticatedData = q.AuthenticatedData && r.Rcode != dns.RcodeServerFailure
			for _, name := range but {
				r.AuthenticatedData = r.AuthenticatedData && !strings.HasPrefix(q.Question[0].Name, name)
			}
		}
		return r, source, err
	}
}

const oneHost = "d.example. MX 1 mx.example.\nmx.example. A 11.0.0.1\n"

// probeTLS probes d.example, whose only exchanger is m.
func probeTLS(t *testing.T, m *secureMX, p *Prober) (Report, Attempt) {
	t.Helper()
	m.t = t
	if p.Exchange == nil {
		p.Exchange = zone(t, oneHost)
	}
	if p.STS == nil {
		p.STS = func(context.Context, string) sts.Result { return sts.Result{Status: sts.None} }
	}
	p.Dial, p.Helo = m.dial, "probe.example"
	r := p.Probe(t.Context(), "d.example")
	synctest.Wait() // until the server has seen the end
	if len(r.MX) != 1 || len(r.MX[0].Attempts) != 1 {
		t.Fatalf("got %s", summary(r))
	}
	return r, r.MX[0].Attempts[0]
}

// codes are the codes of the findings of some severity.
func codes(r Report, severities ...Severity) string {
	var codes []string
	for _, f := range r.Findings {
		for _, s := range severities {
			if f.Severity == s {
				codes = append(codes, f.Code)
			}
		}
	}
	return strings.Join(codes, " ")
}
