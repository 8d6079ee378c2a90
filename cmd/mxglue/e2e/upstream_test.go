//go:build e2e

package e2e

import (
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// An upstream is a resolver one round trip away that remembers what it was asked.
type upstream struct {
	answer func(q *dns.Msg, network string) []byte // the packed response; nil stays silent
	delay  time.Duration                           // the round trip

	mu    sync.Mutex
	asked []asked
}

// asked is one query as it reached the upstream.
type asked struct {
	at      time.Time
	network string // udp or tcp
	name    string // as spelled
	qtype   uint16
	rd      bool
	ad, cd  bool
	edns    *dns.OPT // nil without EDNS
}

// startUpstream listens on address, UDP and TCP, until the test ends.
func startUpstream(t *testing.T, address string, delay time.Duration, answer func(*dns.Msg, string) []byte) *upstream {
	t.Helper()
	u := &upstream{answer: answer, delay: delay}
	packets, listener := listenBoth(t, address)
	serveDNS(t, packets, listener, u)
	return u
}

// listenBoth opens the UDP and the TCP socket of an address.
func listenBoth(t *testing.T, address string) (net.PacketConn, net.Listener) {
	t.Helper()
	packets, err := net.ListenPacket("udp", address)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	return packets, listener
}

// serveDNS lets a handler answer on both sockets until the test ends.
func serveDNS(t *testing.T, packets net.PacketConn, listener net.Listener, handler dns.Handler) {
	t.Helper()
	for _, s := range []*dns.Server{{PacketConn: packets}, {Listener: listener}} {
		up := make(chan struct{})
		s.Handler, s.NotifyStartedFunc = handler, func() { close(up) }
		ended := make(chan error, 1)
		go func() { ended <- s.ActivateAndServe() }()
		select {
		case <-up: // Shutdown of a server that is not up yet would do nothing
		case err := <-ended:
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := s.Shutdown(); err != nil {
				t.Errorf("upstream %s: %v", packets.LocalAddr(), err)
			}
		})
	}
}

// ServeDNS notes the query and answers it one round trip later. The server calls it in a goroutine per query.
func (u *upstream) ServeDNS(w dns.ResponseWriter, q *dns.Msg) {
	question := asked{at: time.Now(), network: w.RemoteAddr().Network(), name: q.Question[0].Name, qtype: q.Question[0].Qtype,
		rd: q.RecursionDesired, ad: q.AuthenticatedData, cd: q.CheckingDisabled, edns: q.IsEdns0()}
	u.mu.Lock()
	u.asked = append(u.asked, question)
	u.mu.Unlock()
	response := u.answer(q, question.network)
	if response == nil {
		return
	}
	time.Sleep(u.delay - time.Since(question.at)) // this is the distance, not a wait for something to happen
	_, _ = w.Write(response)                      // the client may have given up
}

// relay answers what Unbound says.
func relay(q *dns.Msg, network string) []byte {
	client := dns.Client{Net: network, Timeout: 5 * time.Second, UDPSize: dns.MaxMsgSize}
	r, _, err := client.Exchange(q, unboundAddress)
	if err != nil {
		r = new(dns.Msg).SetRcode(q, dns.RcodeServerFailure)
	}
	packed, err := r.Pack()
	if err != nil {
		return nil
	}
	return packed
}

// silent never answers.
func silent(*dns.Msg, string) []byte { return nil }

// queries returns what was asked so far, oldest first, of the given types (none: of all).
func (u *upstream) queries(types ...uint16) []asked {
	u.mu.Lock()
	defer u.mu.Unlock()
	var all []asked
	for _, a := range u.asked {
		if len(types) == 0 || slices.Contains(types, a.qtype) {
			all = append(all, a)
		}
	}
	return all
}

// repeated returns the questions that were asked more than once.
func repeated(queries []asked) []string {
	count := map[string]int{}
	var again []string
	for _, q := range queries {
		question := strings.ToLower(q.name) + " " + dns.TypeToString[q.qtype]
		if count[question]++; count[question] == 2 {
			again = append(again, question)
		}
	}
	return again
}

// span is the time between the first and the last query.
func span(queries []asked) time.Duration {
	if len(queries) == 0 {
		return 0
	}
	return queries[len(queries)-1].at.Sub(queries[0].at)
}

// transcript lists queries one a line, with the time since the first.
func transcript(queries []asked) string {
	var b strings.Builder
	for _, q := range queries {
		edns := "no EDNS"
		if q.edns != nil {
			edns = fmt.Sprintf("EDNS %d DO=%t", q.edns.UDPSize(), q.edns.Do())
		}
		fmt.Fprintf(&b, "%6d ms  %s %-5s %-22s RD=%t AD=%t CD=%t %s\n", q.at.Sub(queries[0].at).Milliseconds(), q.network,
			dns.TypeToString[q.qtype], q.name, q.rd, q.ad, q.cd, edns)
	}
	return b.String()
}
