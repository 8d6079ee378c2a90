package main

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/mxglue/mxglue/smtpprobe"
)

// The seed's two exchangers, the best one down.
func TestWriteReport(t *testing.T) {
	takes := "dns2.monaco.net"
	var b strings.Builder
	writeReport(&b, smtpprobe.Report{
		Domain: "enprovence.com", Verdict: smtpprobe.Warning, Status: smtpprobe.StatusWarning,
		Reason: "1 of 2 exchangers says 220: mail.monaco.net refuses the connection.",
		Order:  []string{"mail.monaco.net", "dns2.monaco.net"}, TakesMail: &takes,
		MX: []smtpprobe.Exchanger{
			{Name: "mail.monaco.net", Preference: 0, Verdict: smtpprobe.Refused, Attempts: []smtpprobe.Attempt{{
				Address: netip.MustParseAddr("194.79.150.9"), Source: "glue", Verdict: smtpprobe.Refused, Detail: "connection refused"}}},
			{Name: "dns2.monaco.net", Preference: 1, Verdict: smtpprobe.OK, Attempts: []smtpprobe.Attempt{{
				Address: netip.MustParseAddr("194.79.150.2"), Source: "glue", Verdict: smtpprobe.OK, Code: 220,
				Greeting: "dns2.monaco.net ESMTP\nready", Extensions: []string{"SIZE 10240000", "STARTTLS"},
				MS: smtpprobe.Phases{Connect: 31.204, Greeting: 80.4}}}},
		},
		Warnings: []string{"dns2.monaco.net (194.79.150.2): it ends lines with LF alone."},
	})
	want := `enprovence.com: WARNING. 1 of 2 exchangers says 220: mail.monaco.net refuses the connection.

PREF  EXCHANGER        ADDRESS       SOURCE  VERDICT  CODE  GREETING                       CONNECT MS  GREETING MS
   0  mail.monaco.net  194.79.150.9  glue    refused  -     (connection refused)           -           -
   1  dns2.monaco.net  194.79.150.2  glue    ok       220   dns2.monaco.net ESMTP / ready  31.2        80.4

dns2.monaco.net offers SIZE 10240000, STARTTLS.
Warning: dns2.monaco.net (194.79.150.2): it ends lines with LF alone.
dns2.monaco.net takes the mail now, after mail.monaco.net did not.
`
	if b.String() != want {
		t.Errorf("got\n%swant\n%s", b.String(), want)
	}
}

// Nothing that a peer or a nameserver says reaches the terminal as it is.
func TestWriteReportEscapes(t *testing.T) {
	const evil = "\x1b]0;owned\a\u009b2J\xff\u202e\t\v"
	takes := evil
	var b strings.Builder
	writeReport(&b, smtpprobe.Report{
		Domain: evil, Reason: evil, Warnings: []string{evil}, Order: []string{evil}, TakesMail: &takes,
		MX: []smtpprobe.Exchanger{
			{Name: evil, Detail: evil},
			{Name: evil, Attempts: []smtpprobe.Attempt{{Greeting: evil, Source: evil, Extensions: []string{evil}}, {Shared: evil + "x"}, {Detail: evil}}},
		},
	})
	for _, bad := range []string{"\x1b", "\a", "\u009b", "\xff", "\u202e", "\t", "\v"} {
		if strings.Contains(b.String(), bad) {
			t.Errorf("%q came through: %q", bad, b.String())
		}
	}
}

func TestGreetingCell(t *testing.T) {
	mx := smtpprobe.Exchanger{Name: "a.example"}
	for _, test := range []struct {
		attempt smtpprobe.Attempt
		want    string
	}{
		{smtpprobe.Attempt{Greeting: "a\nb"}, "a / b"},
		{smtpprobe.Attempt{Greeting: strings.Repeat("é", 60)}, strings.Repeat("é", 47) + "…"},
		{smtpprobe.Attempt{Detail: "no route to host"}, "(no route to host)"},
		{smtpprobe.Attempt{Greeting: "a\nb", Detail: "too long", Verdict: smtpprobe.BadGreeting}, "(too long)"},
		{smtpprobe.Attempt{Greeting: "a", Shared: "b.example"}, "(same server as b.example)"},
		{smtpprobe.Attempt{Greeting: "a", Shared: "a.example"}, "(visited less than a minute ago)"},
		{smtpprobe.Attempt{}, "-"},
	} {
		if got := greetingCell(mx, test.attempt); got != test.want {
			t.Errorf("got %q, want %q", got, test.want)
		}
	}
}

func TestLastLine(t *testing.T) {
	takes := "b.example"
	for _, test := range []struct {
		report smtpprobe.Report
		want   string
	}{
		{smtpprobe.Report{TakesMail: &takes, Order: []string{"b.example", "a.example"}, Status: smtpprobe.StatusOK}, "b.example takes the mail now."},
		{smtpprobe.Report{TakesMail: &takes, Order: []string{"a.example", "b.example"}, Status: smtpprobe.StatusWarning}, "b.example takes the mail now, after a.example did not."},
		{smtpprobe.Report{TakesMail: &takes, Order: []string{"b.example"}, Status: smtpprobe.StatusCritical}, "b.example takes the mail now, from senders that ignore the null MX beside it."},
		{smtpprobe.Report{Verdict: smtpprobe.NullMX}, "Nobody takes mail for d.example: a sender returns it at once."},
		{smtpprobe.Report{Verdict: smtpprobe.NXDomain}, "Nobody takes mail for d.example: a sender returns it at once."},
		{smtpprobe.Report{Verdict: smtpprobe.NoAddress}, "Nobody takes mail for d.example: a sender returns it at once."},
		{smtpprobe.Report{Verdict: smtpprobe.DNSFail}, "Nobody knows who takes mail for d.example: a sender that fares the same keeps it and tries again."},
		{smtpprobe.Report{Verdict: smtpprobe.Critical}, "Nobody takes mail for d.example now: a sender keeps it and tries again, for some days."},
		{smtpprobe.Report{Verdict: smtpprobe.Unknown}, "Unknown who takes mail for d.example now: it could not be found out from here."},
	} {
		test.report.Domain = "d.example"
		if got := whoTakesMail(test.report); got != test.want {
			t.Errorf("got  %q\nwant %q", got, test.want)
		}
	}
}

func TestRemarks(t *testing.T) {
	r := smtpprobe.Report{
		Order: []string{"b.example", "a.example"},
		MX:    []smtpprobe.Exchanger{{Name: "a.example"}, {Name: "b.example", Attempts: []smtpprobe.Attempt{{Verdict: smtpprobe.BlockedAddress}}}},
	}
	got := strings.Join(remarks(r), "\n")
	for _, want := range []string{"Tried in the order b.example, a.example", "--allow-private"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q lacks %q", got, want)
		}
	}
}
