package smtpprobe

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"fmt"
	"math/big"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/miekg/dns"

	"github.com/mxglue/mxglue/smtpprobe/dane"
	"github.com/mxglue/mxglue/smtpprobe/sts"
)

// kit is what chains are made of.
type kit struct {
	root, inter, leaf *identity
}

func newKit(t *testing.T) kit {
	root := issue(t, nil, authority("Root"))
	inter := issue(t, root, authority("Intermediate"))
	return kit{root, inter, issue(t, inter, asIs)}
}

// roots are those of whom trusts the kit's root.
func (k kit) roots() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(k.root.Certificate)
	return pool
}

// enforced is a policy that must be kept, for mx.example.
func enforced(mode string, mx ...string) func(context.Context, string) sts.Result {
	return func(context.Context, string) sts.Result {
		return sts.Result{Status: sts.OK, Mode: mode, MX: mx, Detail: "A policy.", Rule: "RFC 8461 §3.2"}
	}
}

// Chains of every kind, held against public CAs and an enforced MTA-STS policy. A plain sender takes all of them.
func TestCertificates(t *testing.T) {
	ends := func(k kit, in time.Duration) func(*testing.T) []*identity {
		return func(t *testing.T) []*identity {
			return []*identity{issue(t, k.inter, func(c *x509.Certificate) { c.NotAfter = time.Now().Add(in) }), k.inter}
		}
	}
	for _, test := range []struct {
		name    string
		chain   func(*testing.T, kit) []*identity
		verdict string
		detail  string // part of it
		sts     Outcome
		status  Status
		finding string // a code among the warnings and worse; "": none
	}{
		{"good", func(_ *testing.T, k kit) []*identity { return []*identity{k.leaf, k.inter} }, TLSVerdictOK, "", OutcomeAuthenticated, StatusOK, ""},
		{"wildcard", func(t *testing.T, k kit) []*identity {
			return []*identity{issue(t, k.inter, func(c *x509.Certificate) { c.DNSNames = []string{"*.example"} }), k.inter}
		}, TLSVerdictOK, "", OutcomeAuthenticated, StatusOK, ""},
		{"wrong name", func(t *testing.T, k kit) []*identity {
			return []*identity{issue(t, k.inter, func(c *x509.Certificate) { c.DNSNames = []string{"d.example"} }), k.inter}
		}, CertificateHostMismatch, "d.example", OutcomeDefer, StatusCritical, "mta_sts_defers"},
		{"common name only", func(t *testing.T, k kit) []*identity {
			return []*identity{issue(t, k.inter, func(c *x509.Certificate) { c.DNSNames = nil }), k.inter}
		}, CertificateHostMismatch, "", OutcomeDefer, StatusCritical, "mta_sts_defers"},
		{"self-signed", func(t *testing.T, _ kit) []*identity { return []*identity{issue(t, nil, asIs)} },
			CertificateNotTrusted, "self-signed", OutcomeDefer, StatusCritical, "mta_sts_defers"},
		{"missing intermediate", func(_ *testing.T, k kit) []*identity { return []*identity{k.leaf} },
			CertificateNotTrusted, "incomplete chain: the certificate of its issuer CN=Intermediate", OutcomeDefer, StatusCritical, "mta_sts_defers"},
		{"somebody's own root", func(t *testing.T, _ kit) []*identity {
			other := newKit(t)
			return []*identity{other.leaf, other.inter, other.root}
		}, CertificateNotTrusted, "the root CN=Root is not trusted", OutcomeDefer, StatusCritical, "mta_sts_defers"},
		{"expired", func(t *testing.T, k kit) []*identity { return ends(k, -time.Minute)(t) },
			CertificateExpired, "CN=mx.example ended on", OutcomeDefer, StatusCritical, "certificate_ends"},
		{"intermediate expired", func(t *testing.T, k kit) []*identity {
			inter := issue(t, k.root, func(c *x509.Certificate) { authority("Old")(c); c.NotAfter = time.Now().Add(-time.Minute) })
			return []*identity{issue(t, inter, asIs), inter}
		}, CertificateExpired, "CN=Old ended on", OutcomeDefer, StatusCritical, "certificate_ends"},
		{"not yet valid", func(t *testing.T, k kit) []*identity {
			return []*identity{issue(t, k.inter, func(c *x509.Certificate) { c.NotBefore = time.Now().Add(day) }), k.inter}
		}, CertificateExpired, "begins on", OutcomeDefer, StatusCritical, "mta_sts_defers"},
		{"ends in 20 days", func(t *testing.T, k kit) []*identity { return ends(k, 20*day)(t) }, TLSVerdictOK, "", OutcomeAuthenticated, StatusWarning, "certificate_ends"},
		{"ends in 6 days", func(t *testing.T, k kit) []*identity { return ends(k, 6*day)(t) }, TLSVerdictOK, "", OutcomeAuthenticated, StatusCritical, "certificate_ends"},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				k := newKit(t)
				p := &Prober{STS: enforced(sts.ModeEnforce, "mx.example"), Options: Options{Security: Security{Roots: k.roots()}}}
				r, a := probeTLS(t, &secureMX{chain: test.chain(t, k)}, p)
				if a.TLS.Verdict != test.verdict || !strings.Contains(a.TLS.Detail, test.detail) {
					t.Errorf("got %s: %s", a.TLS.Verdict, a.TLS.Detail)
				}
				if r.Senders.Plain != OutcomeEncrypted || r.Senders.STS != test.sts || r.Status != test.status {
					t.Errorf("senders %+v, %s: %s", r.Senders, r.Status, r.Reason)
				}
				if got := codes(r, SeverityWarning, SeverityCritical); !strings.Contains(got, test.finding) || test.finding == "" && got != "" {
					t.Errorf("findings %q, want %q", got, test.finding)
				}
			})
		})
	}
}

// Where nobody demands a certificate, what is wrong with it is information.
func TestCertificateThatNobodyDemands(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		old := issue(t, nil, func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-day) })
		r, a := probeTLS(t, &secureMX{chain: []*identity{old}}, &Prober{})
		if r.Status != StatusOK || codes(r, SeverityWarning, SeverityCritical) != "" || a.TLS.Verdict != CertificateNotTrusted {
			t.Errorf("%s, %s, findings %+v", r.Status, a.TLS.Verdict, r.Findings)
		}
		if got := codes(r, SeverityInfo); !strings.Contains(got, "certificate_ends") || !strings.Contains(got, CertificateNotTrusted) {
			t.Errorf("information %q", got)
		}
	})
}

// MTA-STS modes and lists of exchangers.
func TestSTS(t *testing.T) {
	for _, test := range []struct {
		name     string
		policy   func(context.Context, string) sts.Result
		trusted  bool
		want     Outcome
		status   Status
		critical string
		warning  string
	}{
		{"enforced and kept", enforced(sts.ModeEnforce, "*.example"), true, OutcomeAuthenticated, StatusOK, "", ""},
		{"enforced, another exchanger", enforced(sts.ModeEnforce, "other.example"), true, OutcomeDefer, StatusCritical, "mta_sts_mx", ""},
		{"testing, another exchanger", enforced(sts.ModeTesting, "other.example"), true, OutcomeEncrypted, StatusOK, "", "mta_sts_mx"},
		{"testing, not trusted", enforced(sts.ModeTesting, "mx.example"), false, OutcomeEncrypted, StatusOK, "", "mta_sts_defers"},
		{"none, not trusted", enforced(sts.ModeNone), false, OutcomeEncrypted, StatusOK, "", ""},
		{"no way to the policy", func(context.Context, string) sts.Result { return sts.Result{Status: sts.FetchError} }, false, OutcomeEncrypted, StatusOK, "", "mta_sts"},
		{"DNS fails", func(context.Context, string) sts.Result { return sts.Result{Status: sts.Unknown} }, false, OutcomeUnknown, StatusOK, "", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				k := newKit(t)
				p := &Prober{STS: test.policy}
				if test.trusted {
					p.Roots = k.roots()
				}
				r, _ := probeTLS(t, &secureMX{chain: []*identity{k.leaf, k.inter}}, p)
				if r.Senders.STS != test.want || r.Status != test.status || r.Senders.Plain != OutcomeEncrypted {
					t.Errorf("senders %+v, %s: %s", r.Senders, r.Status, r.Reason)
				}
				if codes(r, SeverityCritical) != test.critical || codes(r, SeverityWarning) != test.warning {
					t.Errorf("critical %q, warnings %q", codes(r, SeverityCritical), codes(r, SeverityWarning))
				}
			})
		})
	}
}

// TLSA records of every outcome, on a server whose certificate no CA has signed.
func TestDANE(t *testing.T) {
	for _, test := range []struct {
		name     string
		tlsa     func(*testing.T, kit) string // records, or what becomes of the question
		unsigned []string                     // questions for names that begin so are not authentic
		offers   string                       // the EHLO keywords, as in secureMX
		want     Outcome
		status   Status
		finding  string
	}{
		{name: "3 1 1", tlsa: func(_ *testing.T, k kit) string { return tlsa(3, 1, k.leaf) }, want: OutcomeAuthenticated, status: StatusOK, finding: "dane_matches"},
		{name: "3 0 1", tlsa: func(_ *testing.T, k kit) string { return tlsa(3, 0, k.leaf) }, want: OutcomeAuthenticated, status: StatusOK, finding: "dane_matches"},
		{name: "2 1 1 of the root", tlsa: func(_ *testing.T, k kit) string { return tlsa(2, 1, k.root) }, want: OutcomeAuthenticated, status: StatusOK, finding: "dane_matches"},
		{name: "2 1 1 of what is not served", tlsa: func(t *testing.T, _ kit) string { return tlsa(2, 1, newKit(t).root) }, want: OutcomeDefer, status: StatusCritical, finding: "dane_defers"},
		{name: "3 1 1 of another key", tlsa: func(_ *testing.T, k kit) string { return tlsa(3, 1, k.inter) }, want: OutcomeDefer, status: StatusCritical, finding: "dane_defers"},
		{name: "nothing usable", tlsa: func(_ *testing.T, k kit) string { return tlsa(1, 1, k.leaf) }, want: OutcomeEncrypted, status: StatusOK, finding: "dane"},
		{name: "nothing usable, no TLS", tlsa: func(_ *testing.T, k kit) string { return tlsa(1, 1, k.leaf) }, offers: "-", want: OutcomeDefer, status: StatusCritical, finding: "dane_defers"},
		{name: "no TLS", tlsa: func(_ *testing.T, k kit) string { return tlsa(3, 1, k.leaf) }, offers: "-", want: OutcomeDefer, status: StatusCritical, finding: "dane_defers"},
		{name: "none", tlsa: func(*testing.T, kit) string { return "" }, want: OutcomeEncrypted, status: StatusOK, finding: "dane"},
		{name: "the question fails", tlsa: func(*testing.T, kit) string { return "_25._tcp.mx.example SERVFAIL" }, want: OutcomeDefer, status: StatusCritical, finding: "dane"},
		{name: "addresses not signed", tlsa: func(*testing.T, kit) string { return "_25._tcp.mx.example SERVFAIL" }, unsigned: []string{"mx."}, want: OutcomeEncrypted, status: StatusOK, finding: "dane"},
		{name: "MX not signed", tlsa: func(_ *testing.T, k kit) string { return tlsa(3, 1, k.leaf) }, unsigned: []string{"d."}, want: OutcomeEncrypted, status: StatusOK, finding: "dane_insecure_mx"},
		{name: "MX not signed, another key", tlsa: func(_ *testing.T, k kit) string { return tlsa(3, 1, k.inter) }, unsigned: []string{"d."}, want: OutcomeDefer, status: StatusCritical, finding: "dane_defers"},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				k := newKit(t)
				m := &secureMX{offers: test.offers, chain: []*identity{k.leaf, k.inter, k.root}}
				p := &Prober{Options: Options{Security: Security{Validates: true}}, Exchange: signed(zone(t, oneHost+test.tlsa(t, k)), test.unsigned...)}
				r, _ := probeTLS(t, m, p)
				if r.Senders.DANE != test.want || r.Status != test.status {
					t.Errorf("senders %+v, %s: %s", r.Senders, r.Status, r.Reason)
				}
				if got := codes(r, SeverityOK, SeverityInfo, SeverityWarning, SeverityCritical); !strings.Contains(got, test.finding) {
					t.Errorf("findings %q, want %q", got, test.finding)
				}
			})
		})
	}
}

// Certificates that end, which DANE-EE names: its senders do not look at dates (RFC 7672 3.1.1), those of an enforced
// MTA-STS policy and of DANE-TA do.
func TestCertificateThatDANENames(t *testing.T) {
	for _, test := range []struct {
		name    string
		in      time.Duration
		policy  string // mode; "": none
		records func(k kit, leaf *identity) string
		dane    Outcome
		status  Status
	}{
		{"EE, ended", -time.Minute, "", func(_ kit, leaf *identity) string { return tlsa(3, 1, leaf) }, OutcomeAuthenticated, StatusWarning},
		{"EE, ends in 6 days", 6 * day, "", func(_ kit, leaf *identity) string { return tlsa(3, 1, leaf) }, OutcomeAuthenticated, StatusWarning},
		{"EE and TA, ended", -time.Minute, "", func(k kit, leaf *identity) string { return tlsa(3, 1, leaf) + "\n" + tlsa(2, 1, k.inter) }, OutcomeAuthenticated, StatusWarning},
		{"EE, testing, ended", -time.Minute, sts.ModeTesting, func(_ kit, leaf *identity) string { return tlsa(3, 1, leaf) }, OutcomeAuthenticated, StatusWarning},
		{"EE, enforced, ends in 6 days", 6 * day, sts.ModeEnforce, func(_ kit, leaf *identity) string { return tlsa(3, 1, leaf) }, OutcomeAuthenticated, StatusCritical},
		{"TA, ends in 6 days", 6 * day, "", func(k kit, _ *identity) string { return tlsa(2, 1, k.inter) }, OutcomeAuthenticated, StatusCritical},
		{"TA and EE of another, ends in 6 days", 6 * day, "", func(k kit, _ *identity) string { return tlsa(2, 1, k.inter) + "\n" + tlsa(3, 1, k.leaf) }, OutcomeAuthenticated, StatusCritical},
		{"TA, ended", -time.Minute, "", func(k kit, _ *identity) string { return tlsa(2, 1, k.inter) }, OutcomeDefer, StatusCritical},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				k := newKit(t)
				leaf := issue(t, k.inter, func(c *x509.Certificate) { c.NotAfter = time.Now().Add(test.in) })
				p := &Prober{Options: Options{Security: Security{Validates: true, Roots: k.roots()}}, Exchange: signed(zone(t, oneHost+test.records(k, leaf)))}
				if test.policy != "" {
					p.STS = enforced(test.policy, "mx.example")
				}
				r, _ := probeTLS(t, &secureMX{chain: []*identity{leaf, k.inter}}, p)
				if r.Senders.DANE != test.dane || r.Status != test.status || !strings.Contains(codes(r, Severity(test.status)), "certificate_ends") {
					t.Errorf("senders %+v, %s: %s; %s", r.Senders, r.Status, r.Reason, codes(r, Severity(test.status)))
				}
			})
		})
	}
}

// tlsa is a record for a certificate, with SHA-256.
func tlsa(usage, selector int, of *identity) string {
	data := of.Raw
	if selector == 1 {
		data = of.RawSubjectPublicKeyInfo
	}
	return fmt.Sprintf("_25._tcp.mx.example. TLSA %d %d 1 %x", usage, selector, sha256.Sum256(data))
}

// One exchanger of two that DANE and MTA-STS senders pass by is a warning: they deliver to the other (RFC 8461 5.1).
func TestDeferringAtOneOfTwo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKit(t)
		records := oneHost + "d.example. MX 2 b.example.\nb.example. A 11.0.0.2\n" + strings.Replace(tlsa(3, 1, k.root), "mx.", "b.", 1)
		p := &Prober{Exchange: signed(zone(t, records)), STS: enforced(sts.ModeEnforce, "mx.example")}
		p.Roots, p.Validates, p.Helo = k.roots(), true, "probe.example"
		p.Dial = (&secureMX{t: t, chain: []*identity{k.leaf, k.inter}}).dial
		r := p.Probe(t.Context(), "d.example")
		if got := codes(r, SeverityCritical) + "/" + codes(r, SeverityWarning); r.Status != StatusWarning || got != "/dane_defers mta_sts_mx" {
			t.Errorf("%s: %s; critical/warnings %q", r.Status, r.Reason, got)
		}
	})
}

// Without a resolver that validates, nothing is said of DANE: least of all that there is none.
func TestDANEWithoutTrust(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _ := probeTLS(t, &secureMX{}, &Prober{Exchange: signed(zone(t, oneHost))})
		if r.Senders.DANE != OutcomeUnknown || r.MX[0].DANE.Status != "unknown" {
			t.Errorf("senders %+v, %+v", r.Senders, r.MX[0].DANE)
		}
	})
}

// A question for TLSA records that fails is critical, however little else was looked at.
func TestDANEAtAnyDepth(t *testing.T) {
	for _, depth := range []Depth{DepthDNS, DepthGreeting} {
		synctest.Test(t, func(t *testing.T) {
			p := &Prober{Options: Options{Depth: depth, Security: Security{Validates: true}}, Exchange: signed(zone(t, oneHost+"_25._tcp.mx.example SERVFAIL"))}
			if r, _ := probeTLS(t, &secureMX{}, p); r.Status != StatusCritical || r.Senders.DANE != OutcomeDefer || r.Senders.Plain != OutcomeUnknown {
				t.Errorf("%d: senders %+v, %s: %s", depth, r.Senders, r.Status, r.Reason)
			}
		})
	}
}

// One family whose addresses are signed suffices, and so does one that can be asked for at all.
func TestDANEOfOneFamily(t *testing.T) {
	for _, records := range []string{oneHost + "mx.example. AAAA 2a00::1\n", oneHost + "mx.example/AAAA SERVFAIL\n"} {
		synctest.Test(t, func(t *testing.T) {
			k := newKit(t)
			authentic := signed(zone(t, records+tlsa(3, 1, k.leaf)))
			p := &Prober{Options: Options{Security: Security{Validates: true}}, Exchange: func(ctx context.Context, q *dns.Msg) (*dns.Msg, string, error) {
				r, source, err := authentic(ctx, q)
				r.AuthenticatedData = r.AuthenticatedData && q.Question[0].Qtype != dns.TypeAAAA
				return r, source, err
			}}
			p.Dial = (&secureMX{t: t, chain: []*identity{k.leaf}}).dial
			if r := p.Probe(t.Context(), "d.example"); r.MX[0].DANE.Status != dane.Secure || r.Senders.DANE != OutcomeAuthenticated {
				t.Errorf("%q: %s, senders %+v", records, r.MX[0].DANE.Detail, r.Senders)
			}
		})
	}
}

// A certificate that no CA has signed may end when it likes, unless DANE-TA, which looks at dates, is all there is.
func TestDANECertificateThatEndsSoon(t *testing.T) {
	for usage, want := range map[int]Status{2: StatusCritical, 3: StatusOK} {
		synctest.Test(t, func(t *testing.T) {
			k := newKit(t)
			leaf := issue(t, k.inter, func(c *x509.Certificate) { c.NotAfter = time.Now().Add(6 * day) })
			record := tlsa(usage, 1, map[int]*identity{2: k.inter, 3: leaf}[usage])
			p := &Prober{Options: Options{Security: Security{Validates: true}}, Exchange: signed(zone(t, oneHost+record))}
			if r, _ := probeTLS(t, &secureMX{chain: []*identity{leaf, k.inter}}, p); r.Status != want || r.Senders.DANE != OutcomeAuthenticated {
				t.Errorf("usage %d: senders %+v, %s: %s", usage, r.Senders, r.Status, r.Reason)
			}
		})
	}
}

// The policy of a stranger leads nobody into our own network.
func TestSTSOfAHostOfOurs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		records := oneHost + "_mta-sts.d.example. TXT \"v=STSv1; id=1;\"\nmta-sts.d.example. A 127.0.0.1\nmta-sts.d.example. AAAA ::ffff:169.254.169.254"
		r := (&Prober{Exchange: zone(t, records), Dial: (&network{}).dial}).Probe(t.Context(), "d.example")
		if r.STS == nil || r.STS.Status != sts.FetchError || !strings.Contains(r.STS.Detail, "special-use address") {
			t.Errorf("got %+v", r.STS)
		}
	})
}

// The name in SNI is that of the TLSA records: of the end of a signed alias here.
func TestServerName(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKit(t)
		records := "d.example. MX 1 mx.example.\nmx.example. CNAME host.example.\nhost.example. A 11.0.0.1\n" +
			strings.Replace(tlsa(3, 1, k.leaf), "mx.example", "host.example", 1)
		p := &Prober{Options: Options{Security: Security{Validates: true}}, Exchange: signed(zone(t, records))}
		_, a := probeTLS(t, &secureMX{chain: []*identity{k.leaf}}, p)
		if a.TLS.Name != "host.example" || a.Senders.DANE != OutcomeAuthenticated {
			t.Errorf("SNI %s, senders %+v", a.TLS.Name, a.Senders)
		}
	})
}

func TestWeakness(t *testing.T) {
	curve := func(c elliptic.Curve) *ecdsa.PublicKey { return &ecdsa.PublicKey{Curve: c} }
	for _, test := range []struct {
		cert x509.Certificate
		want string // part of it; "": none
	}{
		{x509.Certificate{PublicKey: &rsa.PublicKey{N: new(big.Int).Lsh(big.NewInt(1), 1023)}}, "RSA 1024"},
		{x509.Certificate{PublicKey: &rsa.PublicKey{N: new(big.Int).Lsh(big.NewInt(1), 2047)}}, ""},
		{x509.Certificate{PublicKey: curve(elliptic.P224())}, "P-224"},
		{x509.Certificate{PublicKey: curve(elliptic.P256())}, ""},
		{x509.Certificate{PublicKey: curve(elliptic.P256()), SignatureAlgorithm: x509.SHA1WithRSA}, "SHA1-RSA"},
	} {
		if got := weakness(&test.cert); !strings.Contains(got, test.want) || test.want == "" && got != "" {
			t.Errorf("got %q, want %q", got, test.want)
		}
	}
}
