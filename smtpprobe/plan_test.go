package smtpprobe

import (
	"fmt"
	"strings"
	"testing"
)

// planned writes a plan on one line.
func planned(p Plan) string {
	var steps []string
	for _, s := range p.Steps {
		steps = append(steps, fmt.Sprintf("%d %s %s", s.Preference, s.Exchanger, s.Address))
	}
	return strings.Join(steps, ", ")
}

// hosts writes the records of exchangers: "PREFERENCE NAME ADDRESS...", one a line.
func hosts(text string) string {
	var records strings.Builder
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		fmt.Fprintf(&records, "d.example. MX %s %s.\n", fields[0], fields[1])
		for _, addr := range fields[2:] {
			rrtype := "A"
			if strings.Contains(addr, ":") {
				rrtype = "AAAA"
			}
			fmt.Fprintf(&records, "%s. %s %s\n", fields[1], rrtype, addr)
		}
	}
	return records.String()
}

// The order in which senders would try. The shuffle reverses here.
func TestPlan(t *testing.T) {
	for _, test := range []struct {
		name, as string
		zone     string
		want     string
		leftOut  []string // parts, one for each
	}{
		{"all of equal preference are shuffled together", "postfix", hosts("1 a.example 11.0.0.1 11.0.0.2\n1 b.example 11.0.0.3\n9 c.example 11.0.0.4"),
			"1 a.example 11.0.0.2, 1 a.example 11.0.0.1, 1 b.example 11.0.0.3, 9 c.example 11.0.0.4", nil},
		{"5 addresses", "postfix", hosts("1 a.example 11.0.0.1 11.0.0.2 11.0.0.3\n2 b.example 11.0.0.4 11.0.0.5 11.0.0.6"),
			"1 a.example 11.0.0.3, 1 a.example 11.0.0.2, 1 a.example 11.0.0.1, 2 b.example 11.0.0.6, 2 b.example 11.0.0.5", []string{"11.0.0.4 (preference 2): smtp_mx_address_limit."}},
		{"few of one family keep theirs", "postfix", hosts("1 a.example 2a00::1 2a00::2 2a00::3 2a00::4 2a00::5\n2 b.example 11.0.0.1"),
			"1 a.example 2a00::5, 1 a.example 2a00::4, 1 a.example 2a00::3, 1 a.example 2a00::2, 2 b.example 11.0.0.1", []string{"2a00::1 (preference 1): smtp_mx_address_limit, shared"}},
		{"many of both: the first one's family has 3", "postfix", hosts("1 a.example 2a00::1 2a00::2 2a00::3 2a00::4\n2 b.example 11.0.0.1 11.0.0.2 11.0.0.3 11.0.0.4"),
			"1 a.example 2a00::4, 1 a.example 2a00::3, 1 a.example 2a00::2, 2 b.example 11.0.0.4, 2 b.example 11.0.0.3", []string{"2a00::1", "11.0.0.2", "11.0.0.1"}},
		{"connects to an address", "postfix", "d.example. MX 1 11.0.0.9.", "1 11.0.0.9 11.0.0.9", nil},
		{"does not", "exim", "d.example. MX 1 11.0.0.9.\nd.example. MX 2 a.example.\na.example. A 11.0.0.1", "2 a.example 11.0.0.1", []string{"11.0.0.9 (preference 1)"}},
		{"host by host, IPv6 first", "exim", hosts("1 a.example 11.0.0.1 11.0.0.2 2a00::1 2a00::2\n1 b.example 11.0.0.3"),
			"1 b.example 11.0.0.3, 1 a.example 2a00::2, 1 a.example 2a00::1, 1 a.example 11.0.0.2, 1 a.example 11.0.0.1", nil},
		{"5 tries, then one of each preference", "exim", hosts("1 a.example 11.0.0.1 11.0.0.2 11.0.0.3 11.0.0.4\n2 b.example 11.0.0.5 11.0.0.6\n3 c.example 11.0.0.7 11.0.0.8"),
			"1 a.example 11.0.0.4, 1 a.example 11.0.0.3, 1 a.example 11.0.0.2, 1 a.example 11.0.0.1, 2 b.example 11.0.0.6, 3 c.example 11.0.0.8", []string{"11.0.0.5 (preference 2): hosts_max_try.", "11.0.0.7 (preference 3): hosts_max_try."}},
		{"addresses as they came", "rfc5321", hosts("1 a.example 11.0.0.1 11.0.0.2 2a00::1\n1 b.example 11.0.0.3"),
			"1 b.example 11.0.0.3, 1 a.example 2a00::1, 1 a.example 11.0.0.1, 1 a.example 11.0.0.2", nil},
		{"no limit", "rfc5321", hosts("1 a.example 11.0.0.1 11.0.0.2 11.0.0.3 11.0.0.4 11.0.0.5 11.0.0.6"),
			"1 a.example 11.0.0.1, 1 a.example 11.0.0.2, 1 a.example 11.0.0.3, 1 a.example 11.0.0.4, 1 a.example 11.0.0.5, 1 a.example 11.0.0.6", nil},
		{"implicit MX", "exim", "d.example. A 11.0.0.1", "0 d.example 11.0.0.1", nil},
		{"null MX", "exim", "d.example. MX 0 .", "", []string{"null MX"}},
		{"null MX among others", "postfix", "d.example. MX 0 .\nd.example. MX 1 a.example.\na.example. A 11.0.0.1", "", []string{"null MX"}},
		{"null MX among others", "rfc5321", "d.example. MX 0 .\nd.example. MX 1 a.example.\na.example. A 11.0.0.1", "1 a.example 11.0.0.1", nil},
		{"no such domain", "rfc5321", "", "", []string{"does not exist"}},
	} {
		t.Run(test.as+": "+test.name, func(t *testing.T) {
			n := &network{}
			plan, err := (&Prober{Exchange: zone(t, test.zone), Dial: n.dial, Shuffle: reverse}).Plan(t.Context(), "d.example", test.as)
			if err != nil || planned(plan) != test.want {
				t.Errorf("got  %s, %v\nwant %s", planned(plan), err, test.want)
			}
			if len(plan.LeftOut) != len(test.leftOut) || len(n.dialed) != 0 || (plan.Outcome == OutcomeBounce) != (test.want == "") {
				t.Errorf("left out %q, %d connections, outcome %q", plan.LeftOut, len(n.dialed), plan.Outcome)
			}
			for i := range min(len(plan.LeftOut), len(test.leftOut)) {
				if !strings.Contains(plan.LeftOut[i], test.leftOut[i]) {
					t.Errorf("left out %q, want %q", plan.LeftOut[i], test.leftOut[i])
				}
			}
		})
	}
}

func TestPlanThatCannotBeMade(t *testing.T) {
	p := &Prober{Exchange: zone(t, "d.example/MX SERVFAIL")}
	for _, test := range []struct{ domain, as, want string }{
		{"d.example", "sendmail", `sender "sendmail": want postfix, exim or rfc5321`},
		{"d..example", "exim", "d..example"},
		{"d.example", "exim", "SERVFAIL"},
	} {
		if _, err := p.Plan(t.Context(), test.domain, test.as); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%v: %v", test, err)
		}
	}
}
