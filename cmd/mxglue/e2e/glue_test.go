//go:build e2e

package e2e

import (
	"context"
	"encoding/hex"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// frame4 is the DNS message of the captured MX response, to the byte: 2 MX, 2 NS, and the A records of all three hosts. The
// resolver that sent it was a recursive one: flags 8180, not authoritative.
const frame4 = "ea25818000010002000200030a656e70726f76656e636503636f6d00000f0001" +
	"c00c000f000100013c9000130000046d61696c066d6f6e61636f036e657400c0" +
	"0c000f000100013c900009000104646e7332c033c00c000200010000ce3e0007" +
	"04444e5331c033c00c000200010000ce3e0002c04dc02e0001000100001a2d00" +
	"04c24f9609c04d000100010000b9730004c24f9602c060000100010000c72e00" +
	"04c24f9609"

// The capture, played again through the built binary: the two futile questions cost the upstream nothing.
func TestGlue(t *testing.T) {
	u := startUpstream(t, upstreamAddress, 0, capturedResolver(t))
	serve(t)

	for _, network := range []string{"udp", "tcp"} {
		r := ask(t, network, "127.0.0.1", "enprovence.com.", dns.TypeMX)
		if len(r.Answer) != 2 || len(r.Ns) != 2 || len(r.Extra) != 3 {
			t.Errorf("%s: %d answer, %d authority, %d additional records; want 2, 2, 3 as captured:\n%v",
				network, len(r.Answer), len(r.Ns), len(r.Extra), r)
		}
		mentions(t, "the authority section", r.String(), "DNS1.") // spelled as it came
		if r.Authoritative || !r.RecursionAvailable {
			t.Errorf("%s: AA=%t RA=%t, want AA=0 RA=1", network, r.Authoritative, r.RecursionAvailable)
		}
		for name, address := range map[string]string{"mail.monaco.net.": "194.79.150.9", "dns2.monaco.net.": "194.79.150.2"} {
			r := ask(t, network, "127.0.0.1", name, dns.TypeA)
			if len(r.Answer) != 1 || !strings.HasSuffix(r.Answer[0].String(), "A\t"+address) {
				t.Errorf("%s: %s A: want %s:\n%v", network, name, address, r)
				continue
			}
			if ttl := r.Answer[0].Header().Ttl; ttl == 0 || ttl > 300 {
				t.Errorf("%s: %s A: TTL %d, want 1 to 300", network, name, ttl)
			}
		}
	}
	if a := u.queries(dns.TypeA); len(a) > 0 {
		t.Errorf("the upstream was asked again for what it had sent:\n%s", transcript(a))
	}
	if mx := u.queries(dns.TypeMX); len(mx) != 1 {
		t.Errorf("the MX question cost %d upstream queries, want 1:\n%s", len(mx), transcript(mx))
	}
	s := readStats(t)
	if s.Cache.GlueHits != 4 || s.Saved.Queries != 2 { // what is asked again any cache would have
		t.Errorf("/stats: glue_hits %d, saved.queries %d; want 4, 2", s.Cache.GlueHits, s.Saved.Queries)
	}
	if s.Server.UDPQueries != 3 || s.Server.TCPQueries != 3 {
		t.Errorf("/stats: %d UDP and %d TCP queries, want 3 and 3", s.Server.UDPQueries, s.Server.TCPQueries)
	}

	// Another client was sent nothing yet: it gets what the upstream says, not what the first client's message said.
	ask(t, "udp", "127.0.0.2", "mail.monaco.net.", dns.TypeA)
	if a := u.queries(dns.TypeA); len(a) != 1 {
		t.Errorf("%d A queries upstream for a client that never saw the MX answer, want 1", len(a))
	}
}

// In mode verify glue answers nobody: the addresses are asked for, together with the MX answer.
func TestGlueVerify(t *testing.T) {
	u := startUpstream(t, upstreamAddress, 0, capturedResolver(t))
	serve(t, "MXGLUE_CACHE_GLUE=verify")
	ask(t, "udp", "127.0.0.1", "enprovence.com.", dns.TypeMX)
	ask(t, "udp", "127.0.0.1", "mail.monaco.net.", dns.TypeA)
	ask(t, "udp", "127.0.0.1", "dns2.monaco.net.", dns.TypeA)
	if a := u.queries(dns.TypeA); len(a) != 2 || len(repeated(a)) > 0 {
		t.Errorf("want each address asked for once:\n%s", transcript(u.queries()))
	}
	if s := readStats(t); s.Cache.GlueHits != 0 {
		t.Errorf("/stats: glue_hits %d in mode verify", s.Cache.GlueHits)
	}
}

// capturedResolver answers the MX question with frame 4 and knows the same addresses; all else is NODATA.
func capturedResolver(t *testing.T) func(*dns.Msg, string) []byte {
	t.Helper()
	captured, err := hex.DecodeString(frame4)
	if err != nil {
		t.Fatal(err)
	}
	records := map[string]string{"mail.monaco.net.": "194.79.150.9", "dns2.monaco.net.": "194.79.150.2", "dns1.monaco.net.": "194.79.150.9"}
	return func(q *dns.Msg, _ string) []byte {
		name := strings.ToLower(q.Question[0].Name)
		if name == "enprovence.com." && q.Question[0].Qtype == dns.TypeMX {
			response := append([]byte{byte(q.Id >> 8), byte(q.Id)}, captured[2:]...)
			return response
		}
		r := new(dns.Msg).SetReply(q)
		r.RecursionAvailable = true
		if address, ok := records[name]; ok && q.Question[0].Qtype == dns.TypeA {
			r.Answer = []dns.RR{&dns.A{Hdr: dns.RR_Header{Name: q.Question[0].Name, Rrtype: dns.TypeA, Class: dns.ClassINET, Ttl: 600},
				A: net.ParseIP(address)}}
		} else {
			r.Ns = []dns.RR{&dns.SOA{Hdr: dns.RR_Header{Name: "monaco.net.", Rrtype: dns.TypeSOA, Class: dns.ClassINET, Ttl: 600},
				Ns: "dns1.monaco.net.", Mbox: "hostmaster.monaco.net.", Serial: 1, Refresh: 3600, Retry: 600, Expire: 86400, Minttl: 600}}
		}
		packed, err := r.Pack()
		if err != nil {
			return nil
		}
		return packed
	}
}

// ask asks mxglue one question from the given source address and wants NOERROR.
func ask(t *testing.T, network, from, name string, qtype uint16) *dns.Msg {
	t.Helper()
	dialer := net.Dialer{LocalAddr: &net.UDPAddr{IP: net.ParseIP(from)}}
	if network == "tcp" {
		dialer.LocalAddr = &net.TCPAddr{IP: net.ParseIP(from)}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 6*time.Second)
	defer cancel()
	conn, err := dialer.DialContext(ctx, network, dnsAddress)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	client := dns.Client{Net: network, Timeout: 6 * time.Second}
	r, _, err := client.ExchangeWithConnContext(ctx, new(dns.Msg).SetQuestion(name, qtype), &dns.Conn{Conn: conn})
	if err != nil {
		t.Fatalf("%s %s %s: %v", network, name, dns.TypeToString[qtype], err)
	}
	if r.Rcode != dns.RcodeSuccess {
		t.Fatalf("%s %s %s: %s", network, name, dns.TypeToString[qtype], dns.RcodeToString[r.Rcode])
	}
	return r
}
