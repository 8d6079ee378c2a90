package main

import (
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/mxglue/mxglue/cmd/mxglue/status"
	"github.com/mxglue/mxglue/smtpprobe"
)

func TestModulesHaveTheirDefaultsAndMXIsAlwaysThere(t *testing.T) {
	defaults := Module{Depth: smtpprobe.DepthTLS, Timeout: 2 * time.Minute, Require: status.RequirePlain}
	for text, want := range map[string]map[string]Module{
		"":                              {"mx": defaults},
		"smtpprobe: {modules: {}}":      {"mx": defaults},
		"smtpprobe: {port: 2525}":       {"mx": defaults},
		"smtpprobe: {modules: {x: {}}}": {"mx": defaults, "x": defaults},
		"smtpprobe: {modules: {mx: {depth: greeting, timeout: 20s}, smtps: {implicit_tls: true, require: dane, address_label: true, port: 4650, helo: mx.example.com}}}": {
			"mx": {Depth: smtpprobe.DepthGreeting, Timeout: 20 * time.Second, Require: status.RequirePlain},
			"smtps": {Depth: smtpprobe.DepthTLS, ImplicitTLS: true, Port: 4650, HELO: "mx.example.com", Timeout: 2 * time.Minute,
				Require: status.RequireDANE, AddressLabel: true},
		},
	} {
		c, err := load(t, text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
		} else if !maps.Equal(c.SMTPProbe.Modules, want) {
			t.Errorf("%s: %+v\nwant %+v", text, c.SMTPProbe.Modules, want)
		}
	}
	t.Setenv("MXGLUE_SMTPPROBE_MODULES", "mx")
	_, err := load(t, "")
	wantErrors(t, err, `environment MXGLUE_SMTPPROBE_MODULES: smtpprobe.modules: "mx" is not a section of modules, each NAME: {depth: tls}; they can stand in config.yaml only`)
}

func TestModulesSayOtherwiseThanTheSection(t *testing.T) {
	section := smtpprobe.Options{Helo: "a.example", Port: 2525, AllowPrivate: false}
	for _, c := range []struct {
		module Module
		helo   string
		port   uint16
	}{
		{Module{}, "a.example", 2525},
		{Module{HELO: "b.example", Port: 26}, "b.example", 26},
		{Module{ImplicitTLS: true}, "a.example", 0}, // which is 465
		{Module{ImplicitTLS: true, Port: 4650}, "a.example", 4650},
	} {
		opt := c.module.options(section)
		if opt.Helo != c.helo || opt.Port != c.port || opt.ImplicitTLS != c.module.ImplicitTLS || opt.AllowPrivate {
			t.Errorf("%+v: helo %q, port %d, implicit %v, private %v; want %q, %d", c.module, opt.Helo, opt.Port, opt.ImplicitTLS, opt.AllowPrivate, c.helo, c.port)
		}
	}
}

// Modules that knock at one port go as far as the one that goes farthest.
func TestModulesReachTogether(t *testing.T) {
	modules := map[string]Module{
		"quick": {Depth: smtpprobe.DepthGreeting}, "deep": {Depth: smtpprobe.DepthTLS}, "dns": {Depth: smtpprobe.DepthDNS},
		"other": {Depth: smtpprobe.DepthGreeting, Port: 587}, "smtps": {Depth: smtpprobe.DepthGreeting, ImplicitTLS: true},
	}
	section := smtpprobe.Options{Port: 25}
	for name, want := range map[string]smtpprobe.Depth{"quick": smtpprobe.DepthTLS, "deep": smtpprobe.DepthTLS, "other": smtpprobe.DepthGreeting, "smtps": smtpprobe.DepthGreeting} {
		if got := reach(modules, section, modules[name].options(section)); got != want {
			t.Errorf("%s reaches %d, want %d", name, got, want)
		}
	}
}

func TestMonitorSettingsFromTheEnvironment(t *testing.T) {
	t.Setenv("MXGLUE_MONITOR_DOMAINS", "example.com, münchen.example")
	t.Setenv("MXGLUE_MONITOR_INTERVAL", "30s")
	t.Setenv("MXGLUE_MONITOR_OWN_MX", "true")
	t.Setenv("MXGLUE_MONITOR_STORE", "/tmp/x")
	t.Setenv("MXGLUE_SMTPPROBE_PROBE_TARGETS", "example.com example.org")
	c, err := load(t, "")
	if err != nil {
		t.Fatal(err)
	}
	m := c.Monitor
	if !slices.Equal(m.Domains, []string{"example.com", "xn--mnchen-3ya.example"}) || m.Interval != 30*time.Second || !m.OwnMX || m.Store != "/tmp/x" || m.Deep != 6 {
		t.Errorf("monitor is %+v", m)
	}
	if !slices.Equal(c.SMTPProbe.ProbeTargets, []string{"example.com", "example.org"}) {
		t.Errorf("probe_targets is %v", c.SMTPProbe.ProbeTargets)
	}
}
