//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/miekg/dns"
)

// trialNames are what the doctor asks for besides the signed zones: a mail domain and one whose exchanger is down, a large
// answer, two blocklists of which one serves us, and our own name with its reverse.
const trialNames = `
server:
  local-data: ". 3600 SOA ns.example. hostmaster.example. 1 3600 600 86400 300"
  local-data: "three.example. 3600 MX 10 mx1.three.example."
  local-data: "mx1.three.example. 3600 A 10.77.0.11"
  local-data: "down.example. 3600 MX 10 mx1.down.example."
  local-data: "mx1.down.example. 3600 A 10.77.0.21"
  local-data: "2.0.0.127.bl.example. 60 A 127.0.0.2"
  local-data: "2.0.0.127.blocked.example. 60 A 127.255.255.254"
  local-data: "gateway.example. 3600 A 10.77.0.53"
  local-data-ptr: "10.77.0.53 3600 gateway.example."
`

// A clinic is a machine that is well: Postfix asks mxglue, which asks a validating Unbound, and a mail has gone out.
type clinic struct{ postfix *postfix }

func newClinic(t *testing.T) clinic {
	t.Helper()
	var large strings.Builder
	for i := range 10 {
		fmt.Fprintf(&large, "  local-data: 'large.example. 3600 TXT \"%s\"'\n", strings.Repeat(fmt.Sprint(i), 200))
	}
	startSigned(t, 1, trialNames, large.String())
	startSink(t, "mx1.three.example", "10.77.0.11")
	serveBefore(t, []string{"udp://" + unboundAddress})
	p := startPostfix(t, "smtp_dns_support_level = dnssec", "smtp_tls_security_level = dane")
	// Where the doctor looks for the way to the internet; nothing is sent there.
	ip(t, "route add 198.41.0.4/32 dev lo src "+farIP)
	t.Cleanup(func() { _ = exec.Command("ip", "route", "del", "198.41.0.4/32", "dev", "lo").Run() }) // a test may have
	if d := p.send(t, "user@three.example", "well"); d.status != "sent" {
		t.Fatalf("%s", d.line)
	}
	return clinic{p}
}

func ip(t *testing.T, command string) {
	t.Helper()
	if r := run(t, exec.Command("ip", strings.Fields(command)...)); r.code != 0 {
		t.Fatalf("ip %s: %s", command, r.stderr)
	}
}

// doctor runs "mxglue doctor" for the clinic's Postfix; args win over what a machine that is well would say.
func (c clinic) doctor(t *testing.T, args ...string) result {
	t.Helper()
	given := strings.Join(args, " ")
	for _, usual := range [][2]string{{"--listen", dnsAddress}, {"--upstream", "udp://" + unboundAddress}, {"--status", statusAddress},
		{"--allow-private", "--allow-private"}, {"--signed", "n0.dnssec.example"}, {"--bogus", "n0.bogus.dnssec.example"},
		{"--large", "large.example"}, {"--dnsbl", "bl.example"}, {"--domain", "three.example"}} {
		switch {
		case strings.Contains(given, usual[0]):
		case usual[0] == usual[1]:
			args = append(args, usual[0])
		default:
			args = append(args, usual[0], usual[1])
		}
	}
	return run(t, mxglue(t, []string{"MAIL_CONFIG=" + c.postfix.config}, append([]string{"doctor"}, args...)...))
}

// Where all is well, every line says so.
func TestDoctorWell(t *testing.T) {
	c := newClinic(t)
	r := c.doctor(t)
	if r.code != 0 {
		t.Errorf("exit code %d, want 0:\n%s%s", r.code, r.stdout, r.stderr)
	}
	for line := range strings.Lines(r.stdout) {
		if !strings.HasPrefix(line, "ok    ") {
			t.Errorf("not well: %s", line)
		}
	}
	mentions(t, "the output", r.stdout, "daemon", "asks for MX", "reaches the daemon", "nameserver", "postfix-dane", "= dnssec", "validates", "NXDOMAIN", "bl.example",
		"port 25 is open outwards over IPv4", "gateway.example", "leads back")

	r = c.doctor(t, "--json")
	var findings []map[string]string
	if err := json.Unmarshal([]byte(r.stdout), &findings); err != nil {
		t.Fatalf("%v:\n%s", err, r.stdout)
	}
	for _, f := range findings {
		if f["check"] == "" || f["status"] != "ok" || f["text"] == "" {
			t.Errorf("%v", f)
		}
	}
}

// Each thing that is broken is named, with what to do; and the exit code says so.
func TestDoctorIll(t *testing.T) {
	c := newClinic(t)
	rewriting := startUpstream(t, upstreamAddress, 0, rewrite)
	for _, test := range []struct {
		name    string
		breakIt func(t *testing.T)
		args    []string
		code    int
		line    string // how the line begins
		mention []string
	}{
		{"resolv.conf names another", func(t *testing.T) { overwrite(t, "/etc/resolv.conf", "nameserver 10.77.0.53\n") }, nil, 2,
			"fail  nameserver ", []string{"10.77.0.53", `"nameserver 127.0.0.1"`}},
		{"resolv.conf names another beside us", func(t *testing.T) { overwrite(t, "/etc/resolv.conf", "nameserver 127.0.0.1\nnameserver 10.77.0.53\n") }, nil, 1,
			"warn  nameserver ", []string{"10.77.0.53"}},
		{"Postfix's chroot has an old copy", func(t *testing.T) {
			overwrite(t, filepath.Join(c.postfix.config, "master.cf"), strings.Replace(masterCf, "smtp    unix   - - n", "smtp    unix   - - y", 1))
			queue := filepath.Join(filepath.Dir(c.postfix.config), "queue", "etc")
			if err := os.MkdirAll(queue, 0o755); err != nil {
				t.Fatal(err)
			}
			writeFile(t, queue, "resolv.conf", "nameserver 10.77.0.53\n")
		}, nil, 2, "fail  postfix-chroot ", []string{"10.77.0.53", "systemctl restart postfix"}},
		{"Postfix asks for no DNSSEC", func(t *testing.T) {
			main := filepath.Join(c.postfix.config, "main.cf")
			text, err := os.ReadFile(main)
			if err != nil {
				t.Fatal(err)
			}
			overwrite(t, main, strings.ReplaceAll(string(text), "smtp_dns_support_level = dnssec", ""))
		}, nil, 2, "fail  postfix-dane ", []string{"postconf -e smtp_dns_support_level=dnssec"}},
		{"mxglue has another port", nil, []string{"--listen", "127.0.0.1:5300"}, 2, "fail  listen ", []string{"127.0.0.1:53"}},
		{"nobody asks us", func(t *testing.T) {
			if r := run(t, mxglue(t, nil, "flush", ".", "--status", statusAddress)); r.code != 0 {
				t.Fatal(r.stderr)
			}
		}, nil, 1, "warn  clients ", []string{"nobody"}},
		{"the daemon is elsewhere", nil, []string{"--status", "127.0.0.1:8999"}, 2, "fail  daemon ", []string{"nothing listens on 127.0.0.1:8999"}},
		{"the upstream is dead", nil, []string{"--upstream", "127.0.0.1:5999"}, 2, "fail  upstream ", []string{"does not answer", "refused"}},
		{"the way to the upstream is open", nil, []string{"--upstream", farAddress}, 1, "warn  dnssec ", []string{"not passed on", "tls://"}},
		{"the upstream rewrites", nil, []string{"--upstream", upstreamAddress}, 2, "fail  nxdomain ", []string{"198.51.100.80"}},
		{"the blocklist blocks us", nil, []string{"--dnsbl", "blocked.example"}, 2, "fail  dnsbl ", []string{"127.255.255.254", "routes"}},
		{"port 25 is closed", nil, []string{"--domain", "down.example"}, 2, "fail  port25-ipv4 ", []string{"10.77.0.21", "refused"}},
		{"there is no network", func(t *testing.T) {
			ip(t, "route del 198.41.0.4/32 dev lo")
			t.Cleanup(func() { ip(t, "route add 198.41.0.4/32 dev lo src "+farIP) })
		}, nil, 1, "warn  port25-ipv4 ", []string{"could not find out: there is no network"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			if test.breakIt != nil {
				test.breakIt(t)
			}
			r := c.doctor(t, test.args...)
			if r.code != test.code {
				t.Errorf("exit code %d, want %d:\n%s%s", r.code, test.code, r.stdout, r.stderr)
			}
			_, rest, found := strings.Cut("\n"+r.stdout, "\n"+test.line)
			if !found {
				t.Fatalf("no line begins with %q:\n%s", test.line, r.stdout)
			}
			lines := append(strings.SplitAfterN(rest, "\n", 3), "", "") // its own, and that with the advice
			mentions(t, test.line, lines[0]+lines[1], test.mention...)
		})
	}
	if len(rewriting.queries()) == 0 {
		t.Error("the rewriting upstream was not asked")
	}
}

// rewrite is relay for a resolver that leads names that do not exist to a page of its own.
func rewrite(q *dns.Msg, network string) []byte {
	r := new(dns.Msg)
	if err := r.Unpack(relay(q, network)); err != nil {
		return nil
	}
	if r.Rcode == dns.RcodeNameError && q.Question[0].Qtype == dns.TypeA {
		r.Rcode = dns.RcodeSuccess
		rr, err := dns.NewRR(q.Question[0].Name + " 60 IN A 198.51.100.80")
		if err != nil {
			return nil
		}
		r.Answer = []dns.RR{rr}
	}
	packed, err := r.Pack()
	if err != nil {
		return nil
	}
	return packed
}

// overwrite puts other text into a file until the test ends. The file stays the same one: resolv.conf is a mount.
func overwrite(t *testing.T, path, text string) {
	t.Helper()
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.WriteFile(path, before, 0o644); err != nil {
			t.Error(err)
		}
	})
}
