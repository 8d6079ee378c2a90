package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestBadValuesNameKeyValueSourceAndWhatIsRight(t *testing.T) {
	const f = "config.yaml:1: "
	for text, want := range map[string]string{
		"cache: {glue: trusted}":                                 f + `cache.glue: "trusted" is not one of trust, verify, ignore`,
		"cache: {glue: [trust]}":                                 f + `cache.glue: "[trust]" is not one of trust, verify, ignore`,
		"cache: {entries: many}":                                 f + `cache.entries: "many" is not a number from 1 to 100000000`,
		"cache: {entries: 0}":                                    f + `cache.entries: "0" is not a number from 1 to 100000000`,
		"cache: {entries: 1.5}":                                  f + `cache.entries: "1.5" is not a number from 1 to 100000000`,
		"cache: {glue_max_ttl: 300}":                             f + `cache.glue_max_ttl: "300" is not a duration from 1s to 24h, written with its unit (1500ms, 4s, 5m, 1h)`,
		"cache: {glue_private: maybe}":                           f + `cache.glue_private: "maybe" is not true or false`,
		"cache: {entries: }":                                     f + `cache.entries: has no value; write one, or delete the line for the default`,
		"cache: 5":                                               f + `cache: "5" is not a section of keys`,
		"server: {listen: [localhost:53]}":                       f + `server.listen: "localhost:53" is not an address and port such as 127.0.0.1:53, "[::1]:53" or 0.0.0.0:53`,
		"server: {listen: 127.0.0.1}":                            f + `server.listen: "127.0.0.1" is not an address and port such as 127.0.0.1:53, "[::1]:53" or 0.0.0.0:53`,
		"server: {listen: []}":                                   f + `server.listen: is empty; it needs at least one, and each an address and port such as 127.0.0.1:53, "[::1]:53" or 0.0.0.0:53`,
		"server: {listen: ['127.0.0.1:5','127.0.0.1:5']}":        f + `server.listen: "127.0.0.1:5" is listed twice`,
		"server: {allow: [10.0.0.1/8]}":                          f + `server.allow: "10.0.0.1/8" is not a network such as 192.0.2.0/24 or 2001:db8::/32 without host bits, or an address`,
		"resolver: {upstreams: [dns.example]}":                   f + `resolver.upstreams: "dns.example" is not an IP address with or without port, udp://IP:PORT, tcp://IP:PORT, tls://IP:PORT#NAME or https://HOST/PATH?ip=IP`,
		"resolver: {timeout: 1700ms}":                            `default: resolver.stale_after: "1.8s" is not less than resolver.timeout, 1.7s`,
		"resolver: {first_try: 5s}":                              f + `resolver.first_try: "5s" is longer than resolver.timeout, 4s`,
		"resolver: {stale_after: 4s}":                            f + `resolver.stale_after: "4s" is not less than resolver.timeout, 4s`,
		"resolver: {policy: random}":                             f + `resolver.policy: "random" is not one of order, fastest, race`,
		"resolver: {dnssec: validate}":                           f + `resolver.dnssec: "validate" is not one of strip, trust`,
		"resolver: {ca_file: \"a\\nb\"}":                         f + `resolver.ca_file: "a\nb" is not a file name without control characters`,
		"cache: {memory: 256}":                                   f + `cache.memory: "256" is not a size from 1MiB to 1024GiB, written with its unit (KiB, MiB, GiB)`,
		"cache: {memory: 256MB}":                                 f + `cache.memory: "256MB" is not a size from 1MiB to 1024GiB, written with its unit (KiB, MiB, GiB)`,
		"cache: {memory: 99KiB}":                                 f + `cache.memory: "99KiB" is not a size from 1MiB to 1024GiB, written with its unit (KiB, MiB, GiB)`,
		"cache: {memory: 4294967295GiB}":                         f + `cache.memory: "4294967295GiB" is not a size from 1MiB to 1024GiB, written with its unit (KiB, MiB, GiB)`,
		"cache: {min_ttl: 2h}":                                   f + `cache.min_ttl: "2h" is not a duration from 1s to 1h, written with its unit (1500ms, 4s, 5m, 1h) (or 0s for none)`,
		"cache: {max_ttl: 1ms}":                                  f + `cache.max_ttl: "1ms" is not a duration from 1s to 168h, written with its unit (1500ms, 4s, 5m, 1h) (or 0s for none)`,
		"cache: {min_ttl: 1m, max_ttl: 30s}":                     f + `cache.min_ttl: "1m0s" is longer than cache.max_ttl, 30s`,
		"smtpprobe: {port: 65536}":                               f + `smtpprobe.port: "65536" is not a number from 1 to 65535`,
		`smtpprobe: {helo: "a\r\nMAIL FROM:<>"}`:                 f + `smtpprobe.helo: "a\r\nMAIL FROM:<>" is not a host name such as mail.example.com or an address literal such as [192.0.2.1] or [IPv6:2001:db8::1]`,
		"smtpprobe: {modules: [mx]}":                             f + `smtpprobe.modules: "[mx]" is not a section of modules, each NAME: {depth: tls}; they can stand in config.yaml only`,
		"smtpprobe: {modules: {mx: tls}}":                        f + `smtpprobe.modules: module mx: "tls" is not a module: write {} for one with the defaults`,
		"smtpprobe: {modules: {a b: {}}}":                        f + `smtpprobe.modules: "a b" is not a module's name: up to 64 letters, digits, _ and -`,
		"smtpprobe: {modules: {a.b: {}}}":                        f + `smtpprobe.modules: "a.b" is not a module's name: up to 64 letters, digits, _ and -`,
		"smtpprobe: {modules: {x: {dept: tls}}}":                 f + `smtpprobe.modules: module x: dept: no such key; did you mean depth?`,
		"smtpprobe: {modules: {x: {depth: rcpt}}}":               f + `smtpprobe.modules: module x: depth: "rcpt" is not one of dns, greeting, tls`,
		"smtpprobe: {modules: {x: {timeout: 1h}}}":               f + `smtpprobe.modules: module x: timeout: "1h" is not a duration from 1s to 10m, written with its unit (1500ms, 4s, 5m, 1h)`,
		"smtpprobe: {modules: {x: {require: sts}}}":              f + `smtpprobe.modules: module x: require: "sts" is not one of plain, tls, dane, mta_sts`,
		"smtpprobe: {modules: {x: {allow_private: true}}}":       f + `smtpprobe.modules: module x: allow_private: no such key; config.yaml of the distribution lists them all`,
		"smtpprobe: {modules: {x: {depth: dns, require: dane}}}": f + `smtpprobe.modules: module x: require: "dane" needs depth: tls`,
		"smtpprobe: {probe_targets: ['192.0.2.1']}":              f + `smtpprobe.probe_targets: "192.0.2.1" is not a mail domain such as example.com`,
		"monitor: {domains: [user@example.com]}":                 f + `monitor.domains: "user@example.com" is not a mail domain such as example.com`,
		"monitor: {domains: [example.com, Example.COM.]}":        f + `monitor.domains: "Example.COM." is listed twice`,
		"monitor: {domains: [example.com], store: ''}":           f + `monitor.store: is empty; the monitor needs a file to remember in, such as /var/lib/mxglue/monitor.db`,
		"monitor: {interval: 1m}":                                f + `monitor.interval: "1m0s" is less than 5m, which the owners of mail servers take for an attack; if these are all your own, say monitor.own_mx: true`,
		"monitor: {busiest: 10, own_mx: true}":                   f + `monitor.busiest: "10" would probe the mail servers of others without pause: leave it at 0, or say monitor.own_mx: false`,
		"monitor: {busiest: 1001}":                               f + `monitor.busiest: "1001" is not a number from 0 to 1000`,
		"monitor: {deep: 0}":                                     f + `monitor.deep: "0" is not a number from 1 to 1000`,
		"status: {listen: ':8053'}":                              f + `status.listen: ":8053" is not an address and port such as 127.0.0.1:53, "[::1]:53" or 0.0.0.0:53 (or "" for none)`,
		"status: {listen: 127.0.0.1:5300}":                       f + `status.listen: "127.0.0.1:5300" is taken by server.listen; choose another port`,
		"log: {level: INFO+2}":                                   f + `log.level: "INFO+2" is not one of debug, info, warn, error`,
	} {
		t.Run(text, func(t *testing.T) {
			_, err := load(t, text)
			wantErrors(t, err, want)
		})
	}
}

func TestUnknownKeysAreNamedAndTheNearestKnownOneSuggested(t *testing.T) {
	for text, want := range map[string]string{
		"cache: {gleu: trust}":                       `config.yaml:1: cache.gleu: no such key; did you mean cache.glue?`,
		"chace: {glue: trust}":                       `config.yaml:1: chace.glue: no such key; did you mean cache.glue?`,
		"server: {glue_scope: all}":                  `config.yaml:1: server.glue_scope: no such key; did you mean cache.glue_scope?`,
		"upstreams: [192.0.2.1]":                     `config.yaml:1: upstreams: no such key; did you mean resolver.upstreams?`,
		"database: {password: xyz}":                  `config.yaml:1: database.password: no such key; config.yaml of the distribution lists them all`,
		"Cache: {glue: ignore}\ncache: {Entries: 9}": "config.yaml:1: Cache: keys are written in lower case\nconfig.yaml:2: cache.Entries: keys are written in lower case",
		"cache:\n  glue: trust\ncache.glue: verify":  `config.yaml:2: cache.glue: stands in the file once more; delete one of the two`,
		"\"a\\nb\": 1":                               `config.yaml:1: "a\nb": no such key; config.yaml of the distribution lists them all`,
		"cache: {glue: {mode: a}}":                   `config.yaml:1: cache.glue: "map[mode:a]" is not one of trust, verify, ignore`,
	} {
		t.Run(text, func(t *testing.T) {
			_, err := load(t, text)
			wantErrors(t, err, strings.Split(want, "\n")...)
		})
	}
}

func TestAllProblemsAtOnce(t *testing.T) {
	t.Setenv("MXGLUE_CACHE_ENTRIES", "lots")
	t.Setenv("MXGLUE_CACHE_GLEU", "trust")
	t.Setenv("MXGLUE_SERVICE_HOST", "10.0.0.1") // Kubernetes sets these for a service named mxglue
	t.Setenv("MXGLUE_PORT_53_UDP", "udp://10.0.0.1:53")
	_, err := load(t, "server:\n  listn: x\n  allow: [all, none]\nsmtpprobe:\n  port: 0\n", "--log-level", "loud", "--bundle=2")
	wantErrors(t, err,
		`config.yaml:2: server.listn: no such key; did you mean server.listen?`,
		`environment MXGLUE_CACHE_GLEU: no such variable; did you mean MXGLUE_CACHE_GLUE?`,
		`config.yaml:3: server.allow: "all" is not a network such as 192.0.2.0/24 or 2001:db8::/32 without host bits, or an address`,
		`config.yaml:3: server.allow: "none" is not a network such as 192.0.2.0/24 or 2001:db8::/32 without host bits, or an address`,
		`environment MXGLUE_CACHE_ENTRIES: cache.entries: "lots" is not a number from 1 to 100000000`,
		`flag --bundle: resolver.bundle: "2" is not true or false`,
		`config.yaml:5: smtpprobe.port: "0" is not a number from 1 to 65535`,
		`flag --log-level: log.level: "loud" is not one of debug, info, warn, error`,
	)
}

// YAML, but no configuration: another program's file, say.
func TestNoSections(t *testing.T) {
	for _, text := range []string{"- a\n- b\n", "nameserver 192.0.2.53\noptions edns0\n"} {
		if _, err := load(t, text); err == nil || !strings.HasPrefix(err.Error(), "config.yaml: has no sections: want lines as in the config.yaml that comes with mxglue") {
			t.Errorf("%q: error %v, want to hear that there are no sections", text, err)
		}
	}
}

// One line, with the file and the line in it.
func TestBrokenYAML(t *testing.T) {
	for _, text := range []string{
		"cache:\n  glue: [trust\n",
		"cache:\n  glue: trust\n  glue: verify\n",
		"cache:\n\tglue: trust\n",
		"server:\n  listen: [::1]:53\n",
	} {
		_, err := load(t, text)
		if err == nil {
			t.Errorf("%q: no error", text)
			continue
		}
		if got := err.Error(); !strings.HasPrefix(got, "config.yaml: is not YAML: line ") || strings.Contains(got, "\n") {
			t.Errorf("%q: error %q, want one line that names file and line", text, got)
		}
	}
}

func TestHELONames(t *testing.T) {
	for text, want := range map[string]bool{
		"": true, "mx": true, "mail.example.com": true, "[192.0.2.1]": true, "[IPv6:2001:db8::1]": true,
		"mail_1.example": false, "-a.example": false, "a..example": false, "a.example.": false, "a b": false, "a\r\nQUIT": false,
		"[2001:db8::1]": false, "[IPv6:192.0.2.1]": false, "[IPv6:fe80::1%\r\nQUIT]": false, "[192.0.2.1": false,
		strings.Repeat("a", 64): false,
	} {
		if _, ok := heloName().parse(text); ok != want {
			t.Errorf("%q is accepted: %v, want %v", text, ok, want)
		}
	}
}

func FuzzConfig(f *testing.F) {
	for _, seed := range []string{
		"", "cache:\n  glue: trust\n", "cache: 5", "cache: {glue: {a: {b: c}}}", "server: {listen: [127.0.0.1:53, [1, 2]]}",
		"a: &a [*a]", "a: &a {b: *a}", "? [x]\n: y", "1: {2: 3}", "true: ~", "'': {'': ''}", "'.': {'.': 1}", "\"a\\nb\": {C: 1}", "cache.glue: verify",
		"Cache: {GLUE: verify}\ncache: {glue: ignore}", "log: {level: !!binary aGk=}", "log: {level: 2001-01-01}", "---\n...\n---\n",
		"cache: {entries: 0x10}", "cache: {entries: .inf}", "<<: {cache: {glue: trust}}", "server: {allow: '0.0.0.0/0, ::/0'}",
		"resolver: {routes: [{zone: a.example, upstreams: 192.0.2.1}, {Zone: {}, 1: 2}, [], ~], records: 'a. A 192.0.2.1'}",
		"resolver: {routes: [{zone: a, upstreams: ['tls://1.2.3.4#b', 'https://c/d'], policy: race, rebind_protection: true}]}",
		"smtpprobe: {modules: {mx: {depth: tls, port: 0}, x: ~, Y: {}, 1: {}, a.b: {c: d}}, probe_targets: a.example}",
		"monitor: {domains: [a.example, '*'], busiest: 3, interval: 1s, own_mx: true, deep: 1, store: x}",
		"cache: {memory: 4194304KiB, hotlist: x, min_ttl: 0s}", "status: {token: [a]}",
		"resolver: {upstreams: ['[fe80::1%a]:1', 'tcp://1.2.3.4'], timeout: 1s, first_try: 900ms}", "smtpprobe: {helo: '[IPv6:::]'}",
	} {
		f.Add(seed)
	}
	file := filepath.Join(f.TempDir(), "config.yaml")
	f.Fuzz(func(t *testing.T, text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		c, err := loadWith(t, serveFlags, "--config", file)
		if err != nil {
			var bad ConfigError
			if !errors.As(err, &bad) || len(bad) == 0 {
				t.Fatalf("%#v is no ConfigError", err)
			}
			for _, problem := range bad {
				if problem.Source == "" || problem.Text == "" || strings.ContainsAny(problem.String(), "\r\n") {
					t.Errorf("%q is not one line that says where and what", problem)
				}
			}
			return
		}
		if len(c.Server.Listen) == 0 || len(c.Server.Allow) == 0 || c.Cache.Entries < 1 || c.Resolver.FirstTry > c.Resolver.Timeout {
			t.Errorf("accepted: %+v", c)
		}
		if c.Resolver.StaleAfter >= c.Resolver.Timeout || c.Cache.Memory < 1<<20 || c.Resolver.Records == nil {
			t.Errorf("accepted: %+v", c)
		}
		if _, there := c.SMTPProbe.Modules["mx"]; !there || c.Monitor.Interval < 5*time.Minute && !c.Monitor.OwnMX {
			t.Errorf("accepted: %+v", c)
		}
		if _, err := newUpstreams(c, nil); err != nil && !strings.Contains(err.Error(), "add ?ip=") && c.Resolver.CAFile == "" {
			t.Errorf("accepted, and then %v", err)
		}
	})
}
