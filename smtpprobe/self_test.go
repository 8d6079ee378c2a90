package smtpprobe

import (
	"context"
	"net"
	"strings"
	"testing"
	"testing/synctest"
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
