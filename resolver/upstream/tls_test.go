package upstream

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// openTLS returns the upstream at tls://at#name that believes ca.
func openTLS(t testing.TB, at netip.AddrPort, name string, ca *authority) *Upstream {
	t.Helper()
	u, err := New("tls://" + at.String() + name)
	if err != nil {
		t.Fatal(err)
	}
	u.RootCAs = ca.roots
	t.Cleanup(u.Close)
	return u
}

// serveTLS is serve with TLS in between.
func serveTLS(t testing.TB, c *tls.Config, script func(s stream)) netip.AddrPort {
	t.Helper()
	return serve(t, tls.NewListener(listen(t), c), script)
}

func config(cert tls.Certificate) *tls.Config {
	return &tls.Config{Certificates: []tls.Certificate{cert}}
}

// Only the server that the configuration means is spoken to (RFC 8310 §8.1).
func TestCertificate(t *testing.T) {
	ca, other := newAuthority(t), newAuthority(t)
	for _, c := range []struct {
		what string
		cert tls.Certificate
		name string // as configured
		why  string // the error; "": none
	}{
		{"right name", ca.issue(t, "dns.example", time.Hour), "#dns.example", ""},
		{"right name in capitals", ca.issue(t, "dns.example", time.Hour), "#DNS.Example", ""},
		{"right address", ca.issue(t, "127.0.0.1", time.Hour), "", ""},
		{"wrong name", ca.issue(t, "evil.example", time.Hour), "#dns.example", "evil.example, not dns.example"},
		{"wrong address", ca.issue(t, "127.0.0.2", time.Hour), "", "127.0.0.2, not 127.0.0.1"},
		{"name where the address is wanted", ca.issue(t, "dns.example", time.Hour), "", "doesn't contain any IP SANs"},
		{"address where the name is wanted", ca.issue(t, "127.0.0.1", time.Hour), "#dns.example", "not valid for any names"},
		{"expired", ca.issue(t, "dns.example", -time.Minute), "#dns.example", "expired"},
		{"self-signed", selfSigned(t, "dns.example"), "#dns.example", "unknown authority"},
		{"another CA", other.issue(t, "dns.example", time.Hour), "#dns.example", "unknown authority"},
	} {
		t.Run(c.what, func(t *testing.T) {
			var asked atomic.Bool
			ended := make(chan bool, 1)
			u := openTLS(t, serveTLS(t, config(c.cert), func(s stream) {
				for q, ok := s.next(); ok; q, ok = s.next() {
					asked.Store(true)
					answerNamed(q)
				}
				io.Copy(io.Discard, s.Conn.(*tls.Conn).NetConn()) // until the other side closes it
				ended <- true
			}), c.name, ca)
			err := ask(soon(t), u, 1)
			if c.why == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			var verification *tls.CertificateVerificationError
			if !errors.As(err, &verification) || !strings.Contains(err.Error(), c.why) {
				t.Errorf("got error %v, want one with %q", err, c.why)
			}
			select {
			case <-ended:
			case <-time.After(patience):
				t.Error("the connection is kept open")
			}
			if asked.Load() {
				t.Error("a server that could not prove who it is was asked")
			}
			if st := u.Stats(); st.Failures != 1 || !strings.Contains(st.LastError, c.why) || st.Connections != 0 {
				t.Errorf("stats: %+v", st)
			}
		})
	}
}

// The name configured goes out as SNI; an address does not (RFC 6066 §3).
func TestServerName(t *testing.T) {
	ca := newAuthority(t)
	for name, host := range map[string]string{"#dns.example": "dns.example", "": "127.0.0.1"} {
		hello := make(chan string, 1)
		c := config(ca.issue(t, host, time.Hour))
		c.GetConfigForClient = func(h *tls.ClientHelloInfo) (*tls.Config, error) { hello <- h.ServerName; return nil, nil }
		if err := ask(soon(t), openTLS(t, serveTLS(t, c, stream.answerAll), name, ca), 1); err != nil {
			t.Fatal(err)
		}
		if got := <-hello; got != strings.TrimPrefix(name, "#") {
			t.Errorf("%q: SNI is %q", name, got)
		}
	}
}

func TestOldTLS(t *testing.T) {
	ca := newAuthority(t)
	for version, good := range map[uint16]bool{tls.VersionTLS11: false, tls.VersionTLS12: true} {
		c := config(ca.issue(t, "dns.example", time.Hour))
		c.MinVersion, c.MaxVersion = tls.VersionTLS10, version
		if err := ask(soon(t), openTLS(t, serveTLS(t, c, stream.answerAll), "#dns.example", ca), 1); (err == nil) != good {
			t.Errorf("%s: error %v", tls.VersionName(version), err)
		}
	}
}

// One handshake serves many queries, one after the other and at once.
func TestOneHandshake(t *testing.T) {
	ca := newAuthority(t)
	var handshakes atomic.Int32
	c := config(ca.issue(t, "dns.example", time.Hour))
	c.VerifyConnection = func(tls.ConnectionState) error { handshakes.Add(1); return nil }
	u := openTLS(t, serveTLS(t, c, stream.answerAll), "#dns.example", ca)
	for i := range 20 {
		if err := ask(soon(t), u, i); err != nil {
			t.Fatal(err)
		}
	}
	if n := handshakes.Load(); n != 1 || u.Stats().Connections != 1 || u.Stats().Queries != 20 {
		t.Errorf("%d handshakes for 20 queries: %+v", n, u.Stats())
	}
	for _, err := range askAll(soon(t), u, 100) {
		if err != nil {
			t.Error(err)
		}
	}
	if n := handshakes.Load(); n > maxConns {
		t.Errorf("%d handshakes for 100 queries at once, want at most %d", n, maxConns)
	}
}

// A new connection resumes the session of the one before (RFC 7858 §3.4).
func TestResumption(t *testing.T) {
	ca := newAuthority(t)
	resumed := make(chan bool, 2)
	u := openTLS(t, serveTLS(t, config(ca.issue(t, "dns.example", time.Hour)), func(s stream) {
		q, ok := s.next()
		if !ok {
			return
		}
		resumed <- s.Conn.(*tls.Conn).ConnectionState().DidResume
		answerNamed(q)
		s.next()
	}), "#dns.example", ca)
	for i, want := range []bool{false, true} {
		if err := ask(soon(t), u, i); err != nil {
			t.Fatal(err)
		}
		u.Close()
		if got := <-resumed; got != want {
			t.Errorf("connection %d: resumed is %v", i+1, got)
		}
	}
}

// A server that closes its idle connections, or dies and comes back, costs no error.
func TestTLSClosedIdle(t *testing.T) {
	ca := newAuthority(t)
	c := config(ca.issue(t, "dns.example", time.Hour))
	for name, end := range map[string]func(s stream){
		"close_notify": func(stream) {},
		"FIN alone":    func(s stream) { s.Conn.(*tls.Conn).NetConn().Close() },
		"RST upon the next": func(s stream) {
			s.next()
			s.Conn.(*tls.Conn).NetConn().(*net.TCPConn).SetLinger(0)
			s.Conn.(*tls.Conn).NetConn().Close()
		},
	} {
		t.Run(name, func(t *testing.T) {
			u := openTLS(t, serveTLS(t, c, func(s stream) {
				if q, ok := s.next(); ok {
					answerNamed(q)
				}
				end(s)
			}), "#dns.example", ca)
			for i := range 5 {
				if err := ask(soon(t), u, i); err != nil {
					t.Error(err)
				}
			}
			if st := u.Stats(); st.Failures != 0 || st.Connections < 2 {
				t.Errorf("stats: %+v", st)
			}
		})
	}
}

// What does not speak TLS is an error that says so, and a closed port is one at once.
func TestNotTLS(t *testing.T) {
	ca := newAuthority(t)
	at := serve(t, listen(t), func(s stream) { s.Write([]byte("220 mail.example ESMTP\r\n")); s.next() })
	if err := ask(soon(t), openTLS(t, at, "#dns.example", ca), 1); err == nil || !strings.Contains(err.Error(), "TLS with "+at.String()) {
		t.Errorf("got error %v", err)
	}
	l := listen(t)
	l.Close()
	closed := openTLS(t, l.Addr().(*net.TCPAddr).AddrPort(), "#dns.example", ca)
	if err := ask(soon(t), closed, 1); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("got error %v", err)
	}
}

// Without RootCAs it is the system that says who is believed: not our test CA.
func TestSystemRoots(t *testing.T) {
	ca := newAuthority(t)
	u := openTLS(t, serveTLS(t, config(ca.issue(t, "dns.example", time.Hour)), stream.answerAll), "#dns.example", ca)
	u.RootCAs = nil
	var unknown x509.UnknownAuthorityError
	if err := ask(soon(t), u, 1); !errors.As(err, &unknown) {
		t.Errorf("got error %v", err)
	}
}

// An encrypted query's length is a multiple of 128 octets, so it says nothing of the name (RFC 8467 §4.1). The padding is
// zeroes (RFC 7830 §3), and no cookie is in it.
func TestPadding(t *testing.T) {
	ca := newAuthority(t)
	queries := make(chan query, 1)
	u := openTLS(t, serveTLS(t, config(ca.issue(t, "dns.example", time.Hour)), func(s stream) {
		for q, ok := s.next(); ok; q, ok = s.next() {
			queries <- q
			q.say(q.reply())
		}
	}), "#dns.example", ca)
	for n := 1; n < 250; n++ {
		labels := strings.Repeat("a", 1+(n-1)%2) + strings.Repeat(".a", (n-1)/2)
		if _, err := u.Exchange(soon(t), dns.Question{Name: labels + ".", Qtype: dns.TypeMX, Qclass: dns.ClassINET}, false); err != nil {
			t.Fatal(err)
		}
		checkPadded(t, <-queries)
	}
}

func checkPadded(t *testing.T, q query) {
	t.Helper()
	opt := q.IsEdns0()
	if len(q.packed)%128 != 0 || len(q.packed) > 384 || opt == nil || len(opt.Option) != 1 {
		t.Fatalf("%d octets: %v", len(q.packed), q.Msg)
	}
	padding, ok := opt.Option[0].(*dns.EDNS0_PADDING)
	if !ok || strings.Trim(string(padding.Padding), "\x00") != "" || len(padding.Padding) >= 128 {
		t.Fatalf("the option is %v", opt.Option[0])
	}
}

// What is not encrypted is not padded: it would hide nothing (RFC 7830 §6).
func TestNoPaddingInClear(t *testing.T) {
	for _, scheme := range []string{"udp", "tcp"} {
		queries := make(chan query, 1)
		note := func(q query) { queries <- q; answerRight(q) }
		if _, _, err := exchange(t, scheme, play(t, "127.0.0.1", note, note)); err != nil {
			t.Fatal(err)
		}
		for _, o := range (<-queries).IsEdns0().Option {
			if o.Option() == dns.EDNS0PADDING {
				t.Errorf("%s: the query is padded", scheme)
			}
		}
	}
}
