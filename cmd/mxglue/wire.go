package main

import (
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"os"
	"time"

	"github.com/mxglue/mxglue/cache"
	"github.com/mxglue/mxglue/resolver"
)

// Where the system names its resolvers, and the hosts it knows itself.
const (
	resolvConfFile = "/etc/resolv.conf"
	hostsFile      = "/etc/hosts"
)

func newLogger(w io.Writer, level slog.Leveler) *slog.Logger {
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: level}))
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
	w, err := newWiring(c, nil)
	if err != nil {
		return nil, nil, err
	}
	answers, questions := w.build(log)
	return answers, questions, nil
}

// A wiring is what a configuration makes of the way of a question, before anything goes by it.
type wiring struct {
	cache     cache.Options
	resolver  resolver.Options
	upstreams *knownUpstreams
}

// newWiring takes over the upstreams of before, a wiring that is in use, as far as they are the same; nil is none. Errors
// name the key.
func newWiring(c Config, before *wiring) (*wiring, error) {
	records, err := newRecords(c, hostsFile)
	if err != nil {
		return nil, err
	}
	var known *knownUpstreams
	if before != nil {
		known = before.upstreams
	}
	upstreams, err := newUpstreams(c, known)
	if err != nil {
		return nil, err
	}
	return &wiring{
		upstreams: upstreams,
		cache: cache.Options{
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
		},
		resolver: resolver.Options{
			Budget:      c.Resolver.Timeout,
			FirstTry:    c.Resolver.FirstTry,
			StaleAfter:  c.Resolver.StaleAfter,
			MaxInFlight: c.Resolver.MaxInflight,
			Bundle:      c.Resolver.Bundle,
			TrustAD:     c.Resolver.DNSSEC == "trust",
			Records:     records,
			Routes:      upstreams.routes,
			Policy:      resolver.Policy(c.Resolver.Policy),
			NoPrivate:   c.Resolver.RebindProtection,
		},
	}, nil
}

// build makes the cache and the resolver.
func (w *wiring) build(log *slog.Logger) (*cache.Cache, *resolver.Resolver) {
	w.cache.Log, w.resolver.Log = log, log
	w.upstreams.use()
	answers := cache.New(w.cache, time.Now())
	return answers, resolver.New(w.resolver, answers, w.upstreams.everything)
}

// reuse makes the cache and the resolver of another wiring go by this one from now on.
func (w *wiring) reuse(answers *cache.Cache, questions *resolver.Resolver) {
	w.upstreams.use()
	answers.Reconfigure(w.cache)
	questions.Reconfigure(w.resolver, w.upstreams.everything)
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
