package main

import (
	"log/slog"
	"net/netip"
	"time"

	"github.com/mxglue/mxglue/resolver"
)

// Config is what config.yaml, the environment and the flags say, checked. Its sections and fields are those of
// config.yaml, which describes them.
type Config struct {
	File string // the configuration file that was read; "" if there was none

	Server struct {
		Listen         []netip.AddrPort // at least one
		Allow          []netip.Prefix   // at least one, without host bits
		MaxWaiting     int
		TCPConnections int
		TCPPerClient   int
	}
	Cache struct {
		Entries        int
		Memory         int    // octets
		Glue           string // trust, verify or ignore
		GlueMaxTTL     time.Duration
		GlueScope      string // client or all
		GluePrivate    bool
		NegativeMaxTTL time.Duration
		MinTTL, MaxTTL time.Duration // 0: none; MinTTL is at most MaxTTL
		Hotlist        string        // a file; "": off
	}
	Resolver struct {
		Upstreams        []string // as upstreamAddress yields them; empty: see findUpstreams
		FromSystem       bool     // set by findUpstreams
		Policy           string   // order, fastest or race
		Routes           []Route  // each zone once
		Records          resolver.Records
		Hosts            bool
		DNSSEC           string // strip or trust
		RebindProtection bool
		Bundle           bool
		Timeout          time.Duration // the whole budget of one question
		FirstTry         time.Duration // at most Timeout
		StaleAfter       time.Duration // less than Timeout
		MaxInflight      int
		Case0x20         bool
		CAFile           string // PEM; "": the system's
	}
	SMTPProbe struct {
		Port         uint16
		HELO         string         // "": the name of this host
		AllowPrivate bool           // loopback, RFC 1918, RFC 4193
		Allow        []netip.Prefix // special-use addresses to connect to all the same
		Timeout      time.Duration  // for one address, from connect to QUIT
		Modules      map[string]Module
		ProbeTargets []string // A-labels; empty: all
	}
	Monitor  Monitor
	QueryLog QueryLog
	Status   struct {
		Listen netip.AddrPort // the zero AddrPort: off
		Token  string         // "": flush and dump are for loopback clients alone
	}
	Log struct {
		Level slog.Level
	}
}

// A setting is one key of config.yaml.
type setting struct {
	key string
	def any // the default, as config.yaml would say it
	setter
}

// settings is the table of all keys. Each setting writes into c.
func (c *Config) settings() []setting {
	server, cache, resolver, probe, watch := &c.Server, &c.Cache, &c.Resolver, &c.SMTPProbe, &c.Monitor
	loopback := []string{"127.0.0.0/8", "::1/128"}
	return []setting{
		{"server.listen", []string{"127.0.0.1:5300"}, list(&server.Listen, listenAddress(), 1)},
		{"server.allow", loopback, list(&server.Allow, network(), 1)},
		{"server.max_waiting", 1024, one(&server.MaxWaiting, number(1, 1_000_000))},
		{"server.tcp_connections", 256, one(&server.TCPConnections, number(1, 65535))},
		{"server.tcp_per_client", 32, one(&server.TCPPerClient, number(1, 65535))},

		{"cache.entries", 100_000, one(&cache.Entries, number(1, 100_000_000))},
		{"cache.memory", "256MiB", one(&cache.Memory, size(1<<20, 1<<40))},
		{"cache.glue", "trust", one(&cache.Glue, word("trust", "verify", "ignore"))},
		{"cache.glue_max_ttl", "300s", one(&cache.GlueMaxTTL, duration(time.Second, 24*time.Hour))},
		{"cache.glue_scope", "client", one(&cache.GlueScope, word("client", "all"))},
		{"cache.glue_private", false, one(&cache.GluePrivate, boolean())},
		// RFC 2308 §5: values of more than a day have been found to be problematic.
		{"cache.negative_max_ttl", "1h", one(&cache.NegativeMaxTTL, duration(time.Second, 24*time.Hour))},
		{"cache.min_ttl", "0s", one(&cache.MinTTL, orZero(duration(time.Second, time.Hour)))},
		{"cache.max_ttl", "0s", one(&cache.MaxTTL, orZero(duration(time.Second, 7*24*time.Hour)))},
		{"cache.hotlist", "", one(&cache.Hotlist, fileName())},

		{"resolver.upstreams", []string{}, list(&resolver.Upstreams, upstreamAddress(), 0)},
		{"resolver.policy", "order", one(&resolver.Policy, policy())},
		{"resolver.routes", []any{}, routes(&resolver.Routes)},
		{"resolver.records", []any{}, records(&resolver.Records)},
		{"resolver.hosts", false, one(&resolver.Hosts, boolean())},
		{"resolver.dnssec", "strip", one(&resolver.DNSSEC, word("strip", "trust"))},
		{"resolver.rebind_protection", false, one(&resolver.RebindProtection, boolean())},
		{"resolver.bundle", true, one(&resolver.Bundle, boolean())},
		{"resolver.timeout", "4s", one(&resolver.Timeout, duration(100*time.Millisecond, time.Minute))},
		{"resolver.first_try", "1500ms", one(&resolver.FirstTry, duration(10*time.Millisecond, time.Minute))},
		{"resolver.stale_after", "1800ms", one(&resolver.StaleAfter, duration(10*time.Millisecond, time.Minute))},
		{"resolver.max_inflight", 1024, one(&resolver.MaxInflight, number(1, 32768))},
		{"resolver.case_0x20", false, one(&resolver.Case0x20, boolean())},
		{"resolver.ca_file", "", one(&resolver.CAFile, fileName())},

		{"smtpprobe.port", 25, one(&probe.Port, number[uint16](1, 65535))},
		{"smtpprobe.helo", "", one(&probe.HELO, heloName())},
		{"smtpprobe.allow_private", false, one(&probe.AllowPrivate, boolean())},
		{"smtpprobe.allow", []string{}, list(&probe.Allow, network(), 0)},
		{"smtpprobe.timeout", "90s", one(&probe.Timeout, duration(time.Second, time.Hour))},
		{"smtpprobe.modules", map[string]any{}, modules(&probe.Modules)},
		{"smtpprobe.probe_targets", []string{}, list(&probe.ProbeTargets, mailDomain(), 0)},

		{"monitor.domains", []string{}, list(&watch.Domains, mailDomain(), 0)},
		{"monitor.busiest", 0, one(&watch.Busiest, number(0, maxMonitored))},
		{"monitor.interval", "15m", one(&watch.Interval, duration(time.Second, 24*time.Hour))},
		{"monitor.deep", 6, one(&watch.Deep, number(1, 1000))},
		{"monitor.own_mx", false, one(&watch.OwnMX, boolean())},
		{"monitor.store", "/var/lib/mxglue/monitor.db", one(&watch.Store, fileName())},

		{"querylog.output", "", one(&c.QueryLog.Output, logOutput())},
		{"querylog.format", "json", one(&c.QueryLog.Format, word("json", "dnstap"))},
		{"querylog.sample", 1, one(&c.QueryLog.Sample, share())},

		{"status.listen", "127.0.0.1:8053", one(&c.Status.Listen, orEmpty(listenAddress()))},
		{"status.token", "", secret(&c.Status.Token, orEmpty(token()))},
		{"log.level", "info", one(&c.Log.Level, logLevel())},
	}
}
