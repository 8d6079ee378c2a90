package lookup

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/miekg/dns"
)

// maxLinks is how many CNAMEs are followed from one name.
const maxLinks = 16

// Timeout bounds one Ask, its aliases included.
const Timeout = 10 * time.Second

// Exchange brings a question to an answer: r, and where it came from (glue, bundle, cache, upstream). AD in r
// says that the answer is authentic, and only a resolver that may be believed leaves it set (RFC 7672 2.1.1).
type Exchange func(ctx context.Context, q *dns.Msg) (r *dns.Msg, source string, err error)

// Answer is what a question led to.
type Answer struct {
	Name     string       // canonical, with the final dot; differs from the one asked where CNAMEs led on
	RRs      []dns.RR     // of the type asked, owned by Name; none: NODATA or NXDOMAIN
	NXDomain bool         // Name does not exist
	Secure   bool         // every response on the way had AD
	Sigs     []*dns.RRSIG // over RRs; asked for with TLSA only
}

// Ask asks for an RRset and follows CNAMEs, those of the response first. A chain that the response does not
// bring to its end is asked on (RFC 1034 3.6.2). An error means that nothing is known: SERVFAIL, a timeout,
// a chain without an end. That a name does not exist is no error.
func Ask(ctx context.Context, exchange Exchange, name string, qtype uint16) (Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, Timeout)
	defer cancel()
	ans := Answer{Name: dns.CanonicalName(name), Secure: true}
	if _, can := dns.IsDomainName(ans.Name); !can { // "_mta-sts." before 250 octets: no name that could exist (RFC 1035 2.3.4), and no upstream need say so
		ans.NXDomain = true
		return ans, nil
	}
	for links := 0; ; {
		q := new(dns.Msg).SetQuestion(ans.Name, qtype)
		q.AuthenticatedData = true                          // tell us AD: RFC 6840 5.7
		q.SetEdns0(dns.MaxMsgSize-1, qtype == dns.TypeTLSA) // no transport limits us; DO for the signatures of TLSA
		r, _, err := exchange(ctx, q)
		if err == nil {
			err = check(r)
		}
		if err != nil {
			return ans, err
		}
		asked := ans.Name
		ans.Secure = ans.Secure && r.AuthenticatedData
		if err := ans.follow(r.Answer, qtype, &links); err != nil {
			return ans, err
		}
		if ans.NXDomain = r.Rcode == dns.RcodeNameError; len(ans.RRs) > 0 || ans.NXDomain || ans.Name == asked {
			return ans, nil // the RCODE is that of the chain's end: RFC 6604 3
		}
	}
}

// check refuses what says nothing: no response, part of one, a record without its name, and any RCODE but NOERROR and NXDOMAIN.
func check(r *dns.Msg) error {
	switch {
	case r == nil:
		return errors.New("no response")
	case r.Truncated:
		return errors.New("truncated response")
	case slices.ContainsFunc(r.Answer, nameless):
		return errors.New("a record without data")
	case r.Rcode == dns.RcodeSuccess || r.Rcode == dns.RcodeNameError:
		return nil
	}
	name, ok := dns.RcodeToString[r.Rcode]
	if !ok {
		name = fmt.Sprintf("RCODE %d", r.Rcode)
	}
	return Failure{name, why(r)}
}

// A Failure is a response that says nothing: its RCODE, and why in the terms of RFC 8914, or an empty string. "DNSSEC Bogus" is
// the domain's fault, "Network Error" our resolver's.
type Failure struct{ Rcode, Why string }

func (f Failure) Error() string {
	if f.Why == "" {
		return f.Rcode
	}
	return f.Rcode + ", " + f.Why
}

// why is the first extended error of a response, without its text, which is another one each time.
func why(r *dns.Msg) string {
	if opt := r.IsEdns0(); opt != nil {
		for _, o := range opt.Option {
			if e, ok := o.(*dns.EDNS0_EDE); ok {
				return dns.ExtendedErrorCodeToString[e.InfoCode]
			}
		}
	}
	return ""
}

// nameless tells whether a record that is a name has none: package dns takes such a one (RFC 2136 2.4.1), with RDATA of no octets.
func nameless(rr dns.RR) bool {
	switch rr := rr.(type) {
	case *dns.MX:
		return rr.Mx == ""
	case *dns.CNAME:
		return rr.Target == ""
	case *dns.PTR:
		return rr.Ptr == ""
	}
	return false
}

// follow walks the CNAMEs among rrs from ans.Name on and takes the RRs of qtype where it arrives. Counting
// the links ends loops too.
func (ans *Answer) follow(rrs []dns.RR, qtype uint16, links *int) error {
	for {
		target := ""
		for _, rr := range rrs {
			if h := rr.Header(); h.Class != dns.ClassINET || dns.CanonicalName(h.Name) != ans.Name {
				continue
			} else if h.Rrtype == qtype {
				ans.RRs = append(ans.RRs, rr)
			}
			switch rr := rr.(type) {
			case *dns.CNAME:
				target = dns.CanonicalName(rr.Target)
			case *dns.RRSIG:
				if rr.TypeCovered == qtype {
					ans.Sigs = append(ans.Sigs, rr)
				}
			}
		}
		if len(ans.RRs) > 0 || target == "" {
			return nil
		}
		if *links++; *links > maxLinks {
			return fmt.Errorf("a chain of more than %d CNAMEs, or a loop", maxLinks)
		}
		ans.Name = target
	}
}

// Host is a canonical name as people write it: no final dot.
func Host(name string) string { return strings.TrimSuffix(name, ".") }
