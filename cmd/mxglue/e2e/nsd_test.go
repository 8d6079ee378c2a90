//go:build e2e

package e2e

import (
	"fmt"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// nsdAddress is where startNSD listens. Its port is 53: a resolver that follows a delegation knows no other.
const (
	nsdAddress = "127.0.0.53:53"
	nsdIP      = "127.0.0.53"
)

const nsdConf = `
server:
  ip-address: 127.0.0.53@53
  do-ip6: no
  server-count: 1
  rrl-ratelimit: 0 # one client asks all the questions here
  username: ""
  chroot: ""
  database: ""
  pidfile: %[1]q
  zonesdir: %[2]q
  zonelistfile: %[3]q
  xfrdfile: %[4]q
remote-control:
  control-enable: no
`

// startNSD runs a real NSD that is the primary server of the zones.
func startNSD(t *testing.T, zones ...*zone) {
	t.Helper()
	dir := scratch(t, "nsd")
	conf := fmt.Sprintf(nsdConf, dir+"/nsd.pid", dir, dir+"/zone.list", dir+"/xfrd.state")
	for _, z := range zones {
		file := strings.TrimSuffix(z.name, ".") + ".zone"
		writeFile(t, dir, file, z.file())
		conf += fmt.Sprintf("zone:\n  name: %q\n  zonefile: %q\n", z.name, file)
	}
	cmd := exec.Command("nsd", "-d", "-c", writeFile(t, dir, "nsd.conf", conf))
	cmd.Dir = dir
	d := start(t, cmd)
	t.Cleanup(func() { // it has children, which only it can end
		_ = d.cmd.Process.Signal(syscall.SIGTERM)
		d.exitCode(t, 10*time.Second)
	})
	for _, z := range zones {
		awaitAnswer(t, d, nsdAddress, z.name, dns.TypeSOA)
	}
}
