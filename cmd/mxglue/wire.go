package main

import (
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"time"

	"github.com/mxglue/mxglue/cache"
	"github.com/mxglue/mxglue/resolver"
	"github.com/mxglue/mxglue/resolver/upstream"
)

// Where the system names its resolvers, and the hosts it knows itself.
const (
	resolvConfFile = "/etc/resolv.conf"
	hostsFile      = "/etc/hosts"
)

// newLogger logs to standard error: standard output belongs to what a command was asked for.
func newLogger(c Config) *slog.Logger {
	return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: c.Log.Level}))
}

// findUpstreams fills in those of /etc/resolv.conf, but for ourselves at listen, if none are configured.
func (c *Config) findUpstreams(listen []netip.AddrPort) (err error) {
	if len(c.Resolver.Upstreams) > 0 {
		return nil
	}
	c.Resolver.FromSystem = true
	c.Resolver.Upstreams, err = systemUpstreams(resolvConfFile, listen)
	return err
}

// newResolver builds the way of a question that serve and check share: a cache, and behind it a resolver that asks the
// upstreams of c, of which there must be one. The resolver is to be closed.
func newResolver(c Config, log *slog.Logger) (*cache.Cache, *resolver.Resolver, error) {
	records, err := newRecords(c, hostsFile)
	if err != nil {
		return nil, nil, err
	}
	upstreams, routes, err := newUpstreams(c)
	if err != nil {
		return nil, nil, err
	}
	answers := cache.New(cache.Options{
		Entries:        c.Cache.Entries,
		Memory:         c.Cache.Memory,
		Glue:           cache.GluePolicy(c.Cache.Glue),
		GlueMaxTTL:     c.Cache.GlueMaxTTL,
		GlueForAll:     c.Cache.GlueScope == "all",
		GluePrivate:    c.Cache.GluePrivate,
		NegativeMaxTTL: c.Cache.NegativeMaxTTL,
		MinTTL:         c.Cache.MinTTL,
		MaxTTL:         c.Cache.MaxTTL,
		Configured:     records.Has,
		Log:            log,
	}, time.Now())
	return answers, resolver.New(resolver.Options{
		Budget:      c.Resolver.Timeout,
		FirstTry:    c.Resolver.FirstTry,
		StaleAfter:  c.Resolver.StaleAfter,
		MaxInFlight: c.Resolver.MaxInflight,
		Bundle:      c.Resolver.Bundle,
		TrustAD:     c.Resolver.DNSSEC == "trust",
		Records:     records,
		Routes:      routes,
		Policy:      resolver.Policy(c.Resolver.Policy),
		NoPrivate:   c.Resolver.RebindProtection,
		Log:         log,
	}, answers, upstreams), nil
}

// newRecords are the configured records and, if asked for, those of a hosts file.
func newRecords(c Config, hosts string) (resolver.Records, error) {
	records := resolver.Records{}
	for name, rrs := range c.Resolver.Records {
		records[name] = rrs[:len(rrs):len(rrs)] // AddHosts appends
	}
	if !c.Resolver.Hosts {
		return records, nil
	}
	file, err := os.Open(hosts)
	if err != nil {
		return nil, fmt.Errorf("resolver.hosts: %w; without a hosts file, say false", err)
	}
	defer file.Close()
	if err := records.AddHosts(file); err != nil {
		return nil, fmt.Errorf("resolver.hosts: %s: %w", hosts, err)
	}
	return records, nil
}

// newUpstreams are the upstreams of everything, and the routes with theirs. One that serves several of them is one.
func newUpstreams(c Config) (upstreams []*upstream.Upstream, routes []resolver.Route, err error) {
	known := knownUpstreams{caseMix: c.Resolver.Case0x20, all: map[string]*upstream.Upstream{}}
	if known.roots, err = readRoots(c.Resolver.CAFile); err != nil {
		return nil, nil, err
	}
	if upstreams, err = known.get("resolver.upstreams", c.Resolver.Upstreams); err != nil {
		return nil, nil, err
	}
	for _, r := range c.Resolver.Routes {
		route := resolver.Route{Zone: r.Zone, Policy: resolver.Policy(r.Policy), NoPrivate: r.RebindProtection}
		if route.Upstreams, err = known.get("resolver.routes", r.Upstreams); err != nil {
			return nil, nil, err
		}
		routes = append(routes, route)
	}
	return upstreams, routes, known.introduce(upstreams)
}
