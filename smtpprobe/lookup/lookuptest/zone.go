// Package lookuptest answers questions in tests as a recursive resolver would, from a few lines of text.
package lookuptest

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/miekg/dns"
)

// Zone is the data, and what was asked for: "name/TYPE".
type Zone struct {
	records []dns.RR
	rcodes  map[string]string
	signed  []string

	mu    sync.Mutex
	Asked []string
}

// New reads a zone: records in master file format, and lines of two words. "name RCODE" answers every question
// for that name so, "name/TYPE RCODE" those of one type; RCODE may be ERROR. "SIGNED name" has AD set where
// everything in the answer stands at or below that name, or another such name.
func New(t testing.TB, text string) *Zone {
	t.Helper()
	z := &Zone{rcodes: make(map[string]string)}
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		switch {
		case len(fields) == 0:
		case fields[0] == "SIGNED":
			z.signed = append(z.signed, dns.CanonicalName(fields[1]))
		case len(fields) == 2:
			z.rcodes[fields[0]] = fields[1]
		default:
			rr, err := dns.NewRR(strings.TrimSpace(line))
			if err != nil {
				t.Fatal(err)
			}
			z.records = append(z.records, rr)
		}
	}
	return z
}

// Exchange answers one question. CNAMEs are followed within the zone.
func (z *Zone) Exchange(_ context.Context, q *dns.Msg) (*dns.Msg, string, error) {
	name, qtype := q.Question[0].Name, q.Question[0].Qtype
	z.mu.Lock()
	z.Asked = append(z.Asked, strings.TrimSuffix(name, ".")+"/"+dns.TypeToString[qtype])
	z.mu.Unlock()
	r := new(dns.Msg).SetReply(q)
	r.AuthenticatedData = q.AuthenticatedData || q.IsEdns0() != nil && q.IsEdns0().Do()
	for range 30 {
		r.AuthenticatedData = r.AuthenticatedData && z.isSigned(name)
		host := strings.TrimSuffix(name, ".")
		if rcode := z.rcodes[host] + z.rcodes[host+"/"+dns.TypeToString[qtype]]; rcode == "ERROR" {
			return nil, "", errors.New("no upstream \x1b[2J answers")
		} else if rcode != "" {
			r.Rcode = dns.StringToRcode[rcode]
			return r, "upstream", nil
		}
		next, known := z.take(r, name, qtype)
		if next == "" {
			if !known {
				r.Rcode = dns.RcodeNameError
			}
			break
		}
		name = next
	}
	return r, "upstream", nil
}

// take puts the records of name into r, and returns where an alias leads and whether the name exists.
func (z *Zone) take(r *dns.Msg, name string, qtype uint16) (next string, known bool) {
	for _, rr := range z.records {
		owner := dns.CanonicalName(rr.Header().Name)
		known = known || dns.IsSubDomain(name, owner)
		if owner != name {
			continue
		}
		sig, isSig := rr.(*dns.RRSIG)
		cname, isAlias := rr.(*dns.CNAME)
		switch {
		case isSig && sig.TypeCovered == qtype, rr.Header().Rrtype == qtype:
			r.Answer = append(r.Answer, rr)
		case isAlias:
			r.Answer = append(r.Answer, rr)
			next = dns.CanonicalName(cname.Target)
		}
	}
	return next, known
}

// isSigned tells whether a SIGNED line covers the name.
func (z *Zone) isSigned(name string) bool {
	for _, zone := range z.signed {
		if dns.IsSubDomain(zone, name) {
			return true
		}
	}
	return false
}
