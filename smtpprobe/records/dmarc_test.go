package records

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/miekg/dns"

	"github.com/mxglue/mxglue/smtpprobe/lookup/lookuptest"
)

// What a domain's record says, and what receivers make of one that is not as it should be (RFC 9989 4.7, 4.8).
func TestDMARC(t *testing.T) {
	const (
		owner = "_dmarc.d.example.com. TXT "
		org   = "\n_dmarc.example.com. TXT "
	)
	for _, test := range []struct{ zone, want string }{
		{owner + `"v=DMARC1; p=reject; rua=mailto:d@example.com"`, "ok d.example.com reject [mailto:d@example.com] info dmarc: DMARC at _dmarc.d.example.com: policy reject."},
		{owner + `"v=DMARC1;p=None"`, "ok d.example.com none [] info"},
		{owner + `"v = DMARC1 ; p=quarantine; sp=reject"`, "ok d.example.com quarantine [] info"},
		{owner + `"V=DMARC1; p=reject"`, "ok d.example.com reject [] info"}, // the grammar has "v" in either case
		{owner + `"v=DMARC1; p=none"` + org + `"v=DMARC1; p=reject"`, "ok d.example.com none [] info"},
		{org + `"v=DMARC1; p=reject"`, "ok example.com reject [] info"},
		{org + `"v=DMARC1; p=reject; sp=none"`, "ok example.com none [] info"},
		{org + `"v=DMARC1; p=reject; np=none"`, "ok example.com reject [] info"}, // np: for names that do not exist

		{"", "none   [] info dmarc: No DMARC record to go by at _dmarc.d.example.com, _dmarc.example.com, _dmarc.com."},
		{owner + `"v=spf1 -all"`, "none   [] info dmarc: No DMARC record"}, // a wildcard's
		{owner + `"v=DMARC12; p=none"`, `invalid d.example.com  [] warning dmarc: The TXT record "v=DMARC12; p=none" at _dmarc.d.example.com does not begin with v=DMARC1… | info dmarc: No DMARC record`},
		{owner + `"v=dmarc1; p=none"`, "invalid d.example.com  [] warning dmarc: …does not begin"},
		{owner + `"p=none; v=DMARC1"`, "invalid d.example.com  [] warning dmarc: …does not begin"},
		{owner + `"v=DMARC1 p=none"` + org + `"v=DMARC1; p=reject"`, "ok example.com reject [] warning dmarc: …does not begin… | info dmarc: …policy reject"},
		{owner + `"v=DMARC1; p=none"` + "\n" + owner + `"v=DMARC1; p=reject"`, "invalid d.example.com  [] warning dmarc: 2 DMARC records… | info dmarc: No DMARC record"},
		{owner + `"v=DMARC1; p=none"` + "\n" + owner + `"p=none; v=DMARC1"`, "ok d.example.com none [] info"},

		{owner + `"v=DMARC1; p=maybe"`, `invalid d.example.com  [] warning dmarc: …its p is "maybe"…ignore the record`},
		{owner + `"v=DMARC1; rua=mailto:a@d.example"`, "ok d.example.com none [mailto:a@d.example] warning dmarc: …it has no p; receivers take it for none"},
		{owner + `"v=DMARC1"`, "invalid d.example.com  [] warning dmarc: …it has no p…ignore the record"},
		{owner + `"v=DMARC1; p=none; sp=maybe"`, `invalid d.example.com  [] warning dmarc: …its sp is "maybe"`},
		{owner + `"v=DMARC1; p=reject; np=maybe; rua=mailto:a@d.example"`, `ok d.example.com none [mailto:a@d.example] warning dmarc: …its np is "maybe"`},
		{owner + `"v=DMARC1; p=maybe"` + org + `"v=DMARC1; p=reject"`, `invalid d.example.com  [] warning dmarc: …its p is "maybe"`}, // the domain's own ends the search

		{owner + `"v=DMARC1; p=none; rua=a@d.example"`, `ok d.example.com none [] warning dmarc_rua: …"a@d.example"… | info dmarc: …policy none`},
		{owner + `"v=DMARC1; rua=a@d.example,mailto:b@d.example"`, `ok d.example.com none [mailto:b@d.example] warning dmarc_rua: …"a@d.example"… | warning dmarc: …it has no p; receivers take it for none`},
		{owner + `"v=DMARC1; p=none; rua=a@d.example,b@d.example"`, `ok d.example.com none [] warning dmarc_rua: …"a@d.example"… | info dmarc: `},
		{owner + `"v=DMARC1; p=none; rua=mailto:a@d.example!10m , mailto:b@d.example!5"`, `ok d.example.com none [mailto:a@d.example mailto:b@d.example] info dmarc_tags: …size limit`},

		{owner + `"v=DMARC1; p=reject; later; =1;; new=2"`, `ok d.example.com reject [] warning dmarc_tags: …"later" is no tag=value: receivers ignore it. | info dmarc: …policy reject`},
		{owner + `"v=DMARC1; p=reject;; "`, "ok d.example.com reject [] info dmarc: "},
		{owner + `"v=DMARC1; p=reject; p=none"`, "ok d.example.com reject [] warning dmarc_tags: …its p stands there twice"},
		{owner + `"v=DMARC1; p=reject; pct=50; ri=3600; rf=xml"`, "ok d.example.com reject [] info dmarc_tags: …no longer has pct, ri, rf: … | info dmarc: …policy reject"},
		{owner + `"v=DMARC1; p=none; rua=mailto:x@y.example; pct=100; rf=AFRF; ri=86400"`, "ok d.example.com none [mailto:x@y.example] info dmarc: DMARC at _dmarc.d.example.com: policy none."}, // what they meant holds without them
		{owner + `"v=DMARC1; p=reject; adkim=S; aspf=x; psd=maybe; t=yes"`, `ok d.example.com reject [] warning dmarc_tags: …its aspf is "x", not one of r, s… | warning dmarc_tags: …its psd is "maybe"… | warning dmarc_tags: …its t is "yes"… | info dmarc: …policy reject.`},
		{owner + `"v=DMARC1; p=reject; t=y"`, "ok d.example.com reject [] testing info dmarc: …under test (t=y): receivers are asked for no more than quarantine"},
		{owner + `"v=DMARC1; p=quarantine; t=Y"`, "ok d.example.com quarantine [] testing info dmarc: …no more than none"},
		{owner + `"v=DMARC1; p=none; t=y"`, "ok d.example.com none [] testing info dmarc: …policy none."},
		{owner + `"v=DMARC1; p=none; t=n"`, "ok d.example.com none [] info"},
	} {
		r, findings := lookDMARC(t.Context(), lookuptest.New(t, test.zone).Exchange, "d.example.com")
		testing := ""
		if r.Testing {
			testing = "testing "
		}
		if got := fmt.Sprintf("%s %s %s %v %s%s", r.Status, r.Domain, r.Policy, r.RUA, testing, outline(findings)); !begins(got, test.want) {
			t.Errorf("%s:\n got %s\nwant %s", test.zone, got, test.want)
		}
	}
}

// begins is holds, with the first part at the beginning.
func begins(got, want string) bool {
	first, _, _ := strings.Cut(want, "…")
	return strings.HasPrefix(got, first) && holds(got, want)
}

// Who is asked on the way up the tree, in which order and how often (RFC 9989 4.10).
func TestDMARCTreeWalk(t *testing.T) {
	for domain, want := range map[string]string{
		"com":                   "com",
		"example.co.uk":         "example.co.uk co.uk uk",
		"a.b.c.d.e.f.g.example": "a.b.c.d.e.f.g.example b.c.d.e.f.g.example c.d.e.f.g.example d.e.f.g.example e.f.g.example f.g.example g.example example",
		"a.b.c.d.e.f.g.h.i.j.mail.example.com": "a.b.c.d.e.f.g.h.i.j.mail.example.com g.h.i.j.mail.example.com h.i.j.mail.example.com i.j.mail.example.com " +
			"j.mail.example.com mail.example.com example.com com", // the RFC's own
		"mail.a.b.c.d.e.f.g.example.com":            "mail.a.b.c.d.e.f.g.example.com c.d.e.f.g.example.com d.e.f.g.example.com e.f.g.example.com f.g.example.com g.example.com example.com com", // 5.1.8
		strings.Repeat("x.", 100) + "a.b.c.d.e.f.g": strings.Repeat("x.", 100) + "a.b.c.d.e.f.g a.b.c.d.e.f.g b.c.d.e.f.g c.d.e.f.g d.e.f.g e.f.g f.g g",
	} {
		z := lookuptest.New(t, "")
		lookDMARC(t.Context(), z.Exchange, domain)
		if got := asked(z); got != want {
			t.Errorf("%s: asked\n %s, want\n %s", domain, got, want)
		}
	}
}

// asked are the domains whose DMARC records were asked for.
func asked(z *lookuptest.Zone) string {
	return strings.ReplaceAll(strings.ReplaceAll(strings.Join(z.Asked, " "), "_dmarc.", ""), "/TXT", "")
}

// Which record holds for a.b.bank.example, by where records stand and whether they are a public suffix's, and where
// the walk ends (RFC 9989 4.10.1, 4.10.2, B.4).
func TestDMARCHolds(t *testing.T) {
	const whole = "a.b.bank.example b.bank.example bank.example example"
	for _, test := range []struct{ a, b, bank, top, want, asked string }{
		{"none", "", "reject; sp=reject", "", "a.b.bank.example none", "a.b.bank.example"},
		{"none; psd=y", "", "reject", "", "a.b.bank.example none", "a.b.bank.example"},
		{"", "quarantine", "reject", "", "bank.example reject", whole}, // the shortest name
		{"", "quarantine", "", "", "b.bank.example quarantine", whole},
		{"", "reject", "", "none; psd=u", "example none", whole}, // a suffix that does not say that it is one
		{"", "reject; sp=quarantine; psd=n", "none", "", "b.bank.example quarantine", "a.b.bank.example b.bank.example"},
		{"", "reject", "none; psd=n", "none", "bank.example none", "a.b.bank.example b.bank.example bank.example"},
		{"", "reject", "none; psd=y", "", "b.bank.example reject", "a.b.bank.example b.bank.example bank.example"},
		{"", "", "none; sp=quarantine; psd=Y", "", "bank.example quarantine", "a.b.bank.example b.bank.example bank.example"},
		{"", "none; psd=y", "reject", "", "b.bank.example none", "a.b.bank.example b.bank.example"},
		{"", "reject", "", "none; psd=y", "example none", whole}, // the organization is bank.example, and has no record
		{"", "reject", "quarantine", "none; psd=y", "bank.example quarantine", whole},
	} {
		var zone strings.Builder
		for domain, record := range map[string]string{"a.b.bank": test.a, "b.bank": test.b, "bank": test.bank, "": test.top} {
			if record != "" {
				fmt.Fprintf(&zone, "%s TXT \"v=DMARC1; p=%s\"\n", strings.Replace("_dmarc."+domain+".example.", "..", ".", 1), record)
			}
		}
		z := lookuptest.New(t, zone.String())
		r, _ := lookDMARC(t.Context(), z.Exchange, "a.b.bank.example")
		if got := r.Domain + " " + r.Policy; r.Status != OK || got != test.want || asked(z) != test.asked {
			t.Errorf("%+v:\n got %s %s, asked %s", test, r.Status, got, asked(z))
		}
	}
}

// A place with several records has none, and the walk goes on; one that cannot be asked leaves everything open.
func TestDMARCWalksOn(t *testing.T) {
	const org = "\n_dmarc.example.com. TXT \"v=DMARC1; p=reject\""
	several := "_dmarc.d.example.com. TXT \"v=DMARC1; p=none\"\n_dmarc.d.example.com. TXT \"v=DMARC1; p=none; psd=n\"" + org
	for _, test := range []struct{ zone, want, asked string }{
		{several, "ok example.com reject warning dmarc: 2 DMARC records at _dmarc.d.example.com: receivers use none of them. | info dmarc: …policy reject", "d.example.com example.com com"},
		{"_dmarc.d.example.com SERVFAIL" + org, "unknown   unknown dmarc: The TXT question for _dmarc.d.example.com failed (SERVFAIL): …", "d.example.com"},
		{"_dmarc.example.com SERVFAIL", "unknown   unknown dmarc: The TXT question for _dmarc.example.com failed (SERVFAIL): …", "d.example.com example.com"},
		{"_dmarc.com ERROR" + org, "unknown   unknown dmarc: The TXT question for _dmarc.com failed (…", "d.example.com example.com com"}, // may be a public suffix, or the organization
		{"_dmarc.com SERVFAIL\n_dmarc.d.example.com. TXT \"v=DMARC1; p=none\"", "ok d.example.com none info", "d.example.com"},
		{"_dmarc.com SERVFAIL" + strings.Replace(org, "reject", "reject; psd=n", 1), "ok example.com reject info", "d.example.com example.com"},
	} {
		z := lookuptest.New(t, test.zone)
		r, findings := lookDMARC(t.Context(), z.Exchange, "d.example.com")
		if got := fmt.Sprintf("%s %s %s %s", r.Status, r.Domain, r.Policy, outline(findings)); !begins(got, test.want) || asked(z) != test.asked {
			t.Errorf("%s:\n got %s\nwant %s\nasked %s", test.zone, got, test.want, asked(z))
		}
	}
}

// A walk that a slow resolver does not let come to its end has found out nothing.
func TestDMARCEndsInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		z := lookuptest.New(t, "")
		slow := func(ctx context.Context, q *dns.Msg) (*dns.Msg, string, error) {
			select {
			case <-time.After(9 * time.Second):
				return z.Exchange(ctx, q)
			case <-ctx.Done():
				return nil, "", ctx.Err()
			}
		}
		start := time.Now()
		r := Look(t.Context(), slow, "a.b.c.d.example")
		if took := time.Since(start); took > maxTime || r.DMARC.Status != Unknown {
			t.Errorf("took %s, %s", took, r.DMARC.Status)
		}
	})
}
