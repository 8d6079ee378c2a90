package main

import (
	"errors"
	"os"
	"reflect"
	"strings"
	"testing"
)

func TestRoutes(t *testing.T) {
	c, err := load(t, `
resolver:
  routes:
    - zone: zen.spamhaus.org
      upstreams: [127.0.0.1:5335]
    - {zone: Bücher.example., upstreams: "10.0.0.53, tls://10.0.1.53#ns.corp.example", policy: fastest, rebind_protection: true}
`)
	if err != nil {
		t.Fatal(err)
	}
	want := []Route{
		{Zone: "zen.spamhaus.org.", Upstreams: []string{"udp://127.0.0.1:5335"}, Policy: "order"},
		{Zone: "xn--bcher-kva.example.", Upstreams: []string{"udp://10.0.0.53:53", "tls://10.0.1.53:853#ns.corp.example"}, Policy: "fastest", RebindProtection: true},
	}
	if !reflect.DeepEqual(c.Resolver.Routes, want) {
		t.Errorf("routes are\n%+v\nwant\n%+v", c.Resolver.Routes, want)
	}
}

func TestBadRoutesSayWhichAndWhatIsWrong(t *testing.T) {
	const f = "config.yaml:1: resolver.routes: "
	for text, want := range map[string]string{
		"a.example":                f + `"a.example" is not a list of routes, each with zone and upstreams; such a list can stand in config.yaml only`,
		"{zone: a}":                f + `"map[zone:a]" is not a list of routes, each with zone and upstreams; such a list can stand in config.yaml only`,
		"[a.example]":              f + `route 1: "a.example" is not a route: it needs the keys zone and upstreams`,
		"[{1: 2}]":                 f + `route 1: 1: no such key; config.yaml of the distribution lists them all` + "\n" + f + `route 1: zone: has no value; write one` + "\n" + f + `route 1: upstreams: has no value; write one`,
		"[{zone: a}]":              f + `route 1: upstreams: has no value; write one`,
		"[{upstreams: 192.0.2.1}]": f + `route 1: zone: has no value; write one`,
		"[{zone: ~, upstreams: 192.0.2.1, policy: ~}]":                                  f + `route 1: zone: has no value; write one` + "\n" + f + `route 1: policy: has no value; write one`,
		"[{zone: a, upstreams: []}]":                                                    f + `route 1: upstreams: is empty; it needs at least one, and each an IP address with or without port, udp://IP:PORT, tcp://IP:PORT, tls://IP:PORT#NAME or https://HOST/PATH?ip=IP`,
		"[{zone: ., upstreams: 192.0.2.1}]":                                             f + `route 1: zone: "." is not a domain name such as example.com`,
		"[{zone: 'a b', upstreams: 192.0.2.1}]":                                         f + `route 1: zone: "a b" is not a domain name such as example.com`,
		"[{zone: a, upstreams: 192.0.2.1}, {zone: A., upstreams: 1.2.3.4}]":             f + `route 2: zone: "a." has a route already; list all its upstreams there`,
		"[{zone: a, upstreams: 192.0.2.1, polcy: race}]":                                f + `route 1: polcy: no such key; did you mean policy?`,
		"[{zone: a, upstreams: 192.0.2.1, password: b}]":                                f + `route 1: password: no such key; config.yaml of the distribution lists them all`,
		"[{zone: a, upstreams: 192.0.2.1, policy: random, rebind_protection: perhaps}]": f + `route 1: policy: "random" is not one of order, fastest, race` + "\n" + f + `route 1: rebind_protection: "perhaps" is not true or false`,
		"[{zone: a, upstreams: 192.0.2.1}, {Zone: b, zone: b, upstreams: 192.0.2.1}]":   "config.yaml:1: resolver.routes.Zone: keys are written in lower case",
	} {
		t.Run(text, func(t *testing.T) {
			_, err := load(t, "resolver: {routes: "+text+"}")
			wantErrors(t, err, strings.Split(want, "\n")...)
		})
	}
}

func TestTheEnvironmentCannotHoldRoutes(t *testing.T) {
	t.Setenv("MXGLUE_RESOLVER_ROUTES", "a.example=192.0.2.1")
	_, err := load(t, "")
	wantErrors(t, err, `environment MXGLUE_RESOLVER_ROUTES: resolver.routes: "a.example=192.0.2.1" is not a list of routes, each with zone and upstreams; such a list can stand in config.yaml only`)
}

func TestRecords(t *testing.T) {
	const two = "mx1.corp.example. 3600 IN A 10.0.0.25\nmx1.corp.example. IN TXT \"a, b\"\n"
	t.Run("environment", func(t *testing.T) {
		t.Setenv("MXGLUE_RESOLVER_RECORDS", two)
		c, err := load(t, "")
		if err != nil || len(c.Resolver.Records["mx1.corp.example."]) != 2 {
			t.Errorf("records are %v (%v), want two of one name", c.Resolver.Records, err)
		}
	})
	for name, text := range map[string]string{
		"list": `["mx1.corp.example. 3600 IN A 10.0.0.25", 'mx1.corp.example. IN TXT "a, b"', "mx1.corp.example. 3600 IN A 10.0.0.25"]`,
		"text": "|\n    " + strings.ReplaceAll(two, "\n", "\n    "),
	} {
		c, err := load(t, "resolver:\n  records: "+text+"\n")
		if err != nil || len(c.Resolver.Records["mx1.corp.example."]) != 2 {
			t.Errorf("%s: records are %v (%v), want two of one name", name, c.Resolver.Records, err)
		}
	}
}

// A second line in an element is a record as well, and what would make several is refused: none is lost without a word.
func TestBadRecordsAreAllNamed(t *testing.T) {
	_, err := load(t, "resolver: {records: [\"; mine\\na.example. A 192.0.2.1\\nb.example. A 192.0.2.256\", 'c.example. CNAME d.example.', 5, $GENERATE 1-2 $ A 192.0.2.1]}")
	var bad ConfigError
	if !errors.As(err, &bad) || len(bad) != 4 {
		t.Fatalf("error %v, want a ConfigError with four lines", err)
	}
	for i, want := range []string{
		`config.yaml:1: resolver.records: "b.example. A 192.0.2.256" is no zone-file line such as "mail.example.com. 3600 IN A 192.0.2.1"`,
		`config.yaml:1: resolver.records: "c.example. CNAME d.example.": an alias cannot be configured`,
		`config.yaml:1: resolver.records: "5" is no zone-file line such as "mail.example.com. 3600 IN A 192.0.2.1"`,
		`config.yaml:1: resolver.records: "$GENERATE 1-2 $ A 192.0.2.1" is a directive; write the records themselves`,
	} {
		if !strings.HasPrefix(bad[i].String(), want) {
			t.Errorf("error %d is\n%v\nwant\n%s", i, bad[i], want)
		}
	}
}

func TestSizes(t *testing.T) {
	for text, want := range map[string]int{"256MiB": 256 << 20, "1024KiB": 1 << 20, "2GiB": 2 << 30} {
		if got, ok := size(1<<20, 1<<40).parse(text); !ok || got != want {
			t.Errorf("%s is %d (%v), want %d", text, got, ok, want)
		}
	}
	for _, text := range []string{"", "GiB", "-1GiB", "1.5GiB", "0MiB", "2048GiB", "18446744073709551615GiB", "256 MiB", "1gib"} {
		if got, ok := size(1<<20, 1<<40).parse(text); ok {
			t.Errorf("%q is accepted as %d", text, got)
		}
	}
}

// What is wrong with a token is said without it: errors end up in logs.
func TestTokensAreNotShown(t *testing.T) {
	for _, token := range []string{"hunter2", "hunter2 hunter2 hunter2", "hunter2hunter2hunter2\n", strings.Repeat("hunter2", 40)} {
		t.Setenv("MXGLUE_STATUS_TOKEN", token)
		_, err := load(t, "")
		wantErrors(t, err, `environment MXGLUE_STATUS_TOKEN: status.token: the value (not shown here) is not 16 to 256 letters, digits or -._~+/= (openssl rand -hex 16 makes some) (or "" for none)`)
	}
	os.Unsetenv("MXGLUE_STATUS_TOKEN")
	c, err := load(t, "status: {token: 0123456789abcdef+/=}")
	if err != nil || c.Status.Token != "0123456789abcdef+/=" {
		t.Errorf("token %q (%v)", c.Status.Token, err)
	}
}

func TestDomainNames(t *testing.T) {
	for text, want := range map[string]string{
		"example.com": "example.com.", "Example.COM.": "example.com.", "_25._tcp.mx.example": "_25._tcp.mx.example.", "bücher.example": "xn--bcher-kva.example.",
		"1.2.3.4.zen.spamhaus.org": "1.2.3.4.zen.spamhaus.org.", "com": "com.",
		"": "", ".": "", "..": "", "a..b": "", "user@example.com": "", "me@bücher.example": "", "a b": "", "a\x1bb": "", "-a": "", "http://a": "",
		strings.Repeat("a", 64): "",
	} {
		got, ok := domainName().parse(text)
		if !ok {
			got = ""
		}
		if got != want {
			t.Errorf("%q is %q, want %q", text, got, want)
		}
	}
}
