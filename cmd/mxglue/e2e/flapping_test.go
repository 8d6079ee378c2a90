//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// A mood is how a flapping upstream answers for a while.
type mood int32

const (
	isWell       mood = iota
	isSlow            // a third of a second late
	isSilent          // not at all
	isFailing         // SERVFAIL
	isForged          // three forgeries in front of the response
	isTruncating      // nothing over UDP but TC; over TCP well
	isResetting       // the same, and RST over TCP
	moods
)

// A flapping upstream changes its mood, and knows every name.
type flapping struct{ mood atomic.Int32 }

// startFlapping listens on address, UDP and TCP, until the test ends.
func startFlapping(t *testing.T, address string) *flapping {
	t.Helper()
	f := &flapping{}
	packets, listener := listenBoth(t, address)
	serveDNS(t, packets, rudeListener{listener}, f)
	return f
}

// flap changes the moods of two upstreams such that every pair of moods has its turn in that time, and leaves them well.
func flap(ctx context.Context, first, second *flapping, within time.Duration) {
	tick := time.NewTicker(within / time.Duration(moods*moods))
	defer tick.Stop()
	for n := range int32(moods * moods) {
		first.mood.Store(n / int32(moods))
		second.mood.Store(n % int32(moods))
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
	}
	first.mood.Store(int32(isWell))
	second.mood.Store(int32(isWell))
}

// ServeDNS answers as the mood is. The server calls it in a goroutine per query.
func (f *flapping) ServeDNS(w dns.ResponseWriter, q *dns.Msg) {
	response := knowAll(q)
	overUDP := w.RemoteAddr().Network() == "udp"
	switch m := mood(f.mood.Load()); m {
	case isSlow:
		time.Sleep(time.Second / 3) // this is the distance
	case isSilent:
		return
	case isFailing:
		response = new(dns.Msg).SetRcode(q, dns.RcodeServerFailure)
	case isForged:
		for range 3 {
			forged := response.Copy()
			forged.Id = dns.Id()
			_ = w.WriteMsg(forged)
		}
	case isTruncating, isResetting:
		if overUDP {
			response = new(dns.Msg).SetReply(q)
			response.Truncated = true
		} else if m == isResetting {
			_ = w.Close()
			return
		}
	}
	_ = w.WriteMsg(response) // the client may have given up
}

// knowAll answers any question: below none.example nothing exists, below mail.example every name has three exchangers, and
// every name has an address.
func knowAll(q *dns.Msg) *dns.Msg {
	r := new(dns.Msg).SetReply(q)
	r.RecursionAvailable = true
	name, qtype := q.Question[0].Name, q.Question[0].Qtype
	h := dns.RR_Header{Name: name, Rrtype: qtype, Class: dns.ClassINET, Ttl: 600}
	soa := &dns.SOA{Hdr: dns.RR_Header{Name: "example.", Rrtype: dns.TypeSOA, Class: dns.ClassINET, Ttl: 600}, Ns: "ns.example.",
		Mbox: "hostmaster.example.", Serial: 1, Refresh: 3600, Retry: 600, Expire: 86400, Minttl: 600}
	switch {
	case strings.HasSuffix(strings.ToLower(name), ".none.example."):
		r.Rcode, r.Ns = dns.RcodeNameError, []dns.RR{soa}
	case qtype == dns.TypeMX:
		for i := range 3 {
			r.Answer = append(r.Answer, &dns.MX{Hdr: h, Preference: uint16(10 * i), Mx: exchangerOf(name, i)})
		}
	case qtype == dns.TypeA:
		r.Answer = []dns.RR{&dns.A{Hdr: h, A: net.IPv4(10, 77, 0, 11)}}
	default:
		r.Ns = []dns.RR{soa}
	}
	return r
}

func exchangerOf(domain string, i int) string { return fmt.Sprintf("mx%d.%s", i, domain) }

// A rudeListener's connections end with RST whenever they are closed.
type rudeListener struct{ net.Listener }

func (l rudeListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err == nil {
		err = conn.(*net.TCPConn).SetLinger(0)
	}
	return conn, err
}
