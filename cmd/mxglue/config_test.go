package main

import (
	"errors"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
)

// load is loadConfig as "mxglue serve" calls it, in an empty working directory with text as its config.yaml.
func load(t *testing.T, text string, args ...string) (Config, error) {
	t.Helper()
	t.Chdir(t.TempDir())
	if err := os.WriteFile("config.yaml", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return loadWith(t, serveFlags, args...)
}

func loadWith(t *testing.T, register func(*cobra.Command), args ...string) (Config, error) {
	t.Helper()
	cmd := &cobra.Command{}
	register(cmd)
	if err := cmd.ParseFlags(args); err != nil {
		t.Fatal(err)
	}
	return loadConfig(cmd.Flags())
}

// wantErrors compares the lines of a ConfigError.
func wantErrors(t *testing.T, err error, want ...string) {
	t.Helper()
	var bad ConfigError
	if !errors.As(err, &bad) {
		t.Fatalf("error %v, want a ConfigError", err)
	}
	if got := strings.Split(bad.Error(), "\n"); !slices.Equal(got, want) {
		t.Errorf("errors\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestConfigFileOfTheRepositoryIsTheDefaults(t *testing.T) {
	file, err := filepath.Abs("../../config.yaml")
	if err != nil {
		t.Fatal(err)
	}
	defaults, err := load(t, "")
	if err != nil {
		t.Fatal(err)
	}
	written, err := loadWith(t, serveFlags, "--config", file)
	if err != nil {
		t.Fatal(err)
	}
	written.File = defaults.File
	if !reflect.DeepEqual(written, defaults) {
		t.Errorf("config.yaml says\n%+v\nthe defaults are\n%+v", written, defaults)
	}
}

// Every key stands in config.yaml, in its section, under a comment of its own or of the key before it.
func TestConfigFileOfTheRepositoryExplainsEveryKey(t *testing.T) {
	text, err := os.ReadFile("../../config.yaml")
	if err != nil {
		t.Fatal(err)
	}
	explained := map[string]bool{}
	section, comment := "", false
	for line := range strings.Lines(string(text)) {
		word, isKey := strings.CutPrefix(line, "  ")
		key, _, hasColon := strings.Cut(word, ":")
		switch {
		case strings.TrimSpace(line) == "":
			comment = false
		case strings.HasPrefix(strings.TrimSpace(line), "#"):
			comment = true
		case !isKey:
			section, _, _ = strings.Cut(line, ":")
		case hasColon && !strings.HasPrefix(word, " "):
			explained[section+"."+key] = comment
		}
	}
	for _, k := range new(Config).settings() {
		if !explained[k.key] {
			t.Errorf("config.yaml does not explain %s", k.key)
		}
	}
}

func TestDefaults(t *testing.T) {
	c, err := load(t, "")
	if err != nil {
		t.Fatal(err)
	}
	if want := []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:5300")}; !slices.Equal(c.Server.Listen, want) {
		t.Errorf("server.listen is %v, want %v", c.Server.Listen, want)
	}
	if c.Resolver.Timeout != 4*time.Second || c.Resolver.FirstTry != 1500*time.Millisecond {
		t.Errorf("resolver.timeout %v and first_try %v, want 4s and 1.5s", c.Resolver.Timeout, c.Resolver.FirstTry)
	}
	if !c.Resolver.Bundle || c.Cache.Glue != "trust" || c.Cache.GlueMaxTTL != 5*time.Minute || c.SMTPProbe.Port != 25 {
		t.Errorf("bundle %v, glue %q, glue_max_ttl %v, port %d: want true, trust, 5m, 25",
			c.Resolver.Bundle, c.Cache.Glue, c.Cache.GlueMaxTTL, c.SMTPProbe.Port)
	}
	if len(c.Resolver.Upstreams) != 0 {
		t.Errorf("resolver.upstreams is %v, want none", c.Resolver.Upstreams)
	}
}

func TestFlagBeatsEnvironmentBeatsFileBeatsDefault(t *testing.T) {
	const file = "cache:\n  glue: verify\n  entries: 7\nlog:\n  level: warn\n"
	t.Setenv("MXGLUE_CACHE_GLUE", "ignore")
	t.Setenv("MXGLUE_LOG_LEVEL", "error")
	c, err := load(t, file, "--glue", "trust")
	if err != nil {
		t.Fatal(err)
	}
	if c.Cache.Glue != "trust" {
		t.Errorf("cache.glue is %q, want the flag's trust", c.Cache.Glue)
	}
	if c.Log.Level != slog.LevelError {
		t.Errorf("log.level is %v, want the environment's error", c.Log.Level)
	}
	if c.Cache.Entries != 7 {
		t.Errorf("cache.entries is %d, want the file's 7", c.Cache.Entries)
	}
	if c.Cache.NegativeMaxTTL != time.Hour {
		t.Errorf("cache.negative_max_ttl is %v, want the default 1h", c.Cache.NegativeMaxTTL)
	}
	if c.File != "config.yaml" {
		t.Errorf("file is %q, want config.yaml", c.File)
	}
}

func TestEveryFlagReachesItsKey(t *testing.T) {
	serve, err := load(t, "", "--listen", "127.0.0.1:53", "--listen", "[::1]:53", "--upstream", "192.0.2.1,192.0.2.2",
		"--upstream", "tcp://192.0.2.3", "--status", "", "--glue=ignore", "--bundle=false", "--log-level", "debug")
	if err != nil {
		t.Fatal(err)
	}
	if len(serve.Server.Listen) != 2 || serve.Server.Listen[1] != netip.MustParseAddrPort("[::1]:53") {
		t.Errorf("--listen twice gave %v", serve.Server.Listen)
	}
	if want := []string{"udp://192.0.2.1:53", "udp://192.0.2.2:53", "tcp://192.0.2.3:53"}; !slices.Equal(serve.Resolver.Upstreams, want) {
		t.Errorf("--upstream gave %v, want %v", serve.Resolver.Upstreams, want)
	}
	if serve.Status.Listen.IsValid() || serve.Cache.Glue != "ignore" || serve.Resolver.Bundle || serve.Log.Level != slog.LevelDebug {
		t.Errorf("status %v, glue %s, bundle %v, level %v: want none, ignore, false, debug",
			serve.Status.Listen, serve.Cache.Glue, serve.Resolver.Bundle, serve.Log.Level)
	}
	check, err := loadWith(t, checkFlags, "--port", "2525", "--allow-private", "--timeout", "5s")
	if err != nil {
		t.Fatal(err)
	}
	if check.SMTPProbe.Port != 2525 || !check.SMTPProbe.AllowPrivate || check.SMTPProbe.Timeout != 5*time.Second {
		t.Errorf("smtpprobe is %+v, want port 2525, private addresses allowed, 5s", check.SMTPProbe)
	}
}

func TestEveryKeyHasItsEnvironmentVariable(t *testing.T) {
	t.Setenv("MXGLUE_SERVER_LISTEN", "127.0.0.1:53, [::1]:53")
	t.Setenv("MXGLUE_SERVER_ALLOW", "10.0.0.0/8 192.0.2.7")
	t.Setenv("MXGLUE_CACHE_GLUE_MAX_TTL", "2m")
	t.Setenv("MXGLUE_SMTPPROBE_ALLOW_PRIVATE", "true")
	t.Setenv("MXGLUE_STATUS_LISTEN", "")
	c, err := load(t, "")
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Server.Listen) != 2 {
		t.Errorf("listen is %v, want two addresses", c.Server.Listen)
	}
	if want := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("192.0.2.7/32")}; !slices.Equal(c.Server.Allow, want) {
		t.Errorf("allow is %v, want %v", c.Server.Allow, want)
	}
	if c.Cache.GlueMaxTTL != 2*time.Minute || !c.SMTPProbe.AllowPrivate || c.Status.Listen.IsValid() {
		t.Errorf("glue_max_ttl %v, allow_private %v, status %v: want 2m, true, none", c.Cache.GlueMaxTTL, c.SMTPProbe.AllowPrivate, c.Status.Listen)
	}
}

// A section whose keys are all commented out, and a file of nothing, are no mistakes.
func TestEmptySectionsKeepTheirDefaults(t *testing.T) {
	for _, text := range []string{"", "# nothing\n", "cache:\n  # glue: verify\n", "cache: {}\n", "---\n"} {
		c, err := load(t, text)
		if err != nil {
			t.Errorf("%q: %v", text, err)
		} else if c.Cache.Glue != "trust" {
			t.Errorf("%q: cache.glue is %q, want trust", text, c.Cache.Glue)
		}
	}
}

func TestConfigIsFoundAndReadWhereItShouldBe(t *testing.T) {
	if _, err := load(t, "cache:\n  glue: verify\n"); err != nil {
		t.Fatal(err)
	}
	other := filepath.Join(t.TempDir(), "other.conf")
	if err := os.WriteFile(other, []byte("cache:\n  entries: 9\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := loadWith(t, serveFlags, "--config", other)
	if err != nil {
		t.Fatal(err)
	}
	if c.File != other || c.Cache.Entries != 9 || c.Cache.Glue != "trust" {
		t.Errorf("file %q, entries %d, glue %q: want only what %s says", c.File, c.Cache.Entries, c.Cache.Glue, other)
	}
	_, err = loadWith(t, serveFlags, "--config", "nowhere.yaml")
	wantErrors(t, err, "nowhere.yaml: cannot be read: no such file or directory")
	_, err = loadWith(t, serveFlags, "--config", ".")
	wantErrors(t, err, ".: cannot be read: is a directory")
}
