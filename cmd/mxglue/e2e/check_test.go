//go:build e2e

package e2e

import (
	"encoding/json"
	"strings"
	"testing"
)

// The verdict on each kind of domain is the exit code, and the last line says who takes the mail now.
func TestCheck(t *testing.T) {
	startUnbound(t)
	startSinks(t)
	for _, test := range []struct {
		args     []string
		code     int
		mention  []string // somewhere in the output
		lastLine string   // in its last line
	}{
		{[]string{"three.example"}, 0, []string{"mx1.three.example", "mx3.three.example", "220"}, "mx1.three.example takes the mail now"},
		{[]string{"user@three.example"}, 0, nil, "mx1.three.example takes the mail now"},
		{[]string{"hosted.example"}, 0, nil, "in1.hoster.example takes the mail now"},
		{[]string{"half.example"}, 1, []string{"mx1.half.example", "refused"}, "mx2.half.example takes the mail now"},
		{[]string{"--first", "three.example"}, 0, []string{"skipped"}, "mx1.three.example takes the mail now"},
		{[]string{"down.example"}, 2, []string{"mx1.down.example", "mx2.down.example", "refused"}, "Nobody takes mail"},
		{[]string{"null.example"}, 0, []string{"null.example"}, "Nobody takes mail"},
		{[]string{"implicit.example"}, 0, nil, "implicit.example takes the mail now"},
		{[]string{"missing.example"}, 2, []string{"missing.example"}, "Nobody takes mail"},
		{[]string{"three.example", "half.example"}, 1, []string{"three.example", "mx1.half.example"}, ""},
		{[]string{"down.example", "three.example"}, 2, []string{"mx1.down.example", "mx1.three.example"}, ""},
	} {
		t.Run(strings.Join(test.args, " "), func(t *testing.T) {
			r := check(t, test.args...)
			if r.code != test.code {
				t.Errorf("exit code %d, want %d:\n%s%s", r.code, test.code, r.stdout, r.stderr)
			}
			mentions(t, "the output", r.stdout, test.mention...)
			lines := strings.Split(strings.TrimSpace(r.stdout), "\n")
			mentions(t, "the last line", lines[len(lines)-1], test.lastLine)
		})
	}
}

// An upstream that is not there is our trouble, not the domain's.
func TestCheckUpstreamDead(t *testing.T) {
	r := check(t, "three.example") // no Unbound runs
	if r.code != 3 {
		t.Errorf("exit code %d, want 3 (unknown):\n%s%s", r.code, r.stdout, r.stderr)
	}
}

// A program reads what a person reads: which exchanger said what, and who takes the mail.
func TestCheckJSON(t *testing.T) {
	startUnbound(t)
	startSink(t, "mx2.half.example", "10.77.0.12")
	r := check(t, "--json", "half.example")
	if r.code != 1 {
		t.Errorf("exit code %d, want 1:\n%s%s", r.code, r.stdout, r.stderr)
	}
	var half report
	if err := json.Unmarshal([]byte(r.stdout), &half); err != nil {
		t.Fatalf("%v:\n%s", err, r.stdout)
	}
	if half.TakesMail == nil || bare(*half.TakesMail) != "mx2.half.example" {
		t.Errorf("takes_mail is not mx2.half.example:\n%s", r.stdout)
	}
	if bare(half.Domain) != "half.example" || half.Verdict != "warning" || len(half.MX) != 2 {
		t.Fatalf("domain %q, verdict %q, %d MX; want half.example, warning, 2:\n%s", half.Domain, half.Verdict, len(half.MX), r.stdout)
	}
	for i, want := range []struct {
		exchanger, address, verdict string
		preference                  uint16
		code                        int
	}{
		{"mx1.half.example", "10.77.0.21", "refused", 10, 0},
		{"mx2.half.example", "10.77.0.12", "ok", 20, 220},
	} {
		mx := half.MX[i]
		if bare(mx.Exchanger) != want.exchanger || mx.Preference == nil || *mx.Preference != want.preference || len(mx.Attempts) != 1 {
			t.Errorf("mx[%d] is not %s with preference %d and one attempt:\n%s", i, want.exchanger, want.preference, r.stdout)
			continue
		}
		a := mx.Attempts[0]
		if a.Address != want.address || a.Port != 25 || a.Verdict != want.verdict || a.Code != want.code {
			t.Errorf("%s: %s:%d %s %d, want %s:25 %s %d", want.exchanger, a.Address, a.Port, a.Verdict, a.Code, want.address, want.verdict, want.code)
		}
		if a.Source != "bundle" && a.Source != "upstream" && a.Source != "cache" {
			t.Errorf("%s: source %q, want bundle, cache or upstream", want.exchanger, a.Source)
		}
		if a.MS == nil || a.MS.Connect == nil {
			t.Errorf("%s: no ms.connect:\n%s", want.exchanger, r.stdout)
		}
	}
	mentions(t, "the greeting", half.MX[1].Attempts[0].Greeting, "mx2.half.example")

	r = check(t, "--json", "down.example")
	var down report
	if err := json.Unmarshal([]byte(r.stdout), &down); err != nil {
		t.Fatalf("%v:\n%s", err, r.stdout)
	}
	if !strings.Contains(r.stdout, `"takes_mail"`) || down.TakesMail != nil || r.code != 2 {
		t.Errorf("exit code %d, takes_mail %v; want 2, null:\n%s", r.code, down.TakesMail, r.stdout)
	}
}

// One report in every format, a list with a bad line, and what a monitoring system makes of it.
func TestCheckFormats(t *testing.T) {
	startUnbound(t)
	startSink(t, "mx2.half.example", "10.77.0.12")
	for _, test := range []struct {
		args    []string
		code    int
		mention []string
	}{
		{[]string{"--format", "nagios", "-w", "20", "-c", "40", "half.example"}, 1, []string{"MX WARNING - half.example 1/2 MX ok (mx1.half.example: refused) | 'time'=", "'mx_ok'=1;2:;1:;0;2"}},
		{[]string{"--format", "csv", "half.example"}, 1, []string{"domain,status,verdict,", "\nhalf.example,warning,warning,mx1.half.example,10,10.77.0.21,25,refused,"}},
		{[]string{"--format", "junit", "half.example"}, 1, []string{"<testsuite name=\"half.example\" tests=\"3\" failures=\"1\"", "<failure type=\"refused\""}},
		{[]string{"--transcript", "--helo", "tester.example", "half.example"}, 1, []string{"C: EHLO tester.example", "C: QUIT", "TLS", "MTA-STS"}},
		{[]string{"--file", writeFile(t, t.TempDir(), "domains", "half.example\nno domain\nnull.example\n")}, 3, []string{"half.example: WARNING.", "null.example: OK."}},
		{[]string{"--nonsense", "half.example"}, 3, nil},
	} {
		r := check(t, test.args...)
		if r.code != test.code {
			t.Errorf("check %q: exit code %d, want %d:\n%s%s", test.args, r.code, test.code, r.stdout, r.stderr)
		}
		mentions(t, strings.Join(test.args, " "), r.stdout, test.mention...)
	}
}

// The addresses that each sender would try, without one connection: nobody listens here.
func TestPlan(t *testing.T) {
	startUnbound(t)
	for as, who := range map[string]string{"postfix": "Postfix", "exim": "Exim", "rfc5321": "RFC 5321"} {
		r := run(t, mxglue(t, nil, "plan", "--upstream", "udp://"+unboundAddress, "--as", as, "three.example"))
		if r.code != 0 {
			t.Errorf("plan --as %s: exit code %d, want 0:\n%s%s", as, r.code, r.stdout, r.stderr)
		}
		mentions(t, "the plan", r.stdout, who+" tries up to 3 addresses for three.example, 10.77.0.11 (mx1.three.example) first.")
		if first, last := strings.Index(r.stdout, "10.77.0.11"), strings.Index(r.stdout, "10.77.0.13"); first < 0 || last < first {
			t.Errorf("plan --as %s: not in order of preference:\n%s", as, r.stdout)
		}
	}
}

// What a resolver beyond loopback says of DNSSEC counts only if the configuration vouches for the way to it: else DANE is
// unknown, and never absent.
func TestCheckTrust(t *testing.T) {
	startSigned(t, 1)
	for _, test := range []struct {
		upstream string
		trust    []string
		want     string
	}{
		{unboundAddress, nil, `"dane":{"status":"none"`},
		{farAddress, nil, `"dane":{"status":"unknown"`},
		{farAddress, []string{"MXGLUE_RESOLVER_DNSSEC=trust"}, `"dane":{"status":"none"`},
	} {
		r := run(t, mxglue(t, test.trust, "check", "--json", "--include-self", "--depth", "dns", "--upstream", "udp://"+test.upstream, "n0.dnssec.example"))
		mentions(t, "the report through "+test.upstream, r.stdout, test.want)
	}
}
