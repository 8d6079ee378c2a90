package smtpprobe

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"syscall"

	"github.com/miekg/dns"
)

// maxLinks is how many CNAMEs are followed from one name.
const maxLinks = 16

var (
	errNXDomain = errors.New("NXDOMAIN")
	errNullMX   = errors.New("null MX")
)

// answer is what a question led to.
type answer struct {
	name   string   // canonical, with the final dot; differs from the one asked where CNAMEs led on
	rrs    []dns.RR // of the type asked, owned by name; none: NODATA
	source string
}

// lookup asks for an RRset and follows CNAMEs, those of the response first. A chain that the response does
// not bring to its end is asked on (RFC 5321 5.1: "processed as if it were the initial name"). The error is
// errNXDomain, or means that nothing is known.
func (r *run) lookup(ctx context.Context, name string, qtype uint16) (answer, error) {
	ctx, cancel := context.WithTimeout(ctx, r.opt.Timeouts.Lookup)
	defer cancel()
	ans := answer{name: dns.CanonicalName(name)}
	for links := 0; ; {
		q := new(dns.Msg).SetQuestion(ans.name, qtype)
		q.SetEdns0(dns.MaxMsgSize-1, false) // no transport limits us; DO=0, for glue never answers DO=1
		response, source, err := r.prober.Exchange(ctx, q)
		if err == nil {
			err = checkResponse(response)
		}
		if err != nil {
			return ans, err
		}
		asked := ans.name
		ans.source = source
		if err := ans.follow(response.Answer, qtype, &links); err != nil {
			return ans, err
		}
		switch {
		case len(ans.rrs) > 0:
			return ans, nil
		case response.Rcode == dns.RcodeNameError:
			return ans, errNXDomain // of the chain's end: RFC 6604 3
		case ans.name == asked:
			return ans, nil
		}
	}
}

// checkResponse refuses what says nothing: no response, part of one, and any RCODE but NOERROR and NXDOMAIN.
func checkResponse(r *dns.Msg) error {
	switch {
	case r == nil:
		return errors.New("no response")
	case r.Truncated:
		return errors.New("truncated response")
	case r.Rcode == dns.RcodeSuccess || r.Rcode == dns.RcodeNameError:
		return nil
	}
	if name, ok := dns.RcodeToString[r.Rcode]; ok {
		return errors.New(name)
	}
	return fmt.Errorf("RCODE %d", r.Rcode)
}

// follow walks the CNAMEs among rrs from ans.name on and takes the RRs of qtype where it arrives. Counting
// the links ends loops too.
func (ans *answer) follow(rrs []dns.RR, qtype uint16, links *int) error {
	for {
		target := ""
		for _, rr := range rrs {
			if h := rr.Header(); h.Class != dns.ClassINET || dns.CanonicalName(h.Name) != ans.name {
				continue
			} else if h.Rrtype == qtype {
				ans.rrs = append(ans.rrs, rr)
			}
			if c, ok := rr.(*dns.CNAME); ok {
				target = dns.CanonicalName(c.Target)
			}
		}
		if len(ans.rrs) > 0 || target == "" {
			return nil
		}
		if *links++; *links > maxLinks {
			return fmt.Errorf("a chain of more than %d CNAMEs, or a loop", maxLinks)
		}
		ans.name = target
	}
}

// hostName is a canonical name as people write it: no final dot.
func hostName(name string) string { return strings.TrimSuffix(name, ".") }

// describe is an error's text, fit for a Report: the cause, without the addresses that stand beside it anyway.
func describe(err error) string {
	var errno syscall.Errno
	switch {
	case errors.As(err, &errno):
		return errno.Error()
	case isTimeout(err):
		return "timed out"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrClosedPipe):
		return "connection closed"
	}
	return clip(Escape(err.Error()), maxDetail)
}
