package doctor

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"strings"

	"github.com/miekg/dns"

	"github.com/mxglue/mxglue/smtpprobe/lookup"
)

var (
	listings = netip.MustParsePrefix("127.0.0.0/8")      // what a DNSBL says of an address that is listed (RFC 5782 §2.1)
	refusals = netip.MustParsePrefix("127.255.255.0/24") // what Spamhaus and others say to clients that they do not serve
)

// checkDNSBLs looks at the test points of each list: 127.0.0.2 is listed and 127.0.0.1 is not (RFC 5782 §5).
func (d *Doctor) checkDNSBLs(ctx context.Context) []Finding {
	var findings []Finding
	for _, list := range d.Trials.DNSBLs {
		findings = append(findings, d.checkDNSBL(ctx, list))
	}
	return findings
}

func (d *Doctor) checkDNSBL(ctx context.Context, list string) Finding {
	const check = "dnsbl"
	list = strings.TrimSuffix(list, ".")
	advice := "ask it past public resolvers, in config.yaml: resolver: {routes: [{zone: " + list + ", upstreams: [a resolver of your own]}]}"
	listed, err := d.addresses(ctx, "2.0.0.127."+list, dns.TypeA)
	if err != nil {
		return unknown(check, "", "%s: %v", list, cause(err))
	}
	unlisted, err := d.addresses(ctx, "1.0.0.127."+list, dns.TypeA)
	switch {
	case slices.ContainsFunc(listed, refusals.Contains):
		return fail(check, advice, "%s does not serve you and says %s of everything, which a mail server may take for listed", list, join(listed))
	case len(listed) == 0:
		return fail(check, advice, "%s does not list its test point 127.0.0.2: it blocks your resolver, or is no more", list)
	case slices.ContainsFunc(listed, func(a netip.Addr) bool { return !listings.Contains(a) }):
		return fail(check, "do not use it; or see nxdomain above", "%s says %s of its test point, which is no listing", list, join(listed))
	case err != nil:
		return unknown(check, "", "%s: %v", list, cause(err))
	case len(unlisted) > 0:
		return fail(check, "do not use it", "%s lists 127.0.0.1, and so perhaps the whole world", list)
	}
	return ok(check, "%s lists its test point 127.0.0.2 and not 127.0.0.1", list)
}

// exchange asks one question as the mail server would. The error is anything but NOERROR and NXDOMAIN.
func (d *Doctor) exchange(ctx context.Context, name string, qtype uint16) (*dns.Msg, error) {
	ctx, cancel := context.WithTimeout(ctx, askPatience)
	defer cancel()
	r, _, err := d.Exchange(ctx, new(dns.Msg).SetQuestion(dns.Fqdn(name), qtype))
	switch {
	case err != nil:
		return nil, err
	case r.Rcode != dns.RcodeSuccess && r.Rcode != dns.RcodeNameError:
		return nil, errors.New(rcode(r))
	}
	return r, nil
}

// addresses are those of a name, at the end of whatever aliases.
func (d *Doctor) addresses(ctx context.Context, name string, qtype uint16) ([]netip.Addr, error) {
	r, err := d.exchange(ctx, name, qtype)
	if err != nil {
		return nil, err
	}
	return lookup.Addresses(r.Answer), nil
}
