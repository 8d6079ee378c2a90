package doctor

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/miekg/dns"

	"github.com/mxglue/mxglue/resolver/upstream"
)

// askPatience is how long an upstream has for one question: more than mxglue has for it, so that slow is told from silent.
const askPatience = 5 * time.Second

// ask puts one question to an upstream and returns the response, whatever its RCODE, and how long it took.
func ask(ctx context.Context, u *upstream.Upstream, name string, qtype uint16, cd bool) (*upstream.Response, time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, askPatience)
	defer cancel()
	began := time.Now()
	r, err := u.Exchange(ctx, dns.Question{Name: dns.Fqdn(name), Qtype: qtype, Qclass: dns.ClassINET}, cd)
	return r, time.Since(began), err
}

// checkUpstream asks one upstream directly. One that does not answer is not asked the rest.
func (d *Doctor) checkUpstream(ctx context.Context, u *upstream.Upstream) []Finding {
	reached := d.checkReach(ctx, u)
	if reached.Status == Fail || strings.HasPrefix(reached.Text, "could not") {
		return []Finding{reached}
	}
	findings := []Finding{reached, d.checkLarge(ctx, u)}
	if address, plain := strings.CutPrefix(u.String(), "udp://"); plain {
		findings = append(findings, d.checkCase(ctx, address))
	}
	findings = append(findings, d.checkDNSSEC(ctx, u)...)
	return append(findings, d.checkAdditional(ctx, u), d.checkNXDOMAIN(ctx, u))
}

// checkReach looks at whether it answers by its transports; an upstream over UDP is needed over TCP too (RFC 7766 §5).
func (d *Doctor) checkReach(ctx context.Context, u *upstream.Upstream) Finding {
	const check = "upstream"
	r, took, err := ask(ctx, u, ".", dns.TypeNS, false)
	if err != nil {
		return d.judgeSilence(u, err)
	}
	if !upstream.Usable(r.Msg) {
		return fail(check, "let it answer this machine (Unbound: access-control), or set resolver.upstreams",
			"%s answers %s instead of looking things up", u, rcode(r.Msg))
	}
	address, plain := strings.CutPrefix(u.String(), "udp://")
	if !plain {
		return ok(check, "%s answers in %s", u, brief(took))
	}
	tcp, err := upstream.New("tcp://" + address)
	if err != nil {
		return unknown(check, "", "%v", err)
	}
	defer tcp.Close()
	_, tookTCP, err := ask(ctx, tcp, ".", dns.TypeNS, false)
	switch {
	case err != nil:
		return warn(check, "let TCP port "+port(address)+" to "+host(address)+" pass", "%s answers over UDP in %s, but not over TCP (%v): what is too long is lost", u, brief(took), cause(err))
	case !r.UDP:
		return warn(check, "let UDP port "+port(address)+" to "+host(address)+" pass, or write tcp://"+address, "%s answers over TCP alone: every question waits a second for UDP first", u)
	}
	return ok(check, "%s answers over UDP in %s and over TCP in %s", u, brief(took), brief(tookTCP))
}

// judgeSilence tells whose fault it is that an upstream does not answer.
func (d *Doctor) judgeSilence(u *upstream.Upstream, err error) Finding {
	const check = "upstream"
	advice := "set resolver.upstreams in config.yaml to resolvers that answer"
	switch {
	case u.Loopback():
		advice = "start the resolver on this machine, or name another one in resolver.upstreams"
	case d.offline() && !errors.Is(err, syscall.ECONNREFUSED):
		return unknown(check, "connect this machine to a network", "%s: there is no network", u)
	}
	return fail(check, advice, "%s does not answer: %v", u, cause(err))
}

// checkLarge asks for more than 1232 octets, the EDNS size that mxglue offers (RFC 6891 §6.2.5): the response has to be
// truncated, and fetched over TCP, or to come over a transport that has room.
func (d *Doctor) checkLarge(ctx context.Context, u *upstream.Upstream) Finding {
	const check, offered = "large", 1232
	r, took, err := ask(ctx, u, d.Trials.Large, dns.TypeTXT, false)
	switch {
	case err != nil:
		return warn(check, "let large responses pass: UDP fragments, and TCP port 53", "%s: the large answer for %s does not arrive: %v", u, d.Trials.Large, cause(err))
	case r.Msg.Rcode != dns.RcodeSuccess:
		return unknown(check, "name another one with --large", "%s says %s of %s", u, rcode(r.Msg), d.Trials.Large)
	case r.Msg.IsEdns0() == nil:
		return warn(check, "update that resolver, or what stands before it", "%s answers without EDNS (RFC 6891): no DNSSEC, and all above 512 octets goes over TCP", u)
	case r.Size <= offered:
		return unknown(check, "name a domain with more TXT records with --large", "%s: the answer for %s has %d octets, not more than %d", u, d.Trials.Large, r.Size, offered)
	case r.UDP:
		return warn(check, "set max-udp-size: 1232 in that resolver", "%s sends %d octets over UDP, though no more than %d were asked for: fragments get lost", u, r.Size, offered)
	}
	return ok(check, "%s sends %d octets whole, in %s", u, r.Size, brief(took))
}

// checkCase looks at whether the question comes back as it was spelled (draft-vixie-dnsext-dns0x20).
func (d *Doctor) checkCase(ctx context.Context, address string) Finding {
	const check = "case"
	u, err := upstream.New("udp://" + address)
	if err != nil {
		return unknown(check, "", "%v", err)
	}
	defer u.Close()
	u.Case0x20 = true
	_, _, err = ask(ctx, u, randomName("org"), dns.TypeA, false)
	kept := u.Stats().Mismatched == 0
	switch {
	case err != nil:
		return unknown(check, "", "%s: %v", u, cause(err))
	case kept && d.Case0x20:
		return ok(check, "%s returns questions as they were spelled, as resolver.case_0x20 needs it", u)
	case kept:
		return ok(check, "%s returns questions as they were spelled: resolver.case_0x20 may be true", u)
	case d.Case0x20:
		return warn(check, "set resolver.case_0x20 to false", "%s changes the spelling of questions: with resolver.case_0x20 every one goes over TCP", u)
	}
	return ok(check, "%s changes the spelling of questions: leave resolver.case_0x20 false", u)
}

// cause is an error without the upstream's name, which stands before it anyway.
func cause(err error) error {
	for _, known := range []error{context.DeadlineExceeded, context.Canceled} {
		if errors.Is(err, known) {
			return errors.New("no answer in time")
		}
	}
	if op := (*net.OpError)(nil); errors.As(err, &op) {
		if op.Timeout() {
			return errors.New("no answer in time")
		}
		return op.Err
	}
	if strings.HasPrefix(err.Error(), "upstream ") && errors.Unwrap(err) != nil {
		return errors.Unwrap(err)
	}
	return err
}

func rcode(m *dns.Msg) string {
	if name, known := dns.RcodeToString[m.Rcode]; known {
		return name
	}
	return fmt.Sprintf("RCODE %d", m.Rcode)
}

// has tells whether the answer section has a record of a type.
func has(m *dns.Msg, qtype uint16) bool {
	return slices.ContainsFunc(m.Answer, func(rr dns.RR) bool { return rr.Header().Rrtype == qtype })
}

func host(address string) string { h, _, _ := net.SplitHostPort(address); return h }
func port(address string) string { _, p, _ := net.SplitHostPort(address); return p }

// join lists things for a sentence.
func join[T fmt.Stringer](list []T) string {
	texts := make([]string, len(list))
	for i, x := range list {
		texts[i] = x.String()
	}
	return strings.Join(texts, ", ")
}
