package main

import (
	"cmp"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"sync/atomic"
	"time"

	"github.com/miekg/dns"

	"github.com/mxglue/mxglue/resolver"
	"github.com/mxglue/mxglue/resolver/upstream"
	"github.com/mxglue/mxglue/smtpprobe/lookup"
)

// knownUpstreams are the upstreams that a configuration names, and what asks them. One that is named several times is one.
type knownUpstreams struct {
	all        map[string]*upstream.Upstream // by address
	everything []*upstream.Upstream          // those of everything that no route is for
	routes     []resolver.Route

	roots   *x509.CertPool // nil: the system's
	caseMix bool

	// guides are those among everything that need not be looked up themselves. They are asked for the addresses of https
	// upstreams that are known by name only; mxglue is not, which might ask the very upstream. guide holds those in use,
	// for all upstreams since the start.
	guides []*upstream.Upstream
	guide  *atomic.Pointer[[]*upstream.Upstream]
}

// newUpstreams takes over those of before, which may be nil, but where they are to be spoken to in another way: such a one is
// another upstream. Errors name the key.
func newUpstreams(c Config, before *knownUpstreams) (k *knownUpstreams, err error) {
	k = &knownUpstreams{caseMix: c.Resolver.Case0x20, all: map[string]*upstream.Upstream{}, guide: new(atomic.Pointer[[]*upstream.Upstream])}
	if k.roots, err = readRoots("resolver.ca_file", c.Resolver.CAFile); err != nil {
		return nil, err
	}
	made := map[string]*upstream.Upstream{}
	if before != nil && k.caseMix == before.caseMix && k.roots.Equal(before.roots) {
		made, k.guide = before.all, before.guide
	}
	if k.everything, err = k.get("resolver.upstreams", c.Resolver.Upstreams, made); err != nil {
		return nil, err
	}
	for _, r := range c.Resolver.Routes {
		route := resolver.Route{Zone: r.Zone, Policy: resolver.Policy(r.Policy), NoPrivate: r.RebindProtection}
		if route.Upstreams, err = k.get("resolver.routes", r.Upstreams, made); err != nil {
			return nil, err
		}
		k.routes = append(k.routes, route)
	}
	return k, k.introduce()
}

// get returns the upstreams at the addresses that a key names; those that are not made yet it makes.
func (k *knownUpstreams) get(key string, addresses []string, made map[string]*upstream.Upstream) (list []*upstream.Upstream, err error) {
	for _, address := range addresses {
		u := cmp.Or(k.all[address], made[address])
		if u == nil {
			if u, err = upstream.New(address); err != nil {
				return nil, fmt.Errorf("%s: %w", key, err)
			}
			u.RootCAs, u.Case0x20 = k.roots, k.caseMix
			guide := k.guide
			u.Lookup = func(ctx context.Context, host string) ([]netip.Addr, error) {
				return addressesOf(ctx, *guide.Load(), host)
			}
		}
		k.all[address] = u
		list = append(list, u)
	}
	return list, nil
}

// introduce finds the guides. Without any, every upstream has to have an address.
func (k *knownUpstreams) introduce() error {
	for _, u := range k.everything {
		if !u.NeedsLookup() {
			k.guides = append(k.guides, u)
		}
	}
	for address, u := range k.all {
		if u.NeedsLookup() && k.guides == nil {
			return fmt.Errorf("resolver.upstreams: nobody is there to ask for the address of %q; add ?ip=ADDRESS to it, or an upstream that is an address", address)
		}
	}
	return nil
}

// use makes these the upstreams in use. Without it none can be looked up.
func (k *knownUpstreams) use() { k.guide.Store(&k.guides) }

// lookupPatience is how long one upstream may take to say where another is: a question waits for it.
const lookupPatience = time.Second

// addressesOf asks upstreams in turn for a host's IPv4 and IPv6 addresses, until one knows some.
func addressesOf(ctx context.Context, upstreams []*upstream.Upstream, host string) ([]netip.Addr, error) {
	var failed []error
	for _, u := range upstreams {
		addrs, err := addressesAt(ctx, u, host)
		if len(addrs) > 0 {
			return addrs, nil
		}
		failed = append(failed, err)
	}
	return nil, errors.Join(failed...)
}

func addressesAt(ctx context.Context, u *upstream.Upstream, host string) (addrs []netip.Addr, err error) {
	ctx, cancel := context.WithTimeout(ctx, lookupPatience)
	defer cancel()
	for _, qtype := range []uint16{dns.TypeA, dns.TypeAAAA} {
		r, err := u.Exchange(ctx, dns.Question{Name: dns.Fqdn(host), Qtype: qtype, Qclass: dns.ClassINET}, false)
		if err != nil {
			return addrs, err
		}
		addrs = append(addrs, lookup.Addresses(r.Msg.Answer)...)
	}
	return addrs, nil
}

// readRoots reads the authorities of a PEM file that a key or a flag names; nil, the system's, without a file.
func readRoots(key, file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", key, err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("%s: %s has no certificate in it; it must be PEM (-----BEGIN CERTIFICATE-----)", key, file)
	}
	return roots, nil
}
