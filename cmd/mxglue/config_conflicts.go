package main

import (
	"fmt"
	"slices"
)

// conflicts are settings that are right each and wrong together.
func (c *Config) conflicts(s *sources) (problems ConfigError) {
	add := func(key, text string, args ...any) {
		problems = append(problems, Problem{s.of(key), key, fmt.Sprintf(text, args...)})
	}
	c.loops(s, add)
	if c.Resolver.FirstTry > c.Resolver.Timeout {
		add("resolver.first_try", `"%s" is longer than resolver.timeout, %s`, c.Resolver.FirstTry, c.Resolver.Timeout)
	}
	if c.Resolver.StaleAfter >= c.Resolver.Timeout {
		add("resolver.stale_after", `"%s" is not less than resolver.timeout, %s`, c.Resolver.StaleAfter, c.Resolver.Timeout)
	}
	if c.Cache.MaxTTL > 0 && c.Cache.MinTTL > c.Cache.MaxTTL {
		add("cache.min_ttl", `"%s" is longer than cache.max_ttl, %s`, c.Cache.MinTTL, c.Cache.MaxTTL)
	}
	if c.Status.Listen.IsValid() && c.Status.Listen.Port() != 0 && slices.Contains(c.Server.Listen, c.Status.Listen) {
		add("status.listen", `"%s" is taken by server.listen; choose another port`, c.Status.Listen)
	}
	c.Monitor.conflicts(add)
	return problems
}

// loops finds upstreams that are ourselves.
func (c *Config) loops(s *sources, add func(key, text string, args ...any)) {
	if s.flag("server.listen") == nil {
		return // mxglue check opens no listener: for it to ask the daemon is no loop
	}
	find := func(key string, upstreams []string) {
		for _, upstream := range upstreams {
			if listener, own := ownListener(c.Server.Listen, upstreamAddrPort(upstream)); own {
				add(key, "%q is our own listener %s (server.listen): a loop", upstream, listener)
			}
		}
	}
	find("resolver.upstreams", c.Resolver.Upstreams)
	for _, r := range c.Resolver.Routes {
		find("resolver.routes", r.Upstreams)
	}
}
