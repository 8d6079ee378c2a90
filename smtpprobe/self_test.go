package smtpprobe

import (
	"context"
	"fmt"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/miekg/dns"
)

// from is a connection whose end here has an address.
type from struct {
	net.Conn
	address string
}

func (c from) LocalAddr() net.Addr { return &net.TCPAddr{IP: net.ParseIP(c.address), Port: 40000} }

// The address that we connect from is told of once, if it is one that mail servers see and has no name that leads back.
func TestReverseNameOfOurOwn(t *testing.T) {
	for _, test := range []struct {
		address, records, want string
		depth                  Depth
	}{
		{"11.9.9.9", "", "11.9.9.9 has no reverse name", DepthTLS},
		{"11.9.9.9", "9.9.9.11.in-addr.arpa. PTR me.example.", "does not lead back", DepthTLS},
		{"11.9.9.9", "9.9.9.11.in-addr.arpa. PTR me.example.\nme.example. A 11.9.9.9", "", DepthTLS},
		{"11.9.9.9", "", "", DepthGreeting},
		{"10.9.9.9", "", "", DepthTLS}, // behind NAT
	} {
		synctest.Test(t, func(t *testing.T) {
			n := &network{}
			p := &Prober{Exchange: zone(t, twoHosts+"\n"+test.records), Options: Options{Depth: test.depth}}
			p.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
				conn, err := n.dial(ctx, network, address)
				return from{conn, test.address}, err
			}
			var texts []string
			for _, f := range p.Probe(t.Context(), "d.example").Findings {
				if f.Code == "fcrdns_own" && f.Severity == SeverityWarning {
					texts = append(texts, f.Text)
				}
			}
			if got := strings.Join(texts, "; "); len(texts) > 1 || !strings.Contains(got, test.want) || (test.want == "") != (got == "") {
				t.Errorf("%+v: got %q", test, got)
			}
		})
	}
}

// The rule of ourselves is one about MX records: a host that is named is probed.
func TestSelfByName(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &network{}
		p := &Prober{Exchange: zone(t, "d.example. A 11.0.0.1"), Dial: n.dial, Options: Options{Selection: Selection{Own: []string{"11.0.0.1"}}}}
		for target, connections := range map[string]int{"[11.0.0.1]": 1, "d.example": 0} {
			n.dialed = nil
			r := (&Prober{Exchange: p.Exchange, Dial: n.dial, Options: p.Options}).Probe(t.Context(), target)
			if len(n.dialed) != connections {
				t.Errorf("%s: %d connections, want %d: %s", target, len(n.dialed), connections, summary(r))
			}
		}
	})
}

// A DNS that is silent about reverse names, or about where these lead, costs half a minute, however many addresses there are.
func TestSilenceAboutReverseNames(t *testing.T) {
	for _, silent := range []uint16{dns.TypePTR, dns.TypeA} {
		synctest.Test(t, func(t *testing.T) {
			var text strings.Builder
			for i := range 40 {
				fmt.Fprintf(&text, "d.example. MX %d mx%d.example.\nmx%d.example. A 11.0.0.%d\n", i, i%10, i%10, i)
				for name := range 5 {
					fmt.Fprintf(&text, "%d.0.0.11.in-addr.arpa. PTR back%d.example.\n", i, name)
				}
			}
			answers := zone(t, text.String())
			p := &Prober{Dial: (&network{}).dial, Options: Options{Selection: Selection{AllAddresses: true}}}
			p.Exchange = func(ctx context.Context, q *dns.Msg) (*dns.Msg, string, error) {
				if asked := q.Question[0]; asked.Qtype == silent && !strings.HasPrefix(asked.Name, "mx") {
					<-ctx.Done()
					return nil, "", ctx.Err()
				}
				return answers(ctx, q)
			}
			began, unknown := time.Now(), 0
			for _, f := range p.Probe(t.Context(), "d.example").Findings {
				if f.Code == "fcrdns" && f.Severity == SeverityUnknown {
					unknown++
				}
			}
			if took := time.Since(began); took > 45*time.Second || unknown != 40 {
				t.Errorf("silence about %s: it took %v and left %d names unknown, want half a minute and 40", dns.TypeToString[silent], took, unknown)
			}
		})
	}
}
