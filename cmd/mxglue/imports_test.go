package main

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/mxglue/mxglue/"

// mayImport is who imports whom among our packages. A new arrow is a decision: it is made here, with its reason.
var mayImport = map[string][]string{
	"cmd/mxglue": {"cache", "cache/wire", "cmd/mxglue/doctor", "cmd/mxglue/querylog", "cmd/mxglue/status", "resolver", "resolver/server", "resolver/upstream", "smtpprobe", "smtpprobe/bulk",
		"smtpprobe/dane", "smtpprobe/fakemx", "smtpprobe/lookup", "smtpprobe/monitor", "smtpprobe/sts"}, // wires all, prints reports
	"cmd/mxglue/status": {"cache", "resolver", "resolver/server", "resolver/upstream", "smtpprobe", "smtpprobe/dane", "smtpprobe/lookup",
		"smtpprobe/monitor", "smtpprobe/sts"}, // their Stats, reports and states
	"cmd/mxglue/doctor":           {"resolver/upstream", "smtpprobe", "smtpprobe/lookup"}, // asks as they do; the daemon and the configuration come through its fields
	"cmd/mxglue/querylog":         {"cache/wire"},                                         // writes down packed questions and replies
	"cmd/mxglue/e2e":              {},                                                     // sees the binary only
	"cmd/mxglue/bench":            {},                                                     // sees the binary only
	"resolver":                    {"cache", "cache/wire", "resolver/upstream"},
	"resolver/server":             {"cache/wire"}, // works on packed messages: a package that cannot unpack cannot get slow
	"resolver/upstream":           {"cache/wire"}, // the quick way stays packed
	"cache":                       {"cache/wire"},
	"cache/wire":                  {},
	"smtpprobe":                   {"smtpprobe/dane", "smtpprobe/lookup", "smtpprobe/records", "smtpprobe/sts"}, // sees DNS through its Exchange field, as a mail server sees it through a socket
	"smtpprobe/dane":              {"smtpprobe/lookup"},                                                         // nor do the policies see more of it
	"smtpprobe/records":           {"smtpprobe/lookup"},
	"smtpprobe/sts":               {"smtpprobe/lookup"},
	"smtpprobe/lookup":            {},
	"smtpprobe/lookup/lookuptest": {},
	"smtpprobe/bulk":              {"smtpprobe"},                                                        // its reports
	"smtpprobe/monitor":           {"smtpprobe", "smtpprobe/dane", "smtpprobe/lookup", "smtpprobe/sts"}, // reports, and what of them is remembered
	"smtpprobe/fakemx":            {},                                                                   // the other end of the wire: shares no code with who tests it
}

// mayUse names the packages that alone may import a library, and why the others must not.
var mayUse = map[string][]string{
	"github.com/miekg/dns": {"cache", "resolver", "resolver/upstream", "smtpprobe", "smtpprobe/dane", "smtpprobe/lookup", "smtpprobe/lookup/lookuptest",
		"smtpprobe/records", "smtpprobe/sts", "cmd/mxglue", "cmd/mxglue/doctor", "cmd/mxglue/querylog", "cmd/mxglue/status"}, // not server, not wire: the hot path stays packed
	"github.com/spf13/viper":       {"cmd/mxglue"}, // one config, one door
	"go.yaml.in/yaml":              {"cmd/mxglue"}, // for what viper does not tell: on which line a key stands
	"github.com/spf13/cobra":       {"cmd/mxglue"},
	"github.com/spf13/pflag":       {"cmd/mxglue"},
	"github.com/schollz/":          {"cmd/mxglue"},                                                                                // what a person sees on a terminal
	"golang.org/x/term":            {"cmd/mxglue"},                                                                                // the same
	"github.com/dnstap/":           {"cmd/mxglue/querylog"},                                                                       // a query log's format
	"github.com/farsightsec/":      {"cmd/mxglue/querylog"},                                                                       // the frames of it
	"go.etcd.io/bbolt":             {"smtpprobe/monitor"},                                                                         // one file, one who writes it
	"github.com/prometheus/":       {"cmd/mxglue/status"},                                                                         // counters live where they count; one place renders them
	"net/http":                     {"cmd/mxglue", "cmd/mxglue/bench", "cmd/mxglue/status", "resolver/upstream", "smtpprobe/sts"}, // HTTP servers are cmd's alone; upstream and sts are clients (DNS over HTTPS, MTA-STS policies)
	"github.com/coreos/go-systemd": {"cmd/mxglue"},                                                                                // systemd is told of the process, not of its parts
	"github.com/hashicorp/golang-": {"cache"},
	"maragu.dev/gomponents":        {"cmd/mxglue/status"},
	"html/template":                {}, // it finds methods by name, so that the linker keeps every method of every type: an eighth of the binary
	"text/template":                {"cmd/mxglue/bench"},
	"unsafe":                       {"resolver/server", "resolver/upstream"}, // batch_linux.go and socket_linux.go: system calls, each with its proof
}

func TestImports(t *testing.T) {
	out, err := exec.Command("go", "list", "-f", "{{.ImportPath}} {{join .Imports \" \"}}", module+"...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	seen := 0
	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(line)
		pkg := strings.TrimPrefix(fields[0], module)
		allowed, known := mayImport[pkg]
		if !known {
			t.Errorf("package %s is not in the list of who imports whom", pkg)
		}
		seen++
		for _, imported := range fields[1:] {
			if own, ours := strings.CutPrefix(imported, module); ours && !slices.Contains(allowed, own) {
				t.Errorf("%s imports %s: an arrow that the list does not have", pkg, own)
			}
			for library, users := range mayUse {
				if strings.HasPrefix(imported, library) && !slices.Contains(users, pkg) {
					t.Errorf("%s imports %s, which is for %v only", pkg, imported, users)
				}
			}
		}
	}
	if seen != len(mayImport) {
		t.Errorf("the list has %d packages, the module %d", len(mayImport), seen)
	}
}
