//go:build e2e

package e2e

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/miekg/dns"
)

// readme is the README as it is.
func readme(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// recipe is what the README says to write into a file: the block that begins with the file's name.
func recipe(t *testing.T, file string) string {
	t.Helper()
	block := regexp.MustCompile("(?ms)^```\\w+\n# "+regexp.QuoteMeta(file)+"\n(.*?)^```$").FindAllStringSubmatch(readme(t), -1)
	if len(block) != 1 {
		t.Fatalf("the README says %d times what to write into %s, want once", len(block), file)
	}
	return block[0][1]
}

// commands are the lines of the README's block of commands of which one begins so, without what is behind a #.
func commands(t *testing.T, begins string) (lines []string) {
	t.Helper()
	for _, block := range regexp.MustCompile("(?ms)^```sh\n(.*?)^```$").FindAllStringSubmatch(readme(t), -1) {
		if !strings.Contains("\n"+block[1], "\n"+begins) {
			continue
		}
		for line := range strings.Lines(block[1]) {
			line, _, _ = strings.Cut(line, " #")
			lines = append(lines, strings.TrimSpace(line))
		}
		return lines
	}
	t.Fatalf("the README has no command that begins with %s", begins)
	return nil
}

// quickNames are the domains of the quick start.
const quickNames = unboundServer + `
  interface: 127.0.0.1@5353
  module-config: "iterator"
  local-zone: "." static
  local-data: ". 3600 SOA ns.example. hostmaster.example. 1 3600 600 86400 300"
  local-data: "gmail.com. 3600 MX 10 mx.gmail.com."
  local-data: "mx.gmail.com. 3600 A 10.77.0.11"
  local-data: "example.com. 3600 MX 10 mx.example.com."
  local-data: "mx.example.com. 3600 A 10.77.0.12"
`

// The quick start, line by line.
func TestReadmeQuickStart(t *testing.T) {
	awaitAnswer(t, runUnbound(t, scratch(t, "unbound"), quickNames), unboundAddress, "gmail.com.", dns.TypeMX)
	startSink(t, "mx.example.com", "10.77.0.12")
	// What /etc/resolv.conf names, at the port that is free here, and a machine whose exchangers have private addresses.
	env := []string{"MXGLUE_RESOLVER_UPSTREAMS=udp://" + unboundAddress, "MXGLUE_SMTPPROBE_ALLOW_PRIVATE=true"}
	says := map[string]string{"explain": "mx.gmail.com.", "stats": "127.0.0.1:5353", "check": "mx.example.com says"}
	for _, line := range commands(t, "mxglue serve") {
		words := strings.Fields(line)
		switch {
		case line == "mxglue serve":
			d := start(t, mxglue(t, env, "serve"))
			awaitStatus(t, d)
			t.Cleanup(func() { stop(t, d) })
		case words[0] == "dig": // not all machines have it
			if line != "dig @127.0.0.1 -p 5300 MX gmail.com" {
				t.Fatalf("the README says %q", line)
			}
			if r, err := exchange("udp", "127.0.0.1:5300", "gmail.com.", dns.TypeMX); err != nil || len(r.Answer) != 1 {
				t.Fatalf("%s: %v, %v", line, r, err)
			}
		default:
			if words[1] == "check" { // its exchanger is on this machine
				words = append(words, "--include-self")
			}
			r := run(t, mxglue(t, env, words[1:]...))
			if r.code != 0 || says[words[1]] == "" {
				t.Errorf("%s: exit code %d:\n%s%s", line, r.code, r.stdout, r.stderr)
			}
			mentions(t, line, r.stdout, says[words[1]])
		}
	}
}
