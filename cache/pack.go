package cache

import (
	"errors"
	"strings"

	"github.com/miekg/dns"
)

// errTooLong is what a response is called that cannot be packed into one message.
var errTooLong = errors.New("does not fit in 65535 octets")

// pack makes the two forms of m: full for clients with DO, and plain for those without, nil if it would be the same. OPT and TSIG
// belong to the hop they came over and are left out. negative says that the chain ends without data, so that the authority
// section is part of what was asked for; for clients with DO it is that, too, where it proves a wildcard.
//
// m is changed: the question and the owners equal to it are brought to lower case, so that they compress to the question, and
// every client reads its own spelling back.
func pack(m *dns.Msg, negative bool) (full form, plain *form, err error) {
	qname := strings.ToLower(m.Question[0].Name)
	m.Question[0].Name = qname
	stripped := &dns.Msg{MsgHdr: m.MsgHdr, Question: m.Question}
	qtype := m.Question[0].Qtype
	asked := func(t uint16) bool { return !isDNSSEC(t) || t == qtype || qtype == dns.TypeANY }
	for _, s := range []struct{ from, to *[]dns.RR }{
		{&m.Answer, &stripped.Answer}, {&m.Ns, &stripped.Ns}, {&m.Extra, &stripped.Extra},
	} {
		*s.from = keep(*s.from, func(t uint16) bool { return t != dns.TypeOPT && t != dns.TypeTSIG })
		for _, rr := range *s.from {
			if strings.EqualFold(rr.Header().Name, qname) {
				rr.Header().Name = qname
			}
		}
		*s.to = keep(*s.from, asked)
	}
	if full, err = packForm(m, negative || proves(m)); err != nil || count(stripped) == count(m) {
		return full, nil, err
	}
	without, err := packForm(stripped, negative)
	return full, &without, err
}

// isDNSSEC names the types that only clients with DO get, unless they ask for them (RFC 4035 §3.2.1).
func isDNSSEC(t uint16) bool { return t == dns.TypeRRSIG || t == dns.TypeNSEC || t == dns.TypeNSEC3 }

func count(m *dns.Msg) int { return len(m.Answer) + len(m.Ns) + len(m.Extra) }

// keep returns the records whose type f wants, in a slice of their own.
func keep(rrs []dns.RR, f func(uint16) bool) []dns.RR {
	var out []dns.RR
	for _, rr := range rrs {
		if f(rr.Header().Rrtype) {
			out = append(out, rr)
		}
	}
	return out
}
