package smtpprobe

import (
	"context"
	"errors"
	"io"
	"slices"
	"syscall"

	"github.com/miekg/dns"

	"github.com/mxglue/mxglue/smtpprobe/lookup"
)

var (
	errNXDomain = errors.New("NXDOMAIN")
	errNullMX   = errors.New("null MX")
)

// answer is what a question led to.
type answer struct {
	name       string   // canonical, with the final dot; differs from the one asked where CNAMEs led on
	rrs        []dns.RR // of the type asked, owned by name; none: NODATA
	source     string   // of the last response
	ttl        uint32   // the least of rrs
	ad         bool     // all of it is authentic
	difference *Difference
}

// lookup asks for an RRset and follows CNAMEs. The error is errNXDomain, or means that nothing is known. With
// FreshExchange that one's answer counts, and the cache's is held against it.
func (r *run) lookup(ctx context.Context, name string, qtype uint16) (answer, error) {
	ans, err := r.lookupBy(ctx, r.prober.Exchange, name, qtype)
	if r.prober.FreshExchange == nil {
		return ans, err
	}
	fresh, freshErr := r.lookupBy(ctx, r.prober.FreshExchange, name, qtype)
	d := Difference{Name: name, Type: dns.TypeToString[qtype], Cached: ans.data(err), Fresh: fresh.data(freshErr)}
	if !slices.Equal(d.Cached, d.Fresh) {
		fresh.difference = &d
	}
	return fresh, freshErr
}

// lookupBy asks through one way.
func (r *run) lookupBy(ctx context.Context, by lookup.Exchange, name string, qtype uint16) (answer, error) {
	ctx, cancel := context.WithTimeout(ctx, r.opt.Timeouts.Lookup)
	defer cancel()
	ans := answer{}
	found, err := lookup.Ask(ctx, func(ctx context.Context, q *dns.Msg) (*dns.Msg, string, error) {
		response, source, err := by(ctx, q)
		ans.source = source
		return response, source, err
	}, name, qtype)
	ans.name, ans.rrs, ans.ad = found.Name, found.RRs, found.Secure
	for i, rr := range ans.rrs {
		if ttl := rr.Header().Ttl; i == 0 || ttl < ans.ttl {
			ans.ttl = ttl
		}
	}
	if err == nil && found.NXDomain && len(ans.rrs) == 0 {
		err = errNXDomain
	}
	return ans, err
}

// secure tells whether an address answer is authentic. Glue never is, but the same question with DO, as a DANE
// sender asks it, goes past glue; what that one brings is used for this word only.
func (r *run) secure(ctx context.Context, ans answer, name string, qtype uint16) bool {
	if ans.ad || !r.opt.Validates || ans.source != "glue" {
		return ans.ad
	}
	past, err := r.lookupBy(ctx, func(ctx context.Context, q *dns.Msg) (*dns.Msg, string, error) {
		q.IsEdns0().SetDo()
		return r.prober.Exchange(ctx, q)
	}, name, qtype)
	return err == nil && past.ad
}

// data is the answer without owner names and TTLs, sorted: what two lookups can be compared by.
func (ans answer) data(err error) []string {
	if failure := new(lookup.Failure); errors.As(err, failure) {
		return []string{failure.Rcode} // a remembered failure is no other for its reason
	} else if err != nil {
		return []string{describe(err)}
	}
	data := []string{}
	for _, rr := range ans.rrs {
		data = append(data, clip(Escape(rr.String()[len(rr.Header().String()):]), maxDetail))
	}
	slices.Sort(data)
	return data
}

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
