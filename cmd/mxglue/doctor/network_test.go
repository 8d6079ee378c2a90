package doctor

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/miekg/dns"
)

// exchangers are what their greetings say, by address; "" refuses the connection. dials counts.
type exchangers struct {
	greetings map[string]string
	mu        sync.Mutex
	dials     []string
}

func (e *exchangers) dial(_ context.Context, _, address string) (net.Conn, error) {
	e.mu.Lock()
	e.dials = append(e.dials, address)
	e.mu.Unlock()
	greeting := e.greetings[address]
	if greeting == "" {
		return nil, &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}
	}
	ours, theirs := net.Pipe()
	go func() {
		defer theirs.Close()
		fmt.Fprint(theirs, greeting+"\r\n")
		for lines := bufio.NewScanner(theirs); lines.Scan(); {
			fmt.Fprint(theirs, "250 fine\r\n")
		}
	}()
	return pipe{ours}, nil
}

// pipe has an address, from which the HELO name is made.
type pipe struct{ net.Conn }

func (pipe) LocalAddr() net.Addr { return &net.TCPAddr{IP: net.IPv4(203, 0, 113, 9), Port: 4321} }

// mailNames are two domains; the better exchanger of the first has two addresses.
var mailNames = map[string][]string{
	"a.example. MX": {"20 mx2.a.example.", "10 mx1.a.example."}, "b.example. MX": {"10 mx.b.example."},
	"mx1.a.example. A": {"9.0.0.1", "9.0.0.2"}, "mx2.a.example. A": {"9.0.0.3"}, "mx.b.example. A": {"9.0.0.4"},
	"mx1.a.example. AAAA": {"2620::1"},
}

func egress(v4, v6 string) func(string) (netip.Addr, error) {
	return func(network string) (netip.Addr, error) {
		text := map[string]string{"ip4": v4, "ip6": v6}[network]
		if text == "" {
			return netip.Addr{}, errNoWay
		}
		return netip.ParseAddr(text)
	}
}

func TestPort25(t *testing.T) {
	for name, c := range map[string]struct {
		network, check string
		greetings      map[string]string
		status         Status
		words          []string
		dials          int
	}{
		"open":     {"ip4", "port25-ipv4", map[string]string{"9.0.0.1:25": "220 mx1.a.example", "9.0.0.4:25": "220 mx.b.example"}, OK, []string{"a.example, b.example"}, 2},
		"half":     {"ip4", "port25-ipv4", map[string]string{"9.0.0.4:25": "220 mx.b.example"}, OK, []string{"b.example"}, 2},
		"closed":   {"ip4", "port25-ipv4", nil, Fail, []string{"a.example [9.0.0.1]: refused", "provider"}, 2},
		"unloved":  {"ip4", "port25-ipv4", map[string]string{"9.0.0.4:25": "554 5.7.1 you are on bl.example"}, Warn, []string{"554", "bl.example"}, 2},
		"IPv6":     {"ip6", "port25-ipv6", map[string]string{"[2620::1]:25": "220 mx1.a.example"}, OK, []string{"IPv6", "a.example"}, 1},
		"no trial": {"ip6", "port25-ipv6", nil, Fail, []string{"2620::1"}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDoctor(t, nil)
			d.System.Egress = egress("203.0.113.9", "2001:db8::9")
			d.Exchange = names(mailNames, 0)
			d.Trials.Domains, d.Trials.Probe.First = []string{"a.example", "b.example"}, true
			e := &exchangers{greetings: c.greetings}
			d.System.Dial = e.dial
			want(t, only(t, d.checkPort25(t.Context(), c.network), c.check), c.status, c.words...)
			if len(e.dials) != c.dials { // a polite guest knocks once
				t.Errorf("connections to %v, want %d", e.dials, c.dials)
			}
		})
	}
}

// Where the DNS is dead there is nothing wrong with the test domains.
func TestPort25WithoutDNS(t *testing.T) {
	d := newDoctor(t, nil)
	d.System.Egress = egress("203.0.113.9", "")
	d.Exchange = names(nil, dns.RcodeServerFailure)
	d.Trials.Domains = []string{"a.example", "b.example"}
	want(t, only(t, d.checkPort25(t.Context(), "ip4"), "port25-ipv4"), Warn, "could not find out", "a.example, b.example", "when upstream above is ok")
}

func TestPort25WithoutWay(t *testing.T) {
	d := newDoctor(t, nil)
	want(t, only(t, d.checkPort25(t.Context(), "ip4"), "port25-ipv4"), Warn, "could not find out", "no network")
	d.System.Egress = egress("203.0.113.9", "")
	want(t, only(t, d.checkPort25(t.Context(), "ip6"), "port25-ipv6"), OK, "IPv4 alone")
	d.System.Egress = egress("", "2001:db8::9")
	want(t, only(t, d.checkPort25(t.Context(), "ip4"), "port25-ipv4"), Warn, "no way leads out over IPv4")
}

func TestOwnName(t *testing.T) {
	const v4, back = "mail.example.com. A", "9.113.0.203.in-addr.arpa. PTR"
	for name, c := range map[string]struct {
		hostname, egress string
		names            map[string][]string
		helo, reverse    Status // "": not looked at
		words            string
	}{
		"well":           {"mail.example.com", "203.0.113.9", map[string][]string{v4: {"203.0.113.9"}, back: {"mail.example.com."}}, OK, OK, ""},
		"short":          {"mail", "203.0.113.9", nil, Fail, "", "fully qualified"},
		"no address":     {"mail.example.com", "203.0.113.9", nil, Fail, "", "has no address"},
		"another":        {"mail.example.com", "203.0.113.9", map[string][]string{v4: {"203.0.113.8"}, back: {"mail.example.com."}}, Warn, Fail, "does not lead back"},
		"no PTR":         {"mail.example.com", "203.0.113.9", map[string][]string{v4: {"203.0.113.9"}}, OK, Fail, "has no name (PTR)"},
		"a generic name": {"mail.example.com", "203.0.113.9", map[string][]string{v4: {"203.0.113.9"}, back: {"host9.isp.example."}, "host9.isp.example. A": {"203.0.113.9"}}, OK, OK, "host9.isp.example"},
		"no way out":     {"mail.example.com", "", map[string][]string{v4: {"203.0.113.9"}, back: {"mail.example.com."}}, OK, OK, "cannot see"},
		"NAT":            {"mail.example.com", "10.0.0.5", map[string][]string{v4: {"203.0.113.9"}, back: {"mail.example.com."}}, OK, OK, "behind NAT"},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDoctor(t, nil)
			d.System.Hostname = func() (string, error) { return c.hostname, nil }
			d.System.Egress = egress(c.egress, "")
			d.Exchange = names(c.names, 0)
			findings := d.checkOwnName(t.Context(), postfix{})
			want(t, only(t, findings, "helo"), c.helo)
			if c.reverse != "" {
				want(t, only(t, findings, "reverse"), c.reverse)
			}
			var all strings.Builder
			for _, f := range findings {
				Write(&all, f, false)
			}
			if !strings.Contains(all.String(), c.words) {
				t.Errorf("no %q in\n%s", c.words, &all)
			}
		})
	}
}

// The mail server's own word counts for more than the machine's name and routes.
func TestOwnNameOfPostfix(t *testing.T) {
	d := newDoctor(t, nil)
	d.System.Egress = egress("203.0.113.9", "")
	d.Exchange = names(map[string][]string{"out.example.com. A": {"203.0.113.10"}, "10.113.0.203.in-addr.arpa. PTR": {"out.example.com."}}, 0)
	postconf(d, "n", "smtp_helo_name = out.example.com\nsmtp_bind_address = 203.0.113.10\n")
	findings := d.checkOwnName(t.Context(), d.postfix(t.Context()))
	want(t, only(t, findings, "helo"), OK, "out.example.com", "203.0.113.10")
	want(t, only(t, findings, "reverse"), OK)

	d.Exchange = names(nil, dns.RcodeServerFailure)
	want(t, only(t, d.checkOwnName(t.Context(), d.postfix(t.Context())), "helo"), Warn, "could not find out")
}
