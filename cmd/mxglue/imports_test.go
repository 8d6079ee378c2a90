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
	"cmd/mxglue":        {"cache", "cmd/mxglue/status", "resolver", "resolver/server", "resolver/upstream", "smtpprobe"}, // wires all
	"cmd/mxglue/status": {"cache", "resolver", "resolver/server", "resolver/upstream"},                                   // their Stats
	"cmd/mxglue/e2e":    {},                                                                                              // sees the binary only
	"cmd/mxglue/bench":  {},                                                                                              // sees the binary only
	"resolver":          {"cache", "cache/wire", "resolver/upstream"},
	"resolver/server":   {"cache/wire"}, // works on packed messages: a package that cannot unpack cannot get slow
	"resolver/upstream": {"cache/wire"}, // the quick way stays packed
	"cache":             {"cache/wire"},
	"cache/wire":        {},
	"smtpprobe":         {}, // sees DNS through its Exchange field, as a mail server sees it through a socket
}

// mayUse names the packages that alone may import a library, and why the others must not.
var mayUse = map[string][]string{
	"github.com/miekg/dns":         {"cache", "resolver", "resolver/upstream", "smtpprobe", "cmd/mxglue"}, // not server, not wire: the hot path stays packed
	"github.com/spf13/viper":       {"cmd/mxglue"},                                                        // one config, one door
	"github.com/spf13/cobra":       {"cmd/mxglue"},
	"github.com/spf13/pflag":       {"cmd/mxglue"},
	"github.com/prometheus/":       {"cmd/mxglue/status"},                                                        // counters live where they count; one place renders them
	"net/http":                     {"cmd/mxglue", "cmd/mxglue/bench", "cmd/mxglue/status", "resolver/upstream"}, // HTTP servers are cmd's alone; upstream is a client (DNS over HTTPS)
	"github.com/hashicorp/golang-": {"cache"},
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
