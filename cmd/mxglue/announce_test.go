package main

import (
	"fmt"
	"strings"
	"testing"
)

func announced(t *testing.T, config string, system bool) string {
	t.Helper()
	c, err := load(t, config)
	if err != nil {
		t.Fatal(err)
	}
	c.Resolver.FromSystem = system
	var out strings.Builder
	announce(&out, c, c.Server.Listen)
	return out.String()
}

func TestAnnounceSaysWhomItAsks(t *testing.T) {
	text := announced(t, `
resolver:
  upstreams: [192.0.2.1, tls://192.0.2.2#dns.example]
  policy: fastest
  records: [mx.example. A 192.0.2.25]
  hosts: true
  routes:
    - {zone: corp.example, upstreams: [10.0.0.53, 10.0.1.53], policy: race}
    - {zone: zen.spamhaus.org, upstreams: 127.0.0.1:5335}
`, false)
	for _, want := range []string{
		"  answers DNS on  127.0.0.1:5300 (UDP and TCP)\n",
		"  asks            udp://192.0.2.1:53, tls://192.0.2.2:853#dns.example, the fastest first\n",
		"  routes          corp.example: udp://10.0.0.53:53, udp://10.0.1.53:53, all at once\n",
		"                  zen.spamhaus.org: udp://127.0.0.1:5335\n",
		"  answers itself  from resolver.records (names: 1)\n",
		"  answers itself  from /etc/hosts (resolver.hosts)\n",
		"  AD bit          passed on from upstreams on loopback, tls:// and https:// only\n",
		"try:  dig @127.0.0.1 -p 5300 MX gmail.com\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
	text = announced(t, "resolver: {upstreams: 192.0.2.1, dnssec: trust}", true)
	for _, want := range []string{"udp://192.0.2.1:53 (from /etc/resolv.conf)\n", "AD bit          passed on from every upstream\n"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
}

// An open resolver is told of, and a network of one's own is not.
func TestAnnounceSaysWhoMayAsk(t *testing.T) {
	for allow, want := range map[string]string{
		"[127.0.0.0/8, '::/0']": "  for clients in  127.0.0.0/8, ::/0: anybody, to attack others with, if the internet can reach it (server.allow)\n",
		"[10.0.0.0/8]":          "  for clients in  10.0.0.0/8\n",
	} {
		if text := announced(t, "server: {allow: "+allow+"}\nresolver: {upstreams: 192.0.2.1}\n", false); !strings.Contains(text, want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
}

// What connects to others, and what writes down who writes to whom, is told where it is on.
func TestAnnounceSaysWhatWatches(t *testing.T) {
	const config = "resolver: {upstreams: 192.0.2.1}\n"
	text := announced(t, config+"monitor: {domains: [a.example, b.example], busiest: 5}\nquerylog: {output: /var/lib/mxglue/queries, sample: 0.1}\n", false)
	for _, want := range []string{
		"  monitor         domains: 2, busiest: 5; every 15m; history in /var/lib/mxglue/monitor.db\n",
		"  query log       /var/lib/mxglue/queries (json; share of the queries: 0.1)\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
	if text := announced(t, config, false); strings.Contains(text, "monitor") || strings.Contains(text, "query log") {
		t.Errorf("as it comes there is neither monitor nor query log:\n%s", text)
	}
}

func TestAnnounceIsOneScreen(t *testing.T) {
	for routes, want := range map[int]string{50: "and 42 more routes\n", 9: "and 1 more route\n"} {
		config := "resolver:\n  upstreams: 192.0.2.1\n  routes:\n"
		for i := range routes {
			config += fmt.Sprintf("    - {zone: z%d.example, upstreams: 192.0.2.1}\n", i)
		}
		text := announced(t, config, false)
		if lines := strings.Count(text, "\n"); lines > 24 || !strings.Contains(text, want) {
			t.Errorf("%d lines, want %q:\n%s", lines, want, text)
		}
	}
}
