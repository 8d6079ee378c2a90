package doctor

import (
	"context"
	"errors"
	"net/netip"
	"os"
	"slices"
	"strings"

	"github.com/miekg/dns"
)

// carrierNAT is for addresses behind a provider's NAT (RFC 6598).
var carrierNAT = netip.MustParsePrefix("100.64.0.0/10")

// checkOwnName follows the name that the mail server says in HELO to its addresses, and these back to a name.
func (d *Doctor) checkOwnName(ctx context.Context, p postfix) []Finding {
	const check = "helo"
	name, set, err := d.heloName(p)
	if err != nil {
		return []Finding{unknown(check, set, "%v", err)}
	}
	if _, valid := dns.IsDomainName(name); !valid || !strings.Contains(strings.Trim(name, "."), ".") || strings.HasSuffix(name, ".localdomain") {
		return []Finding{fail(check, set, "%q, which this machine says in HELO, is not a fully qualified name (RFC 5321 §4.1.1.1): many servers refuse it", name)}
	}
	var addrs []netip.Addr
	for _, family := range []uint16{dns.TypeA, dns.TypeAAAA} {
		found, err := d.addresses(ctx, name, family)
		if err != nil {
			return []Finding{unknown(check, "", "%s: %v", name, cause(err))}
		}
		addrs = append(addrs, found...)
	}
	if len(addrs) == 0 {
		return []Finding{fail(check, "publish an A record for "+name+", or "+set, "%s, which this machine says in HELO, has no address", name)}
	}
	own := d.ownAddresses(p)
	findings := []Finding{judgeHelo(name, addrs, own)}
	if own == nil {
		own = addrs
	}
	for _, addr := range own {
		findings = append(findings, d.checkReverse(ctx, addr))
	}
	return findings
}

// heloName is what the mail server says in HELO, and how to set it.
func (d *Doctor) heloName(p postfix) (name, set string, err error) {
	if name = p.settings["smtp_helo_name"]; name != "" {
		return name, "postconf -e myhostname=mail.example.com && postfix reload", nil
	}
	if d.Trials.Probe.Helo != "" {
		return d.Trials.Probe.Helo, "smtpprobe.helo in config.yaml", nil
	}
	hostname := d.System.Hostname
	if hostname == nil {
		hostname = os.Hostname
	}
	name, err = hostname()
	return name, "hostnamectl set-hostname mail.example.com", err
}

// ownAddresses are those that mail leaves from; nil if this machine does not know, behind NAT or without a way out.
func (d *Doctor) ownAddresses(p postfix) (own []netip.Addr) {
	for network, parameter := range map[string]string{"ip4": "smtp_bind_address", "ip6": "smtp_bind_address6"} {
		addr, err := netip.ParseAddr(p.settings[parameter])
		if err != nil {
			addr, err = d.egress(network)
		}
		if err != nil {
			continue
		}
		if !addr.IsGlobalUnicast() || addr.IsPrivate() || carrierNAT.Contains(addr) {
			return nil
		}
		own = append(own, addr)
	}
	slices.SortFunc(own, netip.Addr.Compare) // IPv4 first
	return own
}

func judgeHelo(name string, addrs, own []netip.Addr) Finding {
	const check = "helo"
	if own == nil {
		return ok(check, "%s, which this machine says in HELO, leads to %s; behind NAT this machine cannot see whether mail leaves from there", name, join(addrs))
	}
	foreign := slices.DeleteFunc(slices.Clone(own), func(a netip.Addr) bool { return slices.Contains(addrs, a) })
	if len(foreign) > 0 {
		return warn(check, "publish an address record of "+name+" with "+join(foreign), "%s, which this machine says in HELO, leads to %s, but mail leaves from %s too", name, join(addrs), join(foreign))
	}
	return ok(check, "%s, which this machine says in HELO, leads to %s, where mail leaves from", name, join(own))
}

// checkReverse looks at whether an address has a name that leads back to it, which many receivers insist on.
func (d *Doctor) checkReverse(ctx context.Context, addr netip.Addr) Finding {
	const check = "reverse"
	reverse, err := dns.ReverseAddr(addr.String())
	if err != nil {
		return unknown(check, "", "%v", err)
	}
	r, err := d.exchange(ctx, reverse, dns.TypePTR)
	if err != nil {
		return unknown(check, "", "%s: %v", addr, cause(err))
	}
	qtype := dns.TypeA
	if addr.Is6() {
		qtype = dns.TypeAAAA
	}
	var names []string
	var failed error
	for _, rr := range r.Answer[:min(len(r.Answer), maxNames)] {
		ptr, is := rr.(*dns.PTR)
		if !is {
			continue
		}
		name := strings.TrimSuffix(ptr.Ptr, ".")
		back, err := d.addresses(ctx, name, qtype)
		if slices.Contains(back, addr) {
			return ok(check, "%s has the name %s, which leads back to it", addr, name)
		}
		names, failed = append(names, name), errors.Join(failed, err)
	}
	const advice = "have whoever gave you that address set its reverse name (PTR) to your HELO name"
	switch {
	case names == nil:
		return fail(check, advice, "%s has no name (PTR): many servers refuse mail from there", addr)
	case failed != nil:
		return unknown(check, "", "%s: %v", strings.Join(names, ", "), cause(failed))
	}
	return fail(check, advice, "%s has the name %s, which does not lead back to it", addr, strings.Join(names, ", "))
}

// maxNames is how many records of a reverse answer are followed: an address should have one name.
const maxNames = 5
