package doctor

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// programPatience is how long a program may run that tells its settings.
const programPatience = 5 * time.Second

// run runs a program. fs.ErrNotExist or exec.ErrNotFound means that it is not installed.
func (d *Doctor) run(ctx context.Context, program string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, programPatience)
	defer cancel()
	run := d.System.Run
	if run == nil {
		run = runProgram
	}
	out, err := run(ctx, program, args...)
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) && len(exit.Stderr) > 0 {
		err = errors.New(clip(strings.TrimSpace(string(exit.Stderr)), maxWords))
	}
	return string(out), err
}

// runProgram looks in /usr/sbin as well, which an ordinary user's PATH does not have.
func runProgram(ctx context.Context, program string, args ...string) ([]byte, error) {
	path, err := exec.LookPath(program)
	if err != nil {
		if path, err = exec.LookPath(filepath.Join("/usr/sbin", program)); err != nil {
			return nil, err
		}
	}
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.WaitDelay = time.Second
	return cmd.Output()
}

// read reads a file of the machine.
func (d *Doctor) read(path string) (string, error) {
	text, err := os.ReadFile(filepath.Join("/", d.Root, path))
	return string(text), err
}

// The addresses that Egress looks for a way to. Nothing is sent to them.
var farAway = map[string]string{"ip4": "198.41.0.4:53", "ip6": "[2001:503:ba3e::2:30]:53"} // a.root-servers.net

// egress is our address on the way to the internet.
func (d *Doctor) egress(network string) (netip.Addr, error) {
	if d.System.Egress != nil {
		return d.System.Egress(network)
	}
	conn, err := net.Dial(strings.Replace(network, "ip", "udp", 1), farAway[network]) // connecting a UDP socket sends nothing
	if err != nil {
		return netip.Addr{}, err
	}
	defer conn.Close()
	at, err := netip.ParseAddrPort(conn.LocalAddr().String())
	return at.Addr().Unmap(), err
}

// offline tells whether no way leads from here to the internet.
func (d *Doctor) offline() bool {
	_, err4 := d.egress("ip4")
	_, err6 := d.egress("ip6")
	return err4 != nil && err6 != nil
}
