package main

import (
	"fmt"
	"sync"

	"github.com/spf13/cobra"
)

// The flags that stand for a key of config.yaml.
var configFlags = []struct{ name, key, usage string }{
	{"listen", "server.listen", "answer DNS on `ADDR:PORT`, over UDP and TCP (repeatable)"},
	{"upstream", "resolver.upstreams", "ask the resolver at `IP[:PORT]`, tcp://IP:PORT, tls://IP:PORT#NAME or https://HOST/PATH?ip=IP (repeatable; none: /etc/resolv.conf)"},
	{"status", "status.listen", "`ADDR:PORT` of the status page; \"\" for none"},
	{"glue", "cache.glue", "what to make of the additional section of an MX answer, a `WORD`: trust, verify or ignore"},
	{"bundle", "resolver.bundle", "ask for the addresses of MX hosts before the mail server does; --bundle=false: do not"},
	{"log-level", "log.level", "least important `LEVEL` to log: debug, info, warn or error"},
	{"port", "smtpprobe.port", "TCP `PORT` to connect to"},
	{"allow-private", "smtpprobe.allow_private", "connect to private and loopback addresses too"},
	{"timeout", "smtpprobe.timeout", "`DURATION` for everything with one address, such as 90s"},
}

// defaults are those of all keys.
var defaults = sync.OnceValue(func() map[string]any {
	defaults := map[string]any{}
	for _, k := range new(Config).settings() {
		defaults[k.key] = k.def
	}
	return defaults
})

// serveFlags registers the flags of mxglue serve. loadConfig reads them.
func serveFlags(cmd *cobra.Command) {
	registerFlags(cmd, "listen", "upstream", "status", "glue", "bundle", "log-level")
}

// checkFlags registers the flags of mxglue check that belong to the configuration. loadConfig reads them.
func checkFlags(cmd *cobra.Command) {
	registerFlags(cmd, "upstream", "glue", "bundle", "log-level", "port", "allow-private", "timeout")
}

// statusUsage is that of --status where it names a daemon that runs.
const statusUsage = "ask the daemon at `ADDR:PORT`, its status.listen"

// statusFlags registers the flags of mxglue stats, flush, dump and explain that belong to the configuration. loadConfig reads them.
func statusFlags(cmd *cobra.Command) {
	registerFlags(cmd, "status")
	cmd.Flags().Lookup("status").Usage = statusUsage
}

// registerFlags registers --config and the named flags. They are strings even for a number: the settings check them, so
// that a bad value reads the same wherever it stands.
func registerFlags(cmd *cobra.Command, names ...string) {
	flags := cmd.Flags()
	flags.String("config", "", "read the configuration from `FILE` (else ./config.yaml, else /etc/mxglue/config.yaml)")
	for _, name := range names {
		for _, f := range configFlags {
			if f.name != name {
				continue
			}
			switch def := defaults()[f.key].(type) {
			case []string:
				flags.StringArray(name, def, f.usage)
			case bool:
				text := switchText(fmt.Sprint(def))
				flags.VarPF(&text, name, "", f.usage).NoOptDefVal = "true"
			default:
				flags.String(name, fmt.Sprint(def), f.usage)
			}
		}
	}
}

// A switchText is a flag that is true or false, as text for the settings to check.
type switchText string

func (s *switchText) Set(text string) error { *s = switchText(text); return nil }
func (s *switchText) String() string        { return string(*s) }

// Type has --help show the flag as it shows any other switch. Viper would make false of what it is told to be a "bool".
func (*switchText) Type() string { return "boolfunc" }
