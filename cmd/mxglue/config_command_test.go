package main

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// configWith runs "mxglue config" on a file of this text, which stands where the arguments say FILE.
func configWith(t *testing.T, text string, args ...string) (printed string, err error) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "c.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for i := range args {
		args[i] = strings.ReplaceAll(args[i], "FILE", file)
	}
	printed, err = runCommand(t, configCommand(), args...)
	return strings.ReplaceAll(printed, file, "FILE"), err
}

func TestConfigCheck(t *testing.T) {
	const upstream = "resolver: {upstreams: 192.0.2.1}\n"
	text, err := configWith(t, upstream, "--check", "FILE")
	if err != nil || text != "FILE: nothing is wrong\n" {
		t.Errorf("printed %q, error %v; want that nothing is wrong", text, err)
	}
	for text, want := range map[string][]string{
		"cache:\n  glue: trusted\n  entries: 0\n":                  {`c.yaml:2: cache.glue: "trusted" is not one of trust, verify, ignore`, `c.yaml:3: cache.entries: "0" is not a number`},
		"\n\nservr: {listen: x}\n":                                 {`c.yaml:3: servr.listen: no such key; did you mean server.listen?`},
		"cache: [\n":                                               {`c.yaml: is not YAML: line `},
		"resolver: {upstreams: 192.0.2.1, ca_file: /nowhere.pem}":  {`resolver.ca_file: open /nowhere.pem`},
		"resolver: {upstreams: 'https://dns.example/q'}":           {`nobody is there to ask for the address of "https://dns.example/q"`},
		"server: {listen: 192.0.2.1:53}\n" + upstream:              {`c.yaml:2: resolver.upstreams: "udp://192.0.2.1:53" is our own listener`},
		"server: {listen: 127.0.0.1:1}\nstatus: {token: tooshort}": {`c.yaml:2: status.token: the value (not shown here) is not`},
	} {
		printed, err := configWith(t, text, "--check", "--config", "FILE")
		var exit exitError
		if !errors.As(err, &exit) || exit.code != exitFailed || printed != "" {
			t.Errorf("%q: printed %q, error %v; want exit code 1", text, printed, err)
			continue
		}
		for _, w := range want {
			if !strings.Contains(err.Error(), w) {
				t.Errorf("%q: error %q, want it to say %q", text, err, w)
			}
		}
	}
}

func TestConfigWantsToBeToldWhatToDo(t *testing.T) {
	for _, args := range [][]string{{}, {"--check", "--print"}} {
		var exit exitError
		if _, err := configWith(t, "", args...); !errors.As(err, &exit) || exit.code != exitConfig {
			t.Errorf("%q: error %v, want exit code 2", args, err)
		}
	}
}

// manySources says something in every kind of value.
const manySources = `server:
  listen: [127.0.0.1:5377, "[::1]:5377"]
cache:
  memory: 64MiB
resolver:
  upstreams:
    - 192.0.2.1
  routes:
    - {zone: corp.example, upstreams: [10.0.0.53, 'tls://10.0.0.54#a.b']}
  records: ["mx.a.example. A 192.0.2.1"]
smtpprobe:
  modules: {deep: {depth: tls, helo: "[192.0.2.1]"}}
status:
  token: 0123456789abcdefSECRET
`

func TestConfigPrintTellsWhereValuesComeFrom(t *testing.T) {
	t.Setenv("MXGLUE_SERVER_ALLOW", "10.0.0.0/8, 127.0.0.1")
	t.Setenv("MXGLUE_RESOLVER_HOSTS", "true")
	text, err := configWith(t, manySources, "--print", "FILE", "--bundle=false", "--log-level", "debug")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"\nserver:\n  listen: # FILE:2\n    - 127.0.0.1:5377\n    - '[::1]:5377'\n  allow: # environment MXGLUE_SERVER_ALLOW\n    - 10.0.0.0/8\n    - 127.0.0.1\n  max_waiting: 1024 # default\n",
		"\n  memory: 64MiB # FILE:4\n", "\n  upstreams: # FILE:6\n    - 192.0.2.1\n", "\n  hosts: true # environment MXGLUE_RESOLVER_HOSTS\n",
		"\n  bundle: false # flag --bundle\n", "\n  level: debug # flag --log-level\n", "\n  # token: not shown # FILE:14\n", "\n  glue: trust # default\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("printed\n%s\nwant in it\n%s", text, want)
		}
	}
	if strings.Contains(text, "SECRET") {
		t.Error("the token is printed")
	}
}

// What is printed is a configuration, and the same one; here with each source in turn.
func TestConfigPrintCanBeReadAgain(t *testing.T) {
	for name, set := range map[string]func(t *testing.T) []string{
		"file":     func(*testing.T) []string { return nil },
		"defaults": func(*testing.T) []string { return []string{"--config", os.DevNull} },
		"flags": func(*testing.T) []string {
			return []string{"--listen", "127.0.0.1:1,127.0.0.1:2", "--listen", "[::1]:3", "--upstream", "tcp://192.0.2.7", "--status", "", "--glue", "verify", "--bundle=f"}
		},
		"environment": func(t *testing.T) []string {
			t.Setenv("MXGLUE_RESOLVER_RECORDS", "a.example. A 192.0.2.1\nb.example. TXT \"x, # y\"\n")
			t.Setenv("MXGLUE_CACHE_ENTRIES", "077")
			t.Setenv("MXGLUE_STATUS_LISTEN", "")
			t.Setenv("MXGLUE_SMTPPROBE_HELO", "[IPv6:2001:db8::1]")
			t.Setenv("MXGLUE_MONITOR_STORE", "/a: b #c")
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "c.yaml")
			if err := os.WriteFile(file, []byte(strings.Replace(manySources, "token:", "#", 1)), 0o600); err != nil {
				t.Fatal(err)
			}
			args := append([]string{"--config", file}, set(t)...)
			want, err := loadWith(t, serveFlags, args...)
			if err != nil {
				t.Fatal(err)
			}
			text, err := runCommand(t, configCommand(), append(args, "--print")...)
			if err != nil {
				t.Fatal(err)
			}
			for _, k := range want.settings() {
				os.Unsetenv(k.variable())
			}
			again, err := load(t, text)
			if err != nil {
				t.Fatalf("%v\n%s", err, text)
			}
			if again.File = want.File; !reflect.DeepEqual(again, want) {
				t.Errorf("printed\n%s\nwhich reads\n%+v\nwant\n%+v", text, again, want)
			}
		})
	}
}

// A difference is named by its key, and put back by it.
func TestDiffersAndKeep(t *testing.T) {
	one, err := load(t, manySources)
	if err != nil {
		t.Fatal(err)
	}
	same, _ := load(t, "# moved\n"+manySources)
	if keys := same.differs(one); keys != nil {
		t.Errorf("%q differ, want none", keys)
	}
	other, err := load(t, strings.NewReplacer("5377", "5378", "64MiB", "65536KiB", "corp.", "org.", "tls, ", "dns, ").Replace(manySources))
	if err != nil {
		t.Fatal(err)
	}
	if keys := strings.Join(other.differs(one), " "); keys != "server.listen resolver.routes smtpprobe.modules" {
		t.Errorf("%s differ", keys)
	}
	later := other.keep(one, func(key string) bool { return key == "server.listen" || key == "cache.memory" })
	if len(later) != 1 || later[0] != "server.listen" || !reflect.DeepEqual(other.Server, one.Server) || other.Resolver.Routes[0].Zone != "org.example." {
		t.Errorf("%q are kept, and there is %+v", later, other)
	}
}
