package main

import (
	"io"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mxglue/mxglue/smtpprobe"
	"github.com/mxglue/mxglue/smtpprobe/dane"
	"github.com/mxglue/mxglue/smtpprobe/sts"
)

// seed is the report on the seed's two exchangers, the best one down.
func seed() smtpprobe.Report {
	takes := "dns2.monaco.net"
	untold := smtpprobe.Senders{Plain: "defer", DANE: "defer", STS: "defer"}
	return smtpprobe.Report{
		Domain: "enprovence.com", Verdict: smtpprobe.Warning, Status: smtpprobe.StatusWarning,
		Reason: "1 of 2 exchangers says 220: mail.monaco.net refuses the connection.",
		Source: "upstream", TTL: 3600,
		Order: []string{"mail.monaco.net", "dns2.monaco.net"}, TakesMail: &takes,
		MX: []smtpprobe.Exchanger{
			{Name: "mail.monaco.net", Preference: 0, Verdict: smtpprobe.Refused, DANE: &dane.Result{Status: dane.None}, Senders: untold, Attempts: []smtpprobe.Attempt{{
				Address: netip.MustParseAddr("194.79.150.9"), Port: 25, Source: "glue", TTL: 300, Verdict: smtpprobe.Refused, Detail: "connection refused", Senders: untold}}},
			{Name: "dns2.monaco.net", Preference: 1, Verdict: smtpprobe.OK, DANE: &dane.Result{Status: dane.Secure},
				Senders: smtpprobe.Senders{Plain: "encrypted", DANE: "authenticated", STS: "encrypted"},
				Attempts: []smtpprobe.Attempt{{
					Address: netip.MustParseAddr("194.79.150.2"), Port: 25, Source: "bundle", TTL: 60, AD: true, Verdict: smtpprobe.OK, Code: 220,
					Greeting: "dns2.monaco.net ESMTP\nready", Hello: "EHLO", Extensions: []string{"SIZE 10240000", "STARTTLS"},
					TLS: &smtpprobe.TLS{Offered: true, Established: true, Verdict: smtpprobe.TLSVerdictOK, Version: "TLS 1.3", Cipher: "TLS_AES_128_GCM_SHA256",
						KeyExchange: "X25519", SPKI: "3 1 1 aa", Chain: []smtpprobe.Certificate{{Subject: "CN=dns2.monaco.net"}},
						NotAfter: time.Now().Add(41*24*time.Hour + time.Hour), DANE: &smtpprobe.Match{OK: true}},
					Senders: smtpprobe.Senders{Plain: "encrypted", DANE: "authenticated", STS: "encrypted"},
					MS:      smtpprobe.Phases{Connect: 31.204, Greeting: 80.4, Hello: 3}}}},
		},
		STS: &sts.Result{Status: sts.None},
		Findings: []smtpprobe.Finding{
			{Severity: smtpprobe.SeverityInfo, Code: "fcrdns", Rule: "RFC 1912 §2.1", About: "mail.monaco.net", Text: "194.79.150.9 has no reverse name."},
			{Severity: smtpprobe.SeverityOK, Code: "dane_matches", Text: "All is as it should be."},
			{Severity: smtpprobe.SeverityWarning, Code: "dialogue", About: "dns2.monaco.net", Text: "dns2.monaco.net ends lines with LF alone."},
			{Severity: smtpprobe.SeverityInfo, Code: "fcrdns", Rule: "RFC 1912 §2.1", About: "dns2.monaco.net", Text: "194.79.150.2 has no reverse name."},
		},
		Warnings: []string{"dns2.monaco.net ends lines with LF alone."},
		Senders:  smtpprobe.Senders{Plain: "encrypted", DANE: "authenticated", STS: "encrypted"},
	}
}

// write prints one outcome.
func write(t *testing.T, make func(io.Writer) writer, o outcome) string {
	t.Helper()
	var b strings.Builder
	w := make(&b)
	if err := w.write(o); err != nil {
		t.Fatal(err)
	}
	if err := w.end(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func asText(out io.Writer) writer { return textWriter{out: out} }

func TestWriteText(t *testing.T) {
	r := seed()
	until := r.MX[1].Attempts[0].TLS.NotAfter.Format(time.DateOnly)
	want := `enprovence.com: WARNING. 1 of 2 exchangers says 220: mail.monaco.net refuses the connection.
MX answer from upstream, 3600 s left, not signed.

PREF  MX AND ADDRESS   DNS            CONNECT  GREETING  EHLO  TLS  CERT    DANE  MTA-STS
   0  mail.monaco.net  plain: defer, DANE: defer, MTA-STS: defer
      194.79.150.9     glue 300s      refused  -         -     -    -       none  none
   1  dns2.monaco.net  plain: encrypted, DANE: authenticated, MTA-STS: encrypted
      194.79.150.2     bundle 60s AD  31ms     220 80ms  EHLO  1.3  ok 41d  ok    none

dns2.monaco.net says: dns2.monaco.net ESMTP / ready
  offers SIZE 10240000, STARTTLS
  TLS 1.3 TLS_AES_128_GCM_SHA256 X25519; certificate CN=dns2.monaco.net, until ` + until + `
  TLSA for its key: 3 1 1 aa
WARNING   dns2.monaco.net ends lines with LF alone.
INFO      194.79.150.9 has no reverse name. Also: dns2.monaco.net. [RFC 1912 §2.1]
WARNING: dns2.monaco.net takes the mail now, after mail.monaco.net did not.
`
	if got := write(t, asText, outcome{Report: r}); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	brief := write(t, func(out io.Writer) writer { return textWriter{out: out, brief: true} }, outcome{Report: r})
	if first, _, _ := strings.Cut(want, "\n"); brief != first+"\n" {
		t.Errorf("of a list: got %q, want the first line", brief)
	}
}

// A domain without an MX record: nobody has to guess where the host comes from.
func TestWriteTextImplicit(t *testing.T) {
	r := seed()
	r.MX = r.MX[1:]
	r.MX[0].Implicit = true
	want := "\nNo MX record (answer from upstream, not signed): the domain itself is its MX host, as RFC 5321 section 5.1 has it.\n\n"
	if got := write(t, asText, outcome{Report: r}); !strings.Contains(got, want) {
		t.Errorf("got\n%swant in it%s", got, want)
	}
}

// With colours it is the same text: no column moves.
func TestWriteTextPainted(t *testing.T) {
	o := outcome{Report: seed()}
	painted := write(t, func(out io.Writer) writer { return textWriter{out: out, paint: true} }, o)
	if !strings.Contains(painted, "\x1b[31mrefused\x1b[0m") || !strings.Contains(painted, "\x1b[33mWARNING\x1b[0m: dns2") {
		t.Errorf("no red, no yellow: %q", painted)
	}
	for {
		before, rest, found := strings.Cut(painted, "\x1b[")
		if !found {
			break
		}
		_, after, _ := strings.Cut(rest, "m")
		painted = before + after
	}
	if plain := write(t, asText, o); painted != plain {
		t.Errorf("without the colours it is\n%swant\n%s", painted, plain)
	}
}

// A file is no terminal, nor is what is no file at all.
func TestPaints(t *testing.T) {
	t.Setenv("NO_COLOR", "")
	t.Setenv("TERM", "xterm")
	file, err := os.Create(t.TempDir() + "/out")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if paints(file) || paints(io.Discard) {
		t.Error("colours where nobody looks")
	}
	terminal, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skip(err)
	}
	defer terminal.Close()
	if !paints(terminal) {
		t.Error("no colours on a terminal")
	}
	t.Setenv("NO_COLOR", "1")
	if paints(terminal) {
		t.Error("colours in spite of NO_COLOR")
	}
	t.Setenv("NO_COLOR", "")
	t.Setenv("TERM", "dumb")
	if paints(terminal) {
		t.Error("colours on a dumb terminal")
	}
}

// Nothing that a peer or a nameserver says reaches the terminal as it is.
func TestWriteTextEscapes(t *testing.T) {
	const evil = "\x1b]0;owned\a\u009b2J\xff\u202e\t\v"
	takes := evil
	r := smtpprobe.Report{
		Domain: evil, Reason: evil, Source: evil, Order: []string{evil}, TakesMail: &takes,
		Findings:    []smtpprobe.Finding{{Severity: smtpprobe.SeverityInfo, Text: evil, Rule: evil, About: evil}, {Severity: smtpprobe.SeverityInfo, Text: evil, Rule: evil, About: evil}},
		Differences: []smtpprobe.Difference{{Name: evil, Type: evil, Cached: []string{evil}, Fresh: []string{evil}}},
		MX: []smtpprobe.Exchanger{
			{Name: evil, Detail: evil},
			{Name: evil, Attempts: []smtpprobe.Attempt{{Greeting: evil, Source: evil, Extensions: []string{evil}, Transcript: []string{evil},
				TLS: &smtpprobe.TLS{Chain: []smtpprobe.Certificate{{Subject: evil}}, Cipher: evil}}, {Shared: evil + "x"}, {Detail: evil}}},
		},
	}
	got := write(t, asText, outcome{Report: r})
	for _, bad := range []string{"\x1b", "\a", "\u009b", "\xff", "\u202e", "\t", "\v"} {
		if strings.Contains(got, bad) {
			t.Fatalf("%q came through: %q", bad, got)
		}
	}
}

func TestLastLine(t *testing.T) {
	takes := "b.example"
	mixed := []smtpprobe.Finding{{Code: "null_mx_mixed"}}
	delivers, defers := smtpprobe.OutcomeEncrypted, smtpprobe.OutcomeDefer
	for _, test := range []struct {
		report smtpprobe.Report
		want   string
	}{
		{smtpprobe.Report{TakesMail: &takes, Order: []string{"b.example", "a.example"}, Status: smtpprobe.StatusOK}, "b.example takes the mail now."},
		{smtpprobe.Report{TakesMail: &takes, Order: []string{"a.example", "b.example"}, Status: smtpprobe.StatusWarning}, "b.example takes the mail now, after a.example did not."},
		{smtpprobe.Report{TakesMail: &takes, Order: []string{"b.example"}, Status: smtpprobe.StatusCritical, Findings: mixed}, "b.example takes the mail now, from senders that ignore the null MX beside it."},
		{smtpprobe.Report{TakesMail: &takes, Senders: smtpprobe.Senders{Plain: delivers, DANE: defers, STS: delivers}}, "b.example takes the mail now, but not from DANE senders, who keep it and try again."},
		{smtpprobe.Report{TakesMail: &takes, Senders: smtpprobe.Senders{Plain: delivers, DANE: defers, STS: defers}}, "b.example takes the mail now, but not from DANE and MTA-STS senders, who keep it and try again."},
		{smtpprobe.Report{TakesMail: &takes, Senders: smtpprobe.Senders{Plain: defers, DANE: defers, STS: defers}}, "b.example says 220 and takes no mail: a sender keeps it and tries again."},
		{smtpprobe.Report{Verdict: smtpprobe.NullMX}, "Nobody takes mail for d.example: a sender returns it at once."},
		{smtpprobe.Report{Verdict: smtpprobe.NXDomain}, "Nobody takes mail for d.example: a sender returns it at once."},
		{smtpprobe.Report{Verdict: smtpprobe.NoAddress}, "Nobody takes mail for d.example: a sender returns it at once."},
		{smtpprobe.Report{Verdict: smtpprobe.DNSFail}, "Nobody knows who takes mail for d.example: a sender that fares the same keeps it and tries again."},
		{smtpprobe.Report{Verdict: smtpprobe.Critical}, "Nobody takes mail for d.example now: a sender keeps it and tries again, for some days."},
		{smtpprobe.Report{Verdict: smtpprobe.OK}, "Nobody was asked who takes mail for d.example: no connection was made."},
		{smtpprobe.Report{Verdict: smtpprobe.Unknown}, "Unknown who takes mail for d.example now: it could not be found out from here."},
	} {
		test.report.Domain = "d.example"
		if got := whoTakesMail(test.report); got != test.want {
			t.Errorf("got  %q\nwant %q", got, test.want)
		}
	}
}

func TestWarned(t *testing.T) {
	for n, want := range []string{"", " There is a warning above.", " There are 2 warnings above."} {
		if got := warned(smtpprobe.Report{Status: smtpprobe.StatusOK, Warnings: make([]string, n)}); got != want {
			t.Errorf("%d warnings: %q, want %q", n, got, want)
		}
	}
	if got := warned(smtpprobe.Report{Status: smtpprobe.StatusWarning, Warnings: make([]string, 2)}); got != "" {
		t.Errorf("where the status says it: %q", got)
	}
}

func TestRemarks(t *testing.T) {
	got := strings.Join(remarks(smtpprobe.Report{
		Order:       []string{"b.example", "a.example"},
		Differences: []smtpprobe.Difference{{Name: "a.example", Type: "A", Cached: []string{"192.0.2.1"}, Fresh: []string{}}},
		Findings:    []smtpprobe.Finding{{Code: "mx_self"}},
		MX: []smtpprobe.Exchanger{{Name: "a.example", Verdict: smtpprobe.Skipped},
			{Name: "b.example", Attempts: []smtpprobe.Attempt{{Address: netip.MustParseAddr("10.0.0.1"), Verdict: smtpprobe.BlockedAddress}}}},
	}), "\n")
	for _, want := range []string{"Tried in the order b.example, a.example", "--allow-private", "--include-self", "The cache has a.example A: 192.0.2.1; asked now it is nothing."} {
		if !strings.Contains(got, want) {
			t.Errorf("%q lacks %q", got, want)
		}
	}
}

// A hint stands where it helps: --allow-private lets nobody connect to every special address.
func TestRemarksOnSpecialAddresses(t *testing.T) {
	for address, want := range map[string]string{"10.0.0.1": "--allow-private", "::1": "--allow-private", "169.254.1.1": "smtpprobe.allow ", "192.0.2.1": "smtpprobe.allow "} {
		lines := remarks(smtpprobe.Report{Order: []string{"a.example"}, MX: []smtpprobe.Exchanger{{Name: "a.example",
			Attempts: []smtpprobe.Attempt{{Address: netip.MustParseAddr(address), Verdict: smtpprobe.BlockedAddress}}}}})
		if len(lines) != 1 || !strings.HasPrefix(lines[0], want) {
			t.Errorf("%s: %q, want %s", address, lines, want)
		}
	}
}

// The cells that are not as good as they could be.
func TestStageCells(t *testing.T) {
	policy := func(mode string, mx ...string) *sts.Result { return &sts.Result{Status: sts.OK, Mode: mode, MX: mx} }
	tls := func(verdict string, match *smtpprobe.Match) *smtpprobe.TLS {
		return &smtpprobe.TLS{Offered: true, Established: true, Version: "TLS 1.2", Verdict: verdict, Chain: make([]smtpprobe.Certificate, 1), STS: match, NotAfter: time.Now().Add(25 * time.Hour)}
	}
	up := smtpprobe.Phases{Connect: 12_000, Greeting: 2, Hello: 1}
	secure := &dane.Result{Status: dane.Secure}
	for _, test := range []struct {
		attempt smtpprobe.Attempt
		dane    *dane.Result
		sts     *sts.Result
		want    string // CONNECT to MTA-STS
	}{
		{smtpprobe.Attempt{Verdict: smtpprobe.TimeoutConnect}, nil, nil, "timeout|-|-|-|-|-|-"},
		{smtpprobe.Attempt{Verdict: smtpprobe.BlockedAddress}, nil, nil, "blocked|-|-|-|-|-|-"},
		{smtpprobe.Attempt{Verdict: smtpprobe.LocalError}, nil, nil, "not from here|-|-|-|-|-|-"},
		{smtpprobe.Attempt{Verdict: smtpprobe.GreetingTimeout, MS: up}, nil, nil, "12.0s|timeout|failed|-|-|-|-"},
		{smtpprobe.Attempt{Verdict: smtpprobe.Greeting5xx, Code: 554, MS: smtpprobe.Phases{Connect: 20, Greeting: 30}}, nil, nil, "20ms|554 30ms|-|-|-|-|-"},
		{smtpprobe.Attempt{Verdict: smtpprobe.NotSMTP, MS: smtpprobe.Phases{Connect: 20}}, nil, nil, "20ms|no SMTP|-|-|-|-|-"},
		{smtpprobe.Attempt{Verdict: smtpprobe.Reset, MS: smtpprobe.Phases{Connect: 20}}, nil, nil, "20ms|reset|-|-|-|-|-"},
		{smtpprobe.Attempt{Verdict: smtpprobe.OK, Code: 220, MS: up, Hello: "HELO", TLS: &smtpprobe.TLS{}}, &dane.Result{Status: dane.Error}, &sts.Result{Status: sts.FetchError}, "12.0s|220 2.0ms|HELO|none|-|error|fetch error"},
		{smtpprobe.Attempt{Verdict: smtpprobe.OK, Code: 220, MS: up, Hello: "EHLO", TLS: &smtpprobe.TLS{Offered: true}}, &dane.Result{Status: dane.Unknown}, policy("testing", "mx.d.example"), "12.0s|220 2.0ms|EHLO|failed|-|unknown|testing FAIL"},
		{smtpprobe.Attempt{Verdict: smtpprobe.OK, Code: 220, MS: up, Hello: "EHLO", TLS: tls(smtpprobe.CertificateHostMismatch, &smtpprobe.Match{}), Senders: smtpprobe.Senders{DANE: "defer"}}, secure, policy("enforce", "mx.d.example"), "12.0s|220 2.0ms|EHLO|1.2|wrong name 1d|FAIL|enforce FAIL"},
		{smtpprobe.Attempt{Verdict: smtpprobe.OK, Code: 220, MS: up, Hello: "EHLO", TLS: tls(smtpprobe.CertificateExpired, nil)}, nil, policy("enforce", "other.example"), "12.0s|220 2.0ms|EHLO|1.2|expired|-|enforce FAIL"},
		{smtpprobe.Attempt{Verdict: smtpprobe.OK, Code: 220, MS: up, Hello: "EHLO", TLS: tls(smtpprobe.TLSVerdictOK, &smtpprobe.Match{OK: true})}, nil, policy("enforce", "*.d.example"), "12.0s|220 2.0ms|EHLO|1.2|ok 1d|-|enforce ok"},
	} {
		e := smtpprobe.Exchanger{Name: "mx.d.example", DANE: test.dane}
		var got []string
		for _, c := range stageCells(smtpprobe.Report{STS: test.sts}, e, test.attempt)[1:] {
			got = append(got, c.text)
		}
		if !slices.Equal(got, strings.Split(test.want, "|")) {
			t.Errorf("%s: %s, want %s", test.attempt.Verdict, strings.Join(got, "|"), test.want)
		}
	}
}
