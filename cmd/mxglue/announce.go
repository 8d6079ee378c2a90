package main

import (
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"

	"github.com/mxglue/mxglue/cmd/mxglue/status"
)

// maxAnnounced is how many routes are told of: it stays one screen.
const maxAnnounced = 8

// announce says on one screen what runs, and a line to try it.
func announce(out io.Writer, config Config, listen []netip.AddrPort) {
	line := func(what, text string, args ...any) {
		fmt.Fprintf(out, "  %-14s  %s\n", what, fmt.Sprintf(text, args...))
	}
	from := config.File
	if from == "" {
		from = "built-in defaults"
	}
	fmt.Fprintf(out, "mxglue %s, configuration: %s\n", version(), from)
	line("answers DNS on", "%s (UDP and TCP)", join(listen))
	clients := join(config.Server.Allow)
	if slices.ContainsFunc(config.Server.Allow, func(p netip.Prefix) bool { return p.Bits() == 0 }) {
		clients += ": anybody, to attack others with, if the internet can reach it (server.allow)"
	}
	line("for clients in", "%s", clients)
	announceUpstreams(line, config)
	line("glue", "%s", config.Cache.Glue)
	bundle := "on: the addresses of all MX hosts are asked for at once"
	if !config.Resolver.Bundle {
		bundle = "off"
	}
	line("bundle", "%s", bundle)
	if m := config.Monitor; m.on() {
		line("monitor", "domains: %d, busiest: %d; every %s; history in %s", len(m.Domains), m.Busiest, short(m.Interval), m.Store)
	}
	if q := config.QueryLog; q.Output != "" {
		line("query log", "%s (%s; share of the queries: %v)", q.Output, q.Format, q.Sample)
	}
	if config.Status.Listen.IsValid() {
		line("status", "http://%s/", config.Status.Listen)
	}
	at := reachable(listen[0])
	fmt.Fprintf(out, "try:  dig @%s -p %d MX gmail.com\n", at.Addr(), at.Port())
}

// announceUpstreams says where answers come from, and what is believed of them.
func announceUpstreams(line func(what, text string, args ...any), config Config) {
	r := config.Resolver
	system := ""
	if r.FromSystem {
		system = " (from " + resolvConfFile + ")"
	}
	line("asks", "%s%s", inTurn(r.Upstreams, r.Policy), system)
	what := "routes"
	for _, route := range r.Routes[:min(len(r.Routes), maxAnnounced)] {
		line(what, "%s: %s", strings.TrimSuffix(route.Zone, "."), inTurn(route.Upstreams, route.Policy))
		what = ""
	}
	if more := len(r.Routes) - maxAnnounced; more > 0 {
		line("", "and %s", status.Counted(more, "more routes"))
	}
	if len(r.Records) > 0 {
		line("answers itself", "from resolver.records (names: %d)", len(r.Records))
	}
	if r.Hosts {
		line("answers itself", "from %s (resolver.hosts)", hostsFile)
	}
	believed := "passed on from upstreams on loopback, tls:// and https:// only"
	if r.DNSSEC == "trust" {
		believed = "passed on from every upstream"
	}
	line("AD bit", "%s", believed)
}

// inTurn tells whom a route asks and, of several, in which order.
func inTurn(upstreams []string, policy string) string {
	text := strings.Join(upstreams, ", ")
	if len(upstreams) > 1 {
		text += map[string]string{"order": ", in this order", "fastest": ", the fastest first", "race": ", all at once"}[policy]
	}
	return text
}

func join[T fmt.Stringer](list []T) string {
	var texts []string
	for _, x := range list {
		texts = append(texts, x.String())
	}
	return strings.Join(texts, ", ")
}
