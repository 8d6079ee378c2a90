package main

import (
	"fmt"
	"maps"
	"net/netip"
	"reflect"
	"slices"

	"github.com/mxglue/mxglue/resolver"
)

// differs returns the keys that do not say what they said in another configuration.
func (c *Config) differs(other Config) (keys []string) {
	theirs := other.settings()
	for i, k := range c.settings() {
		if !reflect.DeepEqual(k.get(), theirs[i].get()) {
			keys = append(keys, k.key)
		}
	}
	return keys
}

// keep gives the keys that fixed names the values that they have in old, and returns those that said otherwise.
func (c *Config) keep(old Config, fixed func(key string) bool) (otherwise []string) {
	was, differs := old.settings(), c.differs(old)
	for i, k := range c.settings() {
		if fixed(k.key) && slices.Contains(differs, k.key) {
			otherwise = append(otherwise, k.key)
			k.put(was[i].get())
		}
	}
	return otherwise
}

// onlyAtStart returns what tells of a key whether only a start can give it the value of config: that of sockets and files
// that are open, and of a table that hits are read from without a lock.
func (r *running) onlyAtStart(old *effect, config Config) func(key string) bool {
	return func(key string) bool {
		switch key {
		case "server.listen", "status.listen", "cache.hotlist":
			return true
		case "monitor.store":
			return old.watch.monitor != nil && config.Monitor.on()
		case "cache.entries":
			return config.Cache.Entries > r.room
		}
		return false
	}
}

// notOurselves refuses upstreams that are our own listeners. These may be others than the configuration says.
func (c *Config) notOurselves(listen []netip.AddrPort) error {
	all := slices.Clone(c.Resolver.Upstreams)
	for _, route := range c.Resolver.Routes {
		all = append(all, route.Upstreams...)
	}
	for _, upstream := range all {
		if listener, own := ownListener(listen, upstreamAddrPort(upstream)); own {
			return fmt.Errorf("resolver.upstreams: %q is our own listener %s, which ends with a restart only: a loop", upstream, listener)
		}
	}
	return nil
}

// probing says whether connections are made in another way than by another configuration.
func (c *Config) probing(other Config) bool {
	return c.Resolver.DNSSEC != other.Resolver.DNSSEC || !reflect.DeepEqual(c.SMTPProbe, other.SMTPProbe)
}

// changed returns the keys that say something else than before, or whose files do.
func changed(now, before Config, w, was *wiring) []string {
	keys := now.differs(before)
	add := func(key string) {
		if !slices.Contains(keys, key) {
			keys = append(keys, key)
		}
	}
	if !slices.Contains(keys, "resolver.records") && !reflect.DeepEqual(w.resolver.Records, was.resolver.Records) {
		add("resolver.hosts")
	}
	if !w.upstreams.roots.Equal(was.upstreams.roots) {
		add("resolver.ca_file")
	}
	return keys
}

// rerouted returns the zones whose answers of until now, by another wiring, say nothing about those of from now on: others
// answer for them, or other things are believed of what is answered.
func (w *wiring) rerouted(before *wiring) map[string]bool {
	zones := map[string]bool{}
	now, then := w.resolver, before.resolver
	if now.TrustAD != then.TrustAD || now.NoPrivate != then.NoPrivate {
		zones["."] = true
	}
	for _, records := range []resolver.Records{now.Records, then.Records} {
		for name := range maps.Keys(records) {
			if !reflect.DeepEqual(now.Records[name], then.Records[name]) {
				zones[name] = true
			}
		}
	}
	answering := routesByZone(then.Routes)
	for zone, now := range routesByZone(now.Routes) {
		if answering[zone] == now {
			delete(answering, zone)
		} else {
			zones[zone] = true
		}
	}
	for zone := range answering { // changed or gone
		zones[zone] = true
	}
	return zones
}

// routesByZone writes down who answers for a zone, and what is taken out of it.
func routesByZone(routes []resolver.Route) map[string]string {
	zones := map[string]string{}
	for _, r := range routes {
		text := fmt.Sprint(r.NoPrivate)
		for _, u := range r.Upstreams {
			text += " " + u.String()
		}
		zones[r.Zone] = text
	}
	return zones
}
