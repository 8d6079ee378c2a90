package resolver

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/miekg/dns"

	"github.com/mxglue/mxglue/cache/wire"
	"github.com/mxglue/mxglue/resolver/upstream"
)

// ExchangeFresh is [Resolver.Exchange] past the cache: it asks upstream, whatever is remembered, and remembers nothing of
// the response, so that the two can be held against each other. source is always "upstream". It joins no question in
// flight, whose response may be older than this query. Records that are configured answer here too: upstream is never
// asked about their names. Errors: the context's, or a message that is no question of class IN.
func (r *Resolver) ExchangeFresh(ctx context.Context, m *dns.Msg) (reply *dns.Msg, source string, err error) {
	if len(m.Question) != 1 || m.Question[0].Qclass != dns.ClassINET {
		return nil, "", errors.New("not a query that a client could ask: want one question of class IN")
	}
	q := m.Question[0]
	if _, ok := dns.IsDomainName(q.Name); !ok {
		return nil, "", fmt.Errorf("%.300q is no domain name", q.Name)
	}
	s := r.settings.Load()
	response, why := s.Records.answer(q), []byte(nil)
	if response == nil {
		ctx, cancel := context.WithTimeout(ctx, s.Budget)
		defer cancel()
		rt := s.routeOf(q.Name)
		var settled *upstream.Response
		var by *member
		if settled, by, why = r.forward(ctx, rt, q, m.CheckingDisabled, nil); settled != nil {
			response = settled.Msg
			r.distrust(rt, by, response)
		}
	}
	if err := ctx.Err(); err != nil && response == nil { // the caller's: the budget's end is a SERVFAIL
		return nil, "", err
	}
	if response == nil {
		return failure(m, why), "upstream", nil
	}
	return shape(m, response), "upstream", nil
}

// failure makes a SERVFAIL to m, with the packed EDNS options that say why (RFC 8914).
func failure(m *dns.Msg, why []byte) *dns.Msg {
	reply := new(dns.Msg).SetRcode(m, dns.RcodeServerFailure)
	reply.RecursionAvailable = true
	if opt := m.IsEdns0(); opt != nil {
		if rr, _, err := dns.UnpackRR(wire.AppendOPT(nil, &wire.Query{DO: opt.Do()}, 0, why), 0); err == nil {
			reply.Extra = append(reply.Extra, rr)
		}
	}
	return reply
}

// shape makes a reply to m of a response. Upstream is asked with DO: what m did not ask for is left out, as it is from the
// cache's replies (RFC 4035 §3.2.1, RFC 6840 §5.7).
func shape(m, response *dns.Msg) *dns.Msg {
	reply := new(dns.Msg)
	reply.SetReply(m)
	reply.RecursionAvailable = true
	opt := m.IsEdns0()
	do := opt != nil && opt.Do()
	if opt != nil {
		reply.SetEdns0(dns.DefaultMsgSize, do)
	}
	reply.Rcode = response.Rcode
	reply.AuthenticatedData = response.AuthenticatedData && (do || m.AuthenticatedData)
	reply.Answer, reply.Ns = response.Answer, response.Ns
	if !do {
		reply.Answer, reply.Ns = unsigned(m, response.Answer), unsigned(m, response.Ns)
	}
	return reply
}

// unsigned are the records without those of DNSSEC, but for such as were asked for themselves.
func unsigned(m *dns.Msg, rrs []dns.RR) []dns.RR {
	return slices.DeleteFunc(slices.Clone(rrs), func(rr dns.RR) bool {
		switch t := rr.Header().Rrtype; t {
		case dns.TypeRRSIG, dns.TypeNSEC, dns.TypeNSEC3:
			return t != m.Question[0].Qtype
		}
		return false
	})
}
