package smtpprobe

import (
	"context"
	"crypto/tls"
	"net"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// What can become of STARTTLS, and what a plain sender does then.
func TestStartTLS(t *testing.T) {
	for _, test := range []struct {
		name    string
		mx      *secureMX
		opt     Security
		said    string
		verdict string
		detail  string // part of it
		plain   Outcome
		takes   time.Duration
	}{
		{"offered", &secureMX{}, Security{}, "EHLO STARTTLS EHLO QUIT", CertificateNotTrusted, "self-signed", OutcomeEncrypted, 0},
		{"not offered", &secureMX{offers: "-"}, Security{}, "EHLO QUIT", StartTLSNotSupported, "not offered", OutcomeClear, 0},
		{"not offered, but forced", &secureMX{offers: "-"}, Security{ForceStartTLS: true}, "EHLO STARTTLS EHLO QUIT", CertificateNotTrusted, "", OutcomeEncrypted, 0},
		{"454", &secureMX{reply: "454 not now"}, Security{}, "EHLO STARTTLS QUIT", ValidationFailure, "454 not now", OutcomeClear, 0},
		{"250 is not 220", &secureMX{reply: "250 sure"}, Security{}, "EHLO STARTTLS QUIT", ValidationFailure, "250 sure", OutcomeClear, 0},
		{"421", &secureMX{reply: "421 later"}, Security{}, "EHLO STARTTLS QUIT", ValidationFailure, "421 later", OutcomeClear, 0},
		{"no reply", &secureMX{reply: "220-"}, Security{}, "EHLO STARTTLS QUIT", ValidationFailure, "timed out", OutcomeClear, 30 * time.Second},
		{"no TLS behind it", &secureMX{garbage: true}, Security{}, "EHLO STARTTLS", ValidationFailure, "not TLS", OutcomeClear, 0},
		{"octets injected", &secureMX{inject: "250 evil\r\n"}, Security{}, "EHLO STARTTLS EHLO QUIT", CertificateNotTrusted, "", OutcomeEncrypted, 0},
		{"TLS 1.1 only", &secureMX{config: &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}}, Security{}, "EHLO STARTTLS", ValidationFailure, "no common TLS 1.2+", OutcomeClear, 0},
		{"421 to EHLO under TLS", &secureMX{refuses: "421 later"}, Security{}, "EHLO STARTTLS EHLO QUIT", CertificateNotTrusted, "", OutcomeEncrypted, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				r, a := probeTLS(t, test.mx, &Prober{Options: Options{Security: test.opt}})
				took := time.Since(start)
				if verbs := verbs(test.mx.said); verbs != test.said {
					t.Errorf("the client said %s, want %s", verbs, test.said)
				}
				if a.Verdict != OK || a.TLS == nil || a.TLS.Verdict != test.verdict || !strings.Contains(a.TLS.Detail, test.detail) {
					t.Errorf("%s, TLS %+v; want %s, %q", a.Verdict, a.TLS, test.verdict, test.detail)
				}
				if r.Senders.Plain != test.plain || took != test.takes {
					t.Errorf("a plain sender: %s after %v, want %s after %v", r.Senders.Plain, took, test.plain, test.takes)
				}
				if injected := strings.Contains(codes(r, SeverityWarning), "starttls_injection"); injected != (test.mx.inject != "") || a.TLS.Injected != injected {
					t.Errorf("injection: finding %t, field %t", injected, a.TLS.Injected)
				}
				if held := test.mx.reply == "421 later" || test.mx.refuses != ""; held != a.told421 {
					t.Errorf("told 421: %t", a.told421)
				}
			})
		})
	}
}

// verbs are the first words of command lines.
func verbs(lines []string) string {
	var verbs []string
	for _, line := range lines {
		verb, _, _ := strings.Cut(line, " ")
		verbs = append(verbs, verb)
	}
	return strings.Join(verbs, " ")
}

// After the handshake the server is asked anew what it offers, and the parameters are told.
func TestUnderTLS(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &secureMX{config: &tls.Config{MaxVersion: tls.VersionTLS12, CurvePreferences: []tls.CurveID{tls.X25519}}}
		p := &Prober{Options: Options{Transcript: true}}
		_, a := probeTLS(t, m, p)
		if !slices.Equal(a.Extensions, []string{"STARTTLS"}) || !slices.Equal(a.ExtensionsTLS, []string{"8BITMIME"}) {
			t.Errorf("extensions %q, then %q", a.Extensions, a.ExtensionsTLS)
		}
		if a.TLS.Version != "TLS 1.2" || a.TLS.KeyExchange != "X25519" || !strings.HasPrefix(a.TLS.Cipher, "TLS_ECDHE_ECDSA_") || a.TLS.Name != "mx.example" {
			t.Errorf("TLS %+v", a.TLS)
		}
		want := []string{"S: 220 mx.example ESMTP", "C: EHLO probe.example", "S: 250-mx.example", "S: 250 STARTTLS", "C: STARTTLS", "S: 220 go",
			"-- TLS 1.2 " + a.TLS.Cipher, "C: EHLO probe.example", "S: 250-mx.example", "S: 250 8BITMIME", "C: QUIT", "S: 221 bye"}
		if !slices.Equal(a.Transcript, want) {
			t.Errorf("transcript\n%s", strings.Join(a.Transcript, "\n"))
		}
	})
}

func TestImplicitTLS(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &secureMX{implicit: true}
		_, a := probeTLS(t, m, &Prober{Options: Options{Security: Security{ImplicitTLS: true}}})
		if a.Port != 465 || a.Verdict != OK || !a.TLS.Established || verbs(m.said) != "EHLO QUIT" {
			t.Errorf("port %d, %s, %+v, said %q", a.Port, a.Verdict, a.TLS, m.said)
		}
		// A server that greets in clear there is no SMTP server for us, and it is not told to QUIT.
		m = &secureMX{}
		r, a := probeTLS(t, m, &Prober{Options: Options{Security: Security{ImplicitTLS: true}}})
		if a.Verdict != TLSFailed || !strings.Contains(a.Detail, "not TLS") || slices.Contains(m.said, "QUIT") || r.Status != StatusCritical {
			t.Errorf("%s: %s, said %q", a.Verdict, a.Detail, m.said)
		}
	})
}

// A second handshake, only where asked for, and only after a first that failed.
func TestLegacy(t *testing.T) {
	old := &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}
	for _, test := range []struct {
		mx     *secureMX
		legacy bool
		want   string
		greets int
	}{
		{&secureMX{config: old}, true, "TLS 1.1 TLS_ECDHE_ECDSA_WITH_AES_", 2},
		{&secureMX{config: old}, false, "", 1},
		{&secureMX{}, true, "", 1},
		{&secureMX{reply: "454 later"}, true, "", 1},
		{&secureMX{garbage: true}, true, "fails too: ", 2},
	} {
		synctest.Test(t, func(t *testing.T) {
			_, a := probeTLS(t, test.mx, &Prober{Options: Options{Security: Security{Legacy: test.legacy}}})
			if !strings.HasPrefix(a.TLS.Legacy, test.want) || test.want == "" && a.TLS.Legacy != "" {
				t.Errorf("legacy %q, want %q", a.TLS.Legacy, test.want)
			}
			if n := strings.Count(verbs(test.mx.said), "STARTTLS"); n != test.greets {
				t.Errorf("%d connections, want %d", n, test.greets)
			}
		})
	}
}

// The depths: how far the dialogue goes.
func TestDepth(t *testing.T) {
	const hello = "S: 220 mx\nC: EHLO probe.example\nS: 250 mx\n"
	for name, test := range map[string]struct {
		depth  Depth
		script string
		want   *Recipient
	}{
		"greeting":             {DepthGreeting, "S: 220 mx\nC: QUIT\nS: 221 bye", nil},
		"TLS":                  {DepthTLS, hello + "C: QUIT\nS: 221 bye", nil},
		"recipient":            {DepthRCPT, hello + "C: MAIL FROM:<>\nS: 250 ok\nC: RCPT TO:<postmaster@d.example>\nS: 250 ok\nC: RSET\nS: 250 ok\nC: QUIT\nS: 221 bye", &Recipient{"RCPT", 250, "ok"}},
		"recipient greylisted": {DepthRCPT, hello + "C: MAIL FROM:<>\nS: 250 ok\nC: RCPT TO:<postmaster@d.example>\nS: 451 later\nC: RSET\nS: 250 ok\nC: QUIT\nS: 221 bye", &Recipient{"RCPT", 451, "later"}},
		"recipient, in clear":  {DepthRCPT, "S: 220 mx\nC: EHLO probe.example\nS: 250-mx\nS: 250 STARTTLS\nC: STARTTLS\nS: 454 later\nC: MAIL FROM:<>\nS: 250 ok\nC: RCPT TO:<postmaster@d.example>\nS: 250 ok\nC: RSET\nS: 250 ok\nC: QUIT\nS: 221 bye", &Recipient{"RCPT", 250, "ok"}},
		"null sender refused":  {DepthRCPT, hello + "C: MAIL FROM:<>\nS: 550 no\nC: RSET\nS: 250 ok\nC: QUIT\nS: 221 bye", &Recipient{"MAIL", 550, "no"}},
		"RCPT is hung up on":   {DepthRCPT, hello + "C: MAIL FROM:<>\nS: 250 ok\nC: RCPT TO:<postmaster@d.example>\nCLOSE", nil},
		"421 to RCPT":          {DepthRCPT, hello + "C: MAIL FROM:<>\nS: 250 ok\nC: RCPT TO:<postmaster@d.example>\nS: 421 bye\nC: QUIT\nS: 221 bye", &Recipient{"RCPT", 421, "bye"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := converse(t, t.Context(), Options{Depth: test.depth}, test.script)
				if (a.Recipient == nil) != (test.want == nil) || test.want != nil && *a.Recipient != *test.want {
					t.Errorf("got %+v, want %+v", a.Recipient, test.want)
				}
			})
		})
	}
	synctest.Test(t, func(t *testing.T) {
		n := &network{}
		r := (&Prober{Options: Options{Depth: DepthDNS}, Exchange: zone(t, twoHosts), Dial: n.dial}).Probe(t.Context(), "d.example")
		if len(n.dialed) != 0 || r.Status != StatusOK || len(r.MX[1].Attempts) != 1 || r.Records == nil || r.TakesMail != nil {
			t.Errorf("%d connections, %s: %s", len(n.dialed), summary(r), r.Reason)
		}
		r = (&Prober{Options: Options{Depth: DepthDNS}, Exchange: zone(t, "d.example. MX 1 a.example.\nd.example. MX 2 b.example.\nb.example. A 11.0.0.1")}).Probe(t.Context(), "d.example")
		if r.Status != StatusWarning || !strings.Contains(r.Reason, "a.example does not exist") {
			t.Errorf("%s: %s", r.Status, r.Reason)
		}
	})
}

// An exchanger that greets and then has nobody in is of no use, whatever its greeting.
func TestStuckAfterTheGreeting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &secureMX{t: t, hello: "421 later"}
		r, a := probeTLS(t, m, &Prober{})
		if a.Verdict != OK || r.Status != StatusCritical || r.Verdict != Critical || !strings.Contains(r.Reason, "no sender gets past the greeting") {
			t.Errorf("%s: %s", summary(r), r.Reason)
		}
		n := &network{}
		p := &Prober{Exchange: zone(t, twoHosts), Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
			if strings.HasPrefix(address, "11.0.0.1:") {
				return m.dial(ctx, network, address)
			}
			return n.dial(ctx, network, address)
		}}
		if r := p.Probe(t.Context(), "d.example"); r.Status != StatusWarning || r.Senders.Plain != OutcomeClear || !strings.Contains(r.Reason, "the greeting of a.example") {
			t.Errorf("%s: %s", summary(r), r.Reason)
		}
	})
}
