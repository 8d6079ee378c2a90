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

// resolvConfFile is where the system names its resolvers.
const resolvConfFile = "/etc/resolv.conf"

// newLogger logs to standard error: standard output belongs to what a command was asked for.
func newLogger(c Config) *slog.Logger {
	return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: c.Log.Level}))
}

// newResolver builds the way of a question that serve and check share: a cache, and behind it a resolver that asks the
// configured upstreams or, if none are configured, those of /etc/resolv.conf but for ourselves at listen.
func newResolver(c Config, listen []netip.AddrPort, log *slog.Logger) (*cache.Cache, *resolver.Resolver, error) {
	addresses := c.Resolver.Upstreams
	if len(addresses) == 0 {
		var err error
		if addresses, err = systemUpstreams(resolvConfFile, listen); err != nil {
			return nil, nil, err
		}
	}
	var upstreams []*upstream.Upstream
	for _, a := range addresses {
		u, err := upstream.New(a)
		if err != nil {
			return nil, nil, fmt.Errorf("resolver.upstreams: %w", err)
		}
		upstreams = append(upstreams, u)
	}
	answers := cache.New(cache.Options{
		Entries:        c.Cache.Entries,
		Glue:           cache.GluePolicy(c.Cache.Glue),
		GlueMaxTTL:     c.Cache.GlueMaxTTL,
		GlueForAll:     c.Cache.GlueScope == "all",
		GluePrivate:    c.Cache.GluePrivate,
		NegativeMaxTTL: c.Cache.NegativeMaxTTL,
		Log:            log,
	}, time.Now())
	return answers, resolver.New(resolver.Options{
		Budget:      c.Resolver.Timeout,
		FirstTry:    c.Resolver.FirstTry,
		MaxInFlight: c.Resolver.MaxInflight,
		Bundle:      c.Resolver.Bundle,
		Log:         log,
	}, answers, upstreams), nil
}
