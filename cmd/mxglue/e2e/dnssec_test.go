//go:build e2e

package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// A kind of client: the bits that it sets.
type kind struct{ ad, do, cd bool }

// kinds are all of them.
var kinds = [8]kind{
	{}, {ad: true}, {do: true}, {ad: true, do: true},
	{cd: true}, {ad: true, cd: true}, {do: true, cd: true}, {ad: true, do: true, cd: true},
}

func (k kind) String() string {
	return fmt.Sprintf("AD=%d DO=%d CD=%d", bit(k.ad), bit(k.do), bit(k.cd))
}

// bits are what a reply says of DNSSEC, whatever its records are.
type bits struct {
	rcode  string
	ad, cd bool
	signed bool // there is an RRSIG in it
}

func (b bits) String() string {
	return fmt.Sprintf("%s AD=%d CD=%d RRSIG=%d", b.rcode, bit(b.ad), bit(b.cd), bit(b.signed))
}

func bit(b bool) int {
	if b {
		return 1
	}
	return 0
}

// ask asks a question as this kind of client does.
func (k kind) ask(t *testing.T, address, name string, qtype uint16) bits {
	t.Helper()
	q := new(dns.Msg).SetQuestion(name, qtype)
	q.AuthenticatedData, q.CheckingDisabled = k.ad, k.cd
	q.SetEdns0(1232, k.do)
	client := dns.Client{Timeout: 6 * time.Second}
	r, _, err := client.Exchange(q, address)
	if err != nil {
		t.Fatalf("%s %s, %v, asked of %s: %v", name, dns.TypeToString[qtype], k, address, err)
	}
	b := bits{rcode: dns.RcodeToString[r.Rcode], ad: r.AuthenticatedData, cd: r.CheckingDisabled}
	for _, rr := range append(append(r.Answer, r.Ns...), r.Extra...) {
		b.signed = b.signed || rr.Header().Rrtype == dns.TypeRRSIG
	}
	return b
}

// A dialogue is two questions about a name of a zone, the second asked when the first has been answered.
type dialogue struct {
	what   string
	first  question
	second question
	rcode  string
}

// A question is asked for a name below that of the dialogue.
type question struct {
	below string
	qtype uint16
}

var dialogues = []dialogue{
	{"MX", question{"", dns.TypeMX}, question{"", dns.TypeMX}, "NOERROR"},
	{"A", question{"", dns.TypeA}, question{"", dns.TypeA}, "NOERROR"},
	{"TLSA", question{"_25._tcp.", dns.TypeTLSA}, question{"_25._tcp.", dns.TypeTLSA}, "NOERROR"},
	{"NXDOMAIN", question{"no.", dns.TypeA}, question{"no.", dns.TypeA}, "NXDOMAIN"},
	{"MX, then its host's A", question{"", dns.TypeMX}, question{"mx.", dns.TypeA}, "NOERROR"},
}

// The whole table: every kind of client that asks first, every kind that asks next, for secure, insecure and bogus data.
// Each pair has a name of its own, so the first question is always cold; the second is warm, or was asked first by another
// kind of client. mxglue gives the bits that a resolver like its upstream gives when it is asked the same questions directly.
func TestDNSSEC(t *testing.T) {
	startSigned(t, len(dialogues)*len(kinds)*len(kinds))
	serveBefore(t, []string{"udp://" + unboundAddress}, "MXGLUE_CACHE_GLUE_PRIVATE=true")
	for _, z := range []struct{ security, zone string }{
		{"secure", "dnssec.example."}, {"insecure", "insecure.dnssec.example."}, {"bogus", "bogus.dnssec.example."},
	} {
		t.Run(z.security, func(t *testing.T) {
			n := 0
			for _, d := range dialogues {
				for _, first := range kinds {
					for _, second := range kinds {
						name := fmt.Sprintf("n%d.%s", n, z.zone)
						n++
						cold := compare(t, first, d.first, name)
						warm := compare(t, second, d.second, name)
						if want := d.want(z.security, first); cold != want {
							t.Errorf("%s of %s data, %v, asked first: %v, want %v", d.what, z.security, first, cold, want)
						}
						if want := d.want(z.security, second); warm != want {
							t.Errorf("%s of %s data, %v, after %v: %v, want %v", d.what, z.security, second, first, warm, want)
						}
					}
				}
			}
		})
	}
}

// compare puts one question to mxglue and to the twin of its upstream, and returns mxglue's bits.
func compare(t *testing.T, k kind, q question, name string) bits {
	t.Helper()
	ours, theirs := k.ask(t, dnsAddress, q.below+name, q.qtype), k.ask(t, twinAddress, q.below+name, q.qtype)
	if ours != theirs {
		t.Errorf("%s%s %s, %v: mxglue says %v, Unbound %v", q.below, name, dns.TypeToString[q.qtype], k, ours, theirs)
	}
	return ours
}

// want is what RFC 4035 section 3.2 and RFC 6840 sections 5.7 and 5.8 make of a dialogue. It shows that the table
// compares what it says: without it a zone that is not signed at all would pass.
func (d dialogue) want(security string, k kind) bits {
	if security == "bogus" && !k.cd {
		return bits{rcode: "SERVFAIL"}
	}
	return bits{rcode: d.rcode, ad: security == "secure" && (k.ad || k.do), cd: k.cd, signed: security != "insecure" && k.do}
}

// An AD bit is worth what the way to the upstream is worth: it passes from loopback and through TLS, and from elsewhere only
// if the operator says so. The signatures pass in any case.
func TestDNSSECGuard(t *testing.T) {
	startSigned(t, 1)
	for _, test := range []struct {
		upstream string
		env      string
		ad       bool
	}{
		{"udp://" + unboundAddress, "", true},
		{"udp://" + farAddress, "", false},
		{"udp://" + farAddress, "MXGLUE_RESOLVER_DNSSEC=trust", true},
	} {
		t.Run(strings.TrimSpace(test.upstream+" "+test.env), func(t *testing.T) {
			d := serveBefore(t, []string{test.upstream}, test.env)
			for range 2 { // cold and warm
				if b := (kind{do: true, ad: true}).ask(t, dnsAddress, "n0.dnssec.example.", dns.TypeMX); b.ad != test.ad || !b.signed {
					t.Errorf("%v, want AD=%d and RRSIG=1", b, bit(test.ad))
				}
			}
			stop(t, d) // then its log is complete
			if said := strings.Count(d.output.String(), "AD bit not passed on"); said != bit(!test.ad) {
				t.Errorf("the log speaks of the AD bit %d times, want %d:\n%s", said, bit(!test.ad), d.output)
			}
		})
	}
}
