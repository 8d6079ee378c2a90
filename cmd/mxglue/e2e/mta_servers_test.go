//go:build e2e

package e2e

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// Where the exchangers are; port 25 in all cases.
const (
	teaserIP  = "10.77.0.11" // postscreen in front of smtpd: a teaser, then two seconds in which nobody may talk
	plainIP   = "10.77.0.21" // smtpd without STARTTLS
	expiredIP = "10.77.0.22" // smtpd with a certificate that has expired
	eximIP    = "10.77.0.12"
	openIP    = "10.77.0.13" // OpenSMTPD
)

// receiving are the settings of a Postfix that receives. postscreen exempts nobody and remembers nobody, so that everybody
// passes the pregreet test each time.
const receiving = `
mynetworks = 192.0.2.1/32
smtpd_peername_lookup = no
smtpd_tls_security_level = may
smtpd_tls_loglevel = 1
smtpd_tls_chain_files = %[1]s
smtpd_relay_restrictions = reject_unauth_destination
postscreen_access_list =
postscreen_cache_map =
postscreen_greet_wait = 2s
postscreen_greet_action = drop
`

// receivers are the services of master.cf that receive.
const receivers = `
10.77.0.11:25 inet n - n - 1 postscreen
smtpd pass - - n - - smtpd
10.77.0.21:25 inet n - n - - smtpd -o syslog_name=plain -o smtpd_tls_security_level=none
10.77.0.22:25 inet n - n - - smtpd -o syslog_name=expired -o smtpd_tls_chain_files=%[1]s
anvil unix - - n - 1 anvil
`

// startReceivingPostfix runs a Postfix behind teaserIP, plainIP and expiredIP.
func startReceivingPostfix(t *testing.T, good, expired identity) *postfix {
	t.Helper()
	p := startPostfix(t, fmt.Sprintf(receiving, good.file))
	writeFile(t, p.config, "master.cf", masterCf+fmt.Sprintf(receivers, expired.file))
	if r := run(t, exec.Command("postfix", "-c", p.config, "reload")); r.code != 0 {
		t.Fatalf("postfix reload: exit code %d\n%s%s", r.code, r.stdout, r.stderr)
	}
	for _, ip := range []string{teaserIP, plainIP, expiredIP} {
		awaitGreeting(t, ip)
	}
	return p
}

// eximConf is an Exim that receives, behind eximIP. Its synchronization check is on, as it is by default: a client that talks
// before the greeting is refused, and the delay gives it time to.
const eximConf = `
primary_hostname = exim.example
local_interfaces = 10.77.0.12
daemon_smtp_ports = 25
tls_advertise_hosts = *
tls_certificate = /etc/exim-chain.pem
tls_privatekey = /etc/exim-key.pem
host_lookup =
rfc1413_query_timeout = 0s
log_file_path = /var/log/exim4/%slog
log_selector = +smtp_connection +smtp_incomplete_transaction +smtp_protocol_error +smtp_no_mail +tls_sni
acl_smtp_connect = connecting
begin acl
connecting:
  accept delay = 1s
`

// startExim runs an Exim and returns what reads its log.
func startExim(t *testing.T, good identity) (log func() string) {
	t.Helper()
	h := newHouse(t, "exim")
	h.write(t, "/etc/exim.conf", eximConf)
	h.write(t, "/etc/exim-chain.pem", good.chain)
	h.write(t, "/etc/exim-key.pem", good.key)
	for _, d := range []string{"/var/log/exim4", "/var/spool/exim4"} {
		h.owned(t, d, "Debian-exim")
	}
	start(t, h.command("/usr/sbin/exim4", "-C", "/etc/exim.conf", "-bdf"))
	awaitGreeting(t, eximIP)
	log = func() string { return h.read("/var/log/exim4/mainlog") + h.read("/var/log/exim4/paniclog") }
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("Exim logged:\n%s", log())
		}
	})
	return log
}

// openConf is an OpenSMTPD that receives, behind openIP.
const openConf = `
pki open.example cert "/etc/open-chain.pem"
pki open.example key "/etc/open-key.pem"
listen on 10.77.0.13 port 25 tls pki open.example hostname open.example
action "keep" maildir
match from any for domain "open.example" action "keep"
`

// startOpenSMTPD runs an OpenSMTPD and returns what reads its log.
func startOpenSMTPD(t *testing.T, good identity) (log func() string) {
	t.Helper()
	h := newHouse(t, "opensmtpd")
	h.write(t, "/etc/smtpd.conf", openConf)
	h.write(t, "/etc/open-chain.pem", good.chain)
	h.write(t, "/etc/open-key.pem", good.key)
	if r := run(t, h.command("sh", "-c", "chmod 600 /etc/open-key.pem; chgrp opensmtpq /usr/sbin/smtpctl; chmod 2755 /usr/sbin/smtpctl")); r.code != 0 {
		t.Fatal(r.stderr)
	}
	d := start(t, h.command("/usr/sbin/smtpd", "-d"))
	awaitGreeting(t, openIP)
	return d.output.String
}

// awaitGreeting waits until somebody on port 25 of the address takes a client in, and says QUIT.
func awaitGreeting(t *testing.T, ip string) {
	t.Helper()
	eventually(t, 10*time.Second, func() error {
		conn, err := net.DialTimeout("tcp", ip+":25", time.Second)
		if err != nil {
			return err
		}
		defer conn.Close()
		if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
			return err
		}
		in := bufio.NewScanner(conn)
		for in.Scan() {
			if strings.HasPrefix(in.Text(), "220 ") { // 220- is more to come
				if _, err := io.WriteString(conn, "QUIT\r\n"); err != nil {
					return err
				}
			}
		}
		return in.Err()
	})
}
