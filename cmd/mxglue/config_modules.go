package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/mxglue/mxglue/cmd/mxglue/status"
	"github.com/mxglue/mxglue/smtpprobe"
)

// A Module is an element of smtpprobe.modules: a way to probe for GET /probe. Which special addresses are connected to, and
// how long one address has, no module can say: smtpprobe.allow_private, smtpprobe.allow and smtpprobe.timeout hold for all.
type Module struct {
	Depth        smtpprobe.Depth
	Port         uint16 // 0: smtpprobe.port, or 465 with ImplicitTLS
	ImplicitTLS  bool
	HELO         string        // "": smtpprobe.helo
	Timeout      time.Duration // of the whole probe
	Require      status.Require
	AddressLabel bool // metrics for each address
}

// settings is the table of a module's keys.
func (m *Module) settings() []setting {
	return []setting{
		{"depth", "tls", one(&m.Depth, depth())},
		{"port", 0, one(&m.Port, number[uint16](0, 65535))},
		{"implicit_tls", false, one(&m.ImplicitTLS, boolean())},
		{"helo", "", one(&m.HELO, heloName())},
		{"timeout", "2m", one(&m.Timeout, duration(time.Second, 10*time.Minute))},
		{"require", "plain", one(&m.Require, require())},
		{"address_label", false, one(&m.AddressLabel, boolean())},
	}
}

// depth names how far a probe goes. "mxglue check" alone goes as far as RCPT, which is an address a probe.
func depth() kind[smtpprobe.Depth] {
	depths := map[string]smtpprobe.Depth{"dns": smtpprobe.DepthDNS, "greeting": smtpprobe.DepthGreeting, "tls": smtpprobe.DepthTLS}
	return kind[smtpprobe.Depth]{
		want: "one of dns, greeting, tls",
		parse: func(text string) (smtpprobe.Depth, bool) {
			d, ok := depths[text]
			return d, ok
		},
	}
}

// require names what a probe has to find for success.
func require() kind[status.Require] {
	words := word(string(status.RequirePlain), string(status.RequireTLS), string(status.RequireDANE), string(status.RequireSTS))
	return kind[status.Require]{
		want: words.want,
		parse: func(text string) (status.Require, bool) {
			_, ok := words.parse(text)
			return status.Require(text), ok
		},
	}
}

// modules is the setter of smtpprobe.modules. A variable of the environment, which is a string, cannot hold them.
func modules(dst *map[string]Module) setter {
	const maxModules = 100
	return to(dst, func(raw any) (wrong []string) {
		named, ok := raw.(map[string]any)
		if !ok {
			return []string{show(raw) + " is not a section of modules, each NAME: {depth: tls}; they can stand in config.yaml only"}
		}
		if len(named) > maxModules {
			return []string{fmt.Sprintf("has %d modules; at most %d", len(named), maxModules)}
		}
		*dst = map[string]Module{}
		all := maps.Clone(named)
		if _, said := all[status.DefaultModule]; !said {
			all[status.DefaultModule] = map[string]any{}
		}
		for _, name := range slices.Sorted(maps.Keys(all)) {
			var m Module
			if len(name) > 64 || name == "" || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789_-") != "" {
				wrong = append(wrong, show(name)+" is not a module's name: up to 64 letters, digits, _ and -")
			}
			problems := setKeys(all[name], m.settings(), "a module: write {} for one with the defaults")
			if problems == nil && m.Require != status.RequirePlain && m.Depth < smtpprobe.DepthTLS {
				problems = []string{fmt.Sprintf("require: %q needs depth: tls", m.Require)}
			}
			for _, text := range problems {
				wrong = append(wrong, fmt.Sprintf("module %s: %s", oneLine(name), text))
			}
			(*dst)[name] = m
		}
		return wrong
	})
}
