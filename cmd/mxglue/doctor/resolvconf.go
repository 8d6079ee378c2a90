package doctor

import (
	"context"
	"errors"
	"io/fs"
	"net/netip"
	"slices"
	"strings"
)

const (
	resolvConf     = "/etc/resolv.conf"
	resolvedServer = "/run/systemd/resolve/resolv.conf" // whom systemd-resolved asks (systemd-resolved.service(8))
)

// stubs are the addresses of systemd-resolved.
var stubs = []netip.Addr{netip.MustParseAddr("127.0.0.53"), netip.MustParseAddr("127.0.0.54")}

// resolver is what resolv.conf(5) says.
type resolver struct {
	servers []netip.Addr
	options []string
}

// parseResolvConf takes what is well-formed, as libc does. Without any server libc asks 127.0.0.1, and it knows three.
func parseResolvConf(text string) (r resolver) {
	const most = 3 // MAXNS
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		if len(fields) < 2 {
			continue
		}
		switch fields[0] {
		case "nameserver":
			if addr, err := netip.ParseAddr(fields[1]); err == nil && len(r.servers) < most {
				r.servers = append(r.servers, addr.Unmap())
			}
		case "options":
			r.options = append(r.options, fields[1:]...)
		}
	}
	if r.servers == nil {
		r.servers = []netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 1})}
	}
	return r
}

// readResolvConf reads the file at a path; a missing one is as good as an empty one.
func (d *Doctor) readResolvConf(path string) (resolver, error) {
	text, err := d.read(path)
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return parseResolvConf(text), err
}

// dnsPort is the only one that resolv.conf knows.
const dnsPort = 53

func (d *Doctor) ours(server netip.Addr) bool {
	return d.Ours(netip.AddrPortFrom(server, dnsPort))
}

// self is the address that resolv.conf should name.
func (d *Doctor) self() string {
	for _, l := range d.Listen {
		if l.Port() == dnsPort && !l.Addr().IsUnspecified() {
			return l.Addr().String()
		}
	}
	return "127.0.0.1"
}

// checkResolvConf looks at where the nameservers of this machine lead.
func (d *Doctor) checkResolvConf(ctx context.Context) []Finding {
	findings := []Finding{d.checkListen()}
	r, err := d.readResolvConf(resolvConf)
	if err != nil {
		return append(findings, unknown("nameserver", "run mxglue doctor as root", "%v", err))
	}
	findings = append(findings, d.checkServers(r))
	if d.ours(r.servers[0]) {
		findings = append(findings, d.checkWay(ctx, netip.AddrPortFrom(r.servers[0], dnsPort)))
	}
	return append(findings, d.checkOptions(r))
}

func (d *Doctor) checkListen() Finding {
	for _, l := range d.Listen {
		if l.Port() == dnsPort {
			return ok("listen", "server.listen has %s, which resolv.conf can name", l)
		}
	}
	return fail("listen", `in config.yaml: server: {listen: ["127.0.0.1:53"]}`,
		"server.listen has no port 53 (%s), and resolv.conf knows no other", join(d.Listen))
}

// checkServers judges the list of nameservers: libc asks the first, and the others when that is slow.
func (d *Doctor) checkServers(r resolver) Finding {
	const check = "nameserver"
	first, others := r.servers[0], r.servers[1:]
	foreign := slices.DeleteFunc(slices.Clone(others), d.ours)
	put := "make \"nameserver " + d.self() + "\" the only nameserver line of " + resolvConf
	switch {
	case d.ours(first) && len(foreign) == 0:
		return ok(check, "%s names %s, which is us, and nobody else", resolvConf, first)
	case d.ours(first):
		return warn(check, put, "%s names us first, but %s beside us: libc asks there whenever we wait for an upstream", resolvConf, join(foreign))
	case slices.Contains(stubs, first):
		return d.checkStub(first)
	case len(foreign) < len(others):
		return fail(check, put, "%s names %s first and us later: libc asks us only when %s does not answer", resolvConf, first, first)
	}
	return fail(check, put, "%s names %s, which is not us", resolvConf, join(r.servers))
}

// checkStub is for systemd-resolved, which asks somebody else in turn. It leaves a resolv.conf alone that is not its link.
func (d *Doctor) checkStub(stub netip.Addr) Finding {
	const check = "nameserver"
	advice := "rm " + resolvConf + " && echo nameserver " + d.self() + " >" + resolvConf
	text, err := d.read(resolvedServer)
	if err != nil {
		return fail(check, advice, "%s names %s, systemd-resolved, which is not us", resolvConf, stub)
	}
	behind := parseResolvConf(text).servers
	if !d.ours(behind[0]) {
		return fail(check, advice, "%s names %s, systemd-resolved, which asks %s and not us", resolvConf, stub, join(behind))
	}
	return warn(check, advice, "%s names %s, systemd-resolved, which asks us, but keeps a cache of its own in between", resolvConf, stub)
}

// checkOptions looks at what libc does with our answers.
func (d *Doctor) checkOptions(r resolver) Finding {
	const check = "options"
	foreign := slices.DeleteFunc(slices.Clone(r.servers), d.ours)
	trust, edns := slices.Contains(r.options, "trust-ad"), slices.Contains(r.options, "edns0")
	switch {
	case slices.Contains(r.options, "rotate") && len(foreign) > 0:
		return warn(check, "take rotate out of the options of "+resolvConf, "rotate sends a share of all questions to %s", join(foreign))
	case trust && len(foreign) > 0:
		return warn(check, "take trust-ad out of the options of "+resolvConf+", or the other nameservers",
			"trust-ad makes programs believe the AD bit of %s, too", join(foreign))
	case trust && edns:
		return ok(check, "trust-ad lets Exim see DNSSEC's verdict, and edns0 spares large answers a second round over TCP")
	case trust:
		return ok(check, "trust-ad lets Exim see DNSSEC's verdict (edns0 would spare large answers a second round over TCP)")
	}
	return ok(check, "no trust-ad: Exim sees no DNSSEC and does no DANE; Postfix needs no such option")
}
