//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// unboundAddress is where startUnbound listens, UDP and TCP.
const unboundAddress = "127.0.0.1:5353"

// unboundServer is what every Unbound here has in common.
const unboundServer = `
server:
  do-daemonize: no
  username: ""
  chroot: ""
  pidfile: ""
  use-syslog: no
  num-threads: 1
`

// unboundConf is a resolver that knows these domains and nothing else: every other name is NXDOMAIN by the local root zone.
// Like every modern resolver it sends no additional section with an MX answer.
const unboundConf = unboundServer + `
  interface: 127.0.0.1@5353
  module-config: "iterator"
  minimal-responses: yes
  local-zone: "." static
  local-data: ". 3600 SOA ns.example. hostmaster.example. 1 3600 600 86400 300"

  # Three exchangers, all of them up when a test starts its sinks.
  local-data: "three.example. 3600 MX 10 mx1.three.example."
  local-data: "three.example. 3600 MX 20 mx2.three.example."
  local-data: "three.example. 3600 MX 30 mx3.three.example."
  local-data: "mx1.three.example. 3600 A 10.77.0.11"
  local-data: "mx2.three.example. 3600 A 10.77.0.12"
  local-data: "mx3.three.example. 3600 A 10.77.0.13"

  # The exchangers are somebody else's.
  local-data: "hosted.example. 3600 MX 10 in1.hoster.example."
  local-data: "hosted.example. 3600 MX 20 in2.hoster.example."
  local-data: "in1.hoster.example. 3600 A 10.77.0.12"
  local-data: "in2.hoster.example. 3600 A 10.77.0.13"

  # The best one is down, and all of them are.
  local-data: "half.example. 3600 MX 10 mx1.half.example."
  local-data: "half.example. 3600 MX 20 mx2.half.example."
  local-data: "mx1.half.example. 3600 A 10.77.0.21"
  local-data: "mx2.half.example. 3600 A 10.77.0.12"
  local-data: "down.example. 3600 MX 10 mx1.down.example."
  local-data: "down.example. 3600 MX 20 mx2.down.example."
  local-data: "mx1.down.example. 3600 A 10.77.0.21"
  local-data: "mx2.down.example. 3600 A 10.77.0.22"

  # RFC 7505, and RFC 5321 section 5.1.
  local-data: "null.example. 3600 MX 0 ."
  local-data: "implicit.example. 3600 A 10.77.0.13"
`

// startUnbound runs a real Unbound with unboundConf.
func startUnbound(t *testing.T) {
	t.Helper()
	d := runUnbound(t, scratch(t, "unbound"), unboundConf)
	awaitAnswer(t, d, unboundAddress, "three.example.", dns.TypeMX)
}

// runUnbound runs a real Unbound with the given configuration, dir being its working directory.
func runUnbound(t *testing.T, dir, conf string) *daemon {
	t.Helper()
	// Debian's AppArmor profile goes by the path /usr/sbin/unbound and forbids a configuration elsewhere than /etc/unbound:
	// a copy has no profile.
	installed, err := exec.LookPath("unbound")
	if err != nil {
		t.Fatal(err)
	}
	program, err := os.ReadFile(installed)
	if err != nil {
		t.Fatal(err)
	}
	unbound := filepath.Join(dir, "unbound")
	if err := os.WriteFile(unbound, program, 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(unbound, "-d", "-p", "-c", writeFile(t, dir, "unbound.conf", conf))
	cmd.Dir = dir
	return start(t, cmd)
}

// awaitAnswer waits until a name server has an answer to a question.
func awaitAnswer(t *testing.T, d *daemon, address, name string, qtype uint16) {
	t.Helper()
	eventually(t, 10*time.Second, func() error {
		d.running(t)
		r, err := exchange("udp", address, name, qtype)
		if err == nil && len(r.Answer) == 0 {
			err = fmt.Errorf("no answer to %s %s: %s", name, dns.TypeToString[qtype], dns.RcodeToString[r.Rcode])
		}
		return err
	})
}

// exchange asks one question, RD set and no EDNS, as the stub of a mail server does.
func exchange(network, address, name string, qtype uint16) (*dns.Msg, error) {
	q := new(dns.Msg).SetQuestion(name, qtype)
	client := dns.Client{Net: network, Timeout: 6 * time.Second}
	r, _, err := client.Exchange(q, address)
	return r, err
}
