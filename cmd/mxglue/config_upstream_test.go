package main

import "testing"

func TestUpstreamForms(t *testing.T) {
	for text, want := range map[string]string{
		"192.0.2.1":                    "udp://192.0.2.1:53",
		"192.0.2.1:5353":               "udp://192.0.2.1:5353",
		"2001:db8::1":                  "udp://[2001:db8::1]:53",
		"[2001:db8::1]":                "udp://[2001:db8::1]:53",
		"[2001:db8::1]:5353":           "udp://[2001:db8::1]:5353",
		"fe80::1%eth0":                 "udp://[fe80::1%eth0]:53",
		"::ffff:192.0.2.1":             "udp://192.0.2.1:53",
		"udp://192.0.2.1:53":           "udp://192.0.2.1:53",
		"tcp://[2001:db8::1]":          "tcp://[2001:db8::1]:53",
		"tls://192.0.2.1":              "tls://192.0.2.1:853",
		"tls://192.0.2.1#dns.example":  "tls://192.0.2.1:853#dns.example",
		"tls://[2001:db8::1]:8853#a.b": "tls://[2001:db8::1]:8853#a.b",
		"https://192.0.2.1/dns":        "https://192.0.2.1/dns",
		"https://dns.example/dns-query?ip=192.0.2.1&ip=2001:db8::1": "https://dns.example/dns-query?ip=192.0.2.1&ip=2001:db8::1",

		"tls://dns.example":                   "",
		"tls://192.0.2.1#":                    "",
		"tls://0.0.0.0":                       "",
		"https://dns.example":                 "",
		"https://dns.example/q?ip=everywhere": "",
		"udp://192.0.2.1#dns.example":         "",
		"quic://192.0.2.1":                    "",
		"192.0.2.1:0":                         "",
		"192.0.2.1:65536":                     "",
		"0.0.0.0":                             "",
		"224.0.0.1":                           "",
		"[2001:db8::1":                        "",
		"resolver.example":                    "",
		"udp://":                              "",
	} {
		got, ok := upstreamAddress().parse(text)
		if !ok {
			got = ""
		}
		if got != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
}

// To ask one's own listener would go round for ever.
func TestUpstreamThatIsOurOwnListener(t *testing.T) {
	_, err := load(t, "", "--upstream", "192.0.2.1", "--upstream", "127.0.0.1:5300")
	wantErrors(t, err, `flag --upstream: resolver.upstreams: "udp://127.0.0.1:5300" is our own listener 127.0.0.1:5300 (server.listen): a loop`)
	_, err = load(t, "server: {listen: 0.0.0.0:53}", "--upstream", "tcp://127.0.0.9")
	wantErrors(t, err, `flag --upstream: resolver.upstreams: "tcp://127.0.0.9:53" is our own listener 0.0.0.0:53 (server.listen): a loop`)
	_, err = load(t, "resolver: {routes: [{zone: a.example, upstreams: 'tcp://127.0.0.1:5300'}]}")
	wantErrors(t, err, `config.yaml:1: resolver.routes: "tcp://127.0.0.1:5300" is our own listener 127.0.0.1:5300 (server.listen): a loop`)
	if _, err := load(t, "", "--upstream", "127.0.0.1:53", "--upstream", "127.0.0.2:5300"); err != nil {
		t.Errorf("another port and another loopback address: %v", err)
	}
	if _, err := loadWith(t, checkFlags, "--upstream", "127.0.0.1:5300"); err != nil {
		t.Errorf("mxglue check through the daemon: %v", err)
	}
}
