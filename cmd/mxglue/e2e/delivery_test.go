//go:build e2e

package e2e

import (
	"testing"
	"time"

	"github.com/miekg/dns"
)

// roundTrip is the distance of the upstream: far longer than anything that happens on this machine, so that a wait too
// many cannot hide in its noise.
const roundTrip = 300 * time.Millisecond

// Without mxglue Postfix waits one round trip for the MX and one for every address of every exchanger, one after the other:
// this is what mxglue is there to save, and it proves that the other tests would see it.
func TestPostfixAlone(t *testing.T) {
	startUnbound(t)
	mx1, _, _ := startSinks(t)
	u := startUpstream(t, "127.0.0.1:53", roundTrip, relay)
	p := startPostfix(t)

	d := p.send(t, "alone@three.example", "no mxglue")
	if d.status != "sent" || !mx1.has(t, "no mxglue") {
		t.Errorf("the mail did not reach mx1: %s", d.line)
	}
	t.Logf("Postfix waited %v and asked:\n%s", d.connect, transcript(u.queries()))
	addresses := u.queries(dns.TypeA, dns.TypeAAAA)
	if len(addresses) != 6 {
		t.Errorf("Postfix asked %d address questions, want A and AAAA of three exchangers", len(addresses))
	}
	if want := 7 * roundTrip; d.connect < want {
		t.Errorf("Postfix waited %v before it talked to mx1, want %v at least", d.connect, want)
	}
}

// Postfix behind mxglue waits for the MX and once more for all the addresses together, and on its next visit for nothing.
func TestPostfix(t *testing.T) {
	startUnbound(t)
	mx1, _, _ := startSinks(t)
	u := startUpstream(t, upstreamAddress, roundTrip, relay)
	serve(t)
	p := startPostfix(t)

	first := p.send(t, "first@three.example", "first mail")
	if first.status != "sent" || !mx1.has(t, "first mail") {
		t.Errorf("the mail did not reach mx1: %s", first.line)
	}
	t.Logf("Postfix waited %v; mxglue asked:\n%s", first.connect, transcript(u.queries()))
	if limit := 4 * roundTrip; first.connect >= limit {
		t.Errorf("Postfix waited %v for a domain never seen before, want two round trips, and %v at the very most", first.connect, limit)
	}
	checkBundle(t, u)
	s := readStats(t)
	// Of the six follow-up queries the first may be faster than the bundle, and some join the bundle's question.
	if s.Cache.BundleHits == 0 || s.Saved.Queries < 4 {
		t.Errorf("/stats: bundle_hits %d, saved.queries %d: want some, and 4 to 6", s.Cache.BundleHits, s.Saved.Queries)
	}
	if least := float64(roundTrip.Milliseconds()); s.Saved.WaitMS < least {
		t.Errorf("/stats: saved.wait_ms %v, want a round trip (%v) at least", s.Saved.WaitMS, least)
	}
	if s.Server.UDPQueries < 7 {
		t.Errorf("/stats: server.udp_queries %d, want the 7 of Postfix", s.Server.UDPQueries)
	}

	before := len(u.queries())
	second := p.send(t, "second@three.example", "second mail")
	if second.status != "sent" || !mx1.has(t, "second mail") {
		t.Errorf("the second mail did not reach mx1: %s", second.line)
	}
	if second.connect >= roundTrip {
		t.Errorf("Postfix waited %v for a domain it had just asked for: that is a round trip", second.connect)
	}
	if n := len(u.queries()); n != before {
		t.Errorf("the second mail cost upstream queries:\n%s", transcript(u.queries()[before:]))
	}
}

// checkBundle asserts that the upstream was asked the MX, then all the addresses at once, and nothing twice.
func checkBundle(t *testing.T, u *upstream) {
	t.Helper()
	all, addresses := u.queries(), u.queries(dns.TypeA, dns.TypeAAAA)
	if again := repeated(all); len(again) > 0 {
		t.Errorf("asked upstream more than once: %v\n%s", again, transcript(all))
	}
	if len(addresses) != 6 {
		t.Errorf("%d address queries upstream, want A and AAAA of three exchangers:\n%s", len(addresses), transcript(all))
	}
	if s := span(addresses); s >= roundTrip {
		t.Errorf("the address queries went upstream over %v, one waiting for another:\n%s", s, transcript(all))
	}
}

// With DANE Postfix sets DO and AD, and asks for the TLSA records of the host it connects to. Whoever asks without DO finds
// the same answers in the cache.
func TestPostfixDANE(t *testing.T) {
	startUnbound(t)
	mx1, _, _ := startSinks(t)
	u := startUpstream(t, upstreamAddress, roundTrip, relayWithAD)
	serve(t)
	p := startPostfix(t, "smtp_dns_support_level = dnssec", "smtp_tls_security_level = dane")

	d := p.send(t, "dane@three.example", "with DANE")
	if d.status != "sent" || !mx1.has(t, "with DANE") {
		t.Errorf("the mail did not reach mx1: %s", d.line)
	}
	t.Logf("Postfix waited %v; mxglue asked:\n%s", d.connect, transcript(u.queries()))
	if limit := 4 * roundTrip; d.connect >= limit {
		t.Errorf("Postfix waited %v, want three round trips (MX, addresses, TLSA), and %v at the very most", d.connect, limit)
	}
	ask(t, "udp", "127.0.0.1", "three.example.", dns.TypeMX)
	ask(t, "udp", "127.0.0.1", "mx3.three.example.", dns.TypeA)
	checkBundle(t, u)
}

// An upstream that sends the addresses along with the MX answer, as resolvers did when mxglue's capture was taken: they
// answer Postfix, and no A query leaves.
func TestPostfixGlue(t *testing.T) {
	startUnbound(t)
	mx1, _, _ := startSinks(t)
	u := startUpstream(t, upstreamAddress, roundTrip, relayWithAdditional)
	serve(t, "MXGLUE_CACHE_GLUE_PRIVATE=true") // the exchangers have RFC 1918 addresses
	p := startPostfix(t)

	d := p.send(t, "glue@three.example", "with glue")
	if d.status != "sent" || !mx1.has(t, "with glue") {
		t.Errorf("the mail did not reach mx1: %s", d.line)
	}
	if a := u.queries(dns.TypeA); len(a) > 0 {
		t.Errorf("the A records came with the MX answer and were asked for again:\n%s", transcript(u.queries()))
	}
	if s := readStats(t); s.Cache.GlueHits != 3 || s.Saved.Queries < 3 {
		t.Errorf("/stats: glue_hits %d, saved.queries %d: want the three A queries of Postfix", s.Cache.GlueHits, s.Saved.Queries)
	}
}

// The best exchanger is down: the mail goes to the next one.
func TestPostfixBestExchangerDown(t *testing.T) {
	startUnbound(t)
	mx2 := startSink(t, "mx2.half.example", "10.77.0.12")
	startUpstream(t, upstreamAddress, 0, relay)
	serve(t)
	p := startPostfix(t)

	d := p.send(t, "somebody@half.example", "second choice")
	if d.status != "sent" || !mx2.has(t, "second choice") {
		t.Errorf("the mail did not reach mx2: %s", d.line)
	}
	mentions(t, "the mail log", p.log(), "connect to mx1.half.example[10.77.0.21]:25: Connection refused")
}

// Whatever is wrong with a domain, Postfix hears it as it is: it bounces what can never be delivered, and says why.
func TestPostfixBounces(t *testing.T) {
	startUnbound(t)
	startUpstream(t, upstreamAddress, 0, relay)
	serve(t)
	p := startPostfix(t)

	for recipient, why := range map[string]string{
		"nobody@missing.example": "Host not found",
		"nobody@null.example":    "does not accept mail (nullMX)",
	} {
		if d := p.send(t, recipient, "no such domain"); d.status != "bounced" {
			t.Errorf("%s: %s, want bounced", recipient, d.line)
		}
		mentions(t, "the mail log", p.log(), why)
	}
}

// relayWithAD answers what Unbound says and claims to have validated it.
func relayWithAD(q *dns.Msg, network string) []byte {
	response := relay(q, network)
	if response != nil {
		response[3] |= 0x20 // AD, RFC 4035 section 3.2.3
	}
	return response
}

// relayWithAdditional answers what Unbound says, and adds to an MX answer the A records of its hosts.
func relayWithAdditional(q *dns.Msg, network string) []byte {
	r := new(dns.Msg)
	if err := r.Unpack(relay(q, network)); err != nil {
		return nil
	}
	for _, rr := range r.Answer {
		if mx, ok := rr.(*dns.MX); ok {
			if a, err := exchange("udp", unboundAddress, mx.Mx, dns.TypeA); err == nil {
				r.Extra = append(r.Extra, a.Answer...)
			}
		}
	}
	packed, err := r.Pack()
	if err != nil {
		return nil
	}
	return packed
}
