package main

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"time"

	"github.com/miekg/dns"

	"github.com/mxglue/mxglue/resolver/upstream"
)

// knownUpstreams are the upstreams made so far, by address.
type knownUpstreams struct {
	all     map[string]*upstream.Upstream
	roots   *x509.CertPool // nil: the system's
	caseMix bool
}

// get returns the upstreams at the addresses that a key names, and makes those that are new.
func (k *knownUpstreams) get(key string, addresses []string) (list []*upstream.Upstream, err error) {
	for _, address := range addresses {
		u := k.all[address]
		if u == nil {
			if u, err = upstream.New(address); err != nil {
				return nil, fmt.Errorf("%s: %w", key, err)
			}
			u.RootCAs, u.Case0x20 = k.roots, k.caseMix
			k.all[address] = u
		}
		list = append(list, u)
	}
	return list, nil
}

// introduce tells the https upstreams that are known by name only whom to ask for their addresses: those upstreams of
// everything that need not be looked up themselves. mxglue is not asked, which might ask the very upstream.
func (k *knownUpstreams) introduce(upstreams []*upstream.Upstream) error {
	var guides []*upstream.Upstream
	for _, u := range upstreams {
		if !u.NeedsLookup() {
			guides = append(guides, u)
		}
	}
	for address, u := range k.all {
		if !u.NeedsLookup() {
			continue
		}
		if guides == nil {
			return fmt.Errorf("resolver.upstreams: nobody is there to ask for the address of %q; add ?ip=ADDRESS to it, or an upstream that is an address", address)
		}
		u.Lookup = func(ctx context.Context, host string) ([]netip.Addr, error) { return lookup(ctx, guides, host) }
	}
	return nil
}

// lookupPatience is how long one upstream may take to say where another is: a question waits for it.
const lookupPatience = time.Second

// lookup asks upstreams in turn for a host's IPv4 and IPv6 addresses, until one knows some.
func lookup(ctx context.Context, upstreams []*upstream.Upstream, host string) ([]netip.Addr, error) {
	var failed []error
	for _, u := range upstreams {
		addrs, err := lookupAt(ctx, u, host)
		if len(addrs) > 0 {
			return addrs, nil
		}
		failed = append(failed, err)
	}
	return nil, errors.Join(failed...)
}

func lookupAt(ctx context.Context, u *upstream.Upstream, host string) (addrs []netip.Addr, err error) {
	ctx, cancel := context.WithTimeout(ctx, lookupPatience)
	defer cancel()
	for _, qtype := range []uint16{dns.TypeA, dns.TypeAAAA} {
		r, err := u.Exchange(ctx, dns.Question{Name: dns.Fqdn(host), Qtype: qtype, Qclass: dns.ClassINET}, false)
		if err != nil {
			return addrs, err
		}
		addrs = append(addrs, addresses(r.Msg)...)
	}
	return addrs, nil
}

// addresses are those of the answer section, at whatever end of a chain of aliases they stand.
func addresses(m *dns.Msg) (addrs []netip.Addr) {
	for _, rr := range m.Answer {
		var ip []byte
		switch rr := rr.(type) {
		case *dns.A:
			ip = rr.A
		case *dns.AAAA:
			ip = rr.AAAA
		}
		if addr, ok := netip.AddrFromSlice(ip); ok {
			addrs = append(addrs, addr.Unmap())
		}
	}
	return addrs
}

// readRoots reads the authorities that vouch for encrypted upstreams; nil, the system's, without a file.
func readRoots(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("resolver.ca_file: %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("resolver.ca_file: %s has no certificate in it; it must be PEM (-----BEGIN CERTIFICATE-----)", file)
	}
	return roots, nil
}
