//go:build e2e

package e2e

import (
	"fmt"
	"net/smtp"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// recipeDomains are those that mail is sent to, below the signed zone.
var recipeDomains = []string{"postfix", "chroot", "exim", "opensmtpd"}

// recipeReceiver are the settings, and recipeServices the services, of the exchanger of them all. It takes mail and throws
// it away.
const (
	recipeReceiver = `
myhostname = mx.dnssec.example
mynetworks = 192.0.2.1/32
relay_domains = %s
relay_transport = discard:
smtpd_peername_lookup = no
smtpd_tls_security_level = may
smtpd_tls_chain_files = %s
smtpd_relay_restrictions = reject_unauth_destination
`
	recipeServices = `
10.77.0.11:25 inet n - n - - smtpd
discard unix - - n - - discard
anvil   unix - - n - 1 anvil
`
)

// A kitchen is the machine of the README's recipes, made as they say: mail server → resolv.conf → mxglue → validating Unbound.
// Behind it stand signed zones with TLSA records, and an exchanger with the right certificate.
type kitchen struct{ exchanger *postfix }

func newKitchen(t *testing.T) kitchen {
	t.Helper()
	ca := newAuthority(t)
	good := ca.issue(t, 100*24*time.Hour, "*.mx.dnssec.example")
	z := newMailZones(t)
	var domains []string
	for _, name := range recipeDomains {
		domain, exchanger := name+".dnssec.example", name+".mx.dnssec.example."
		domains = append(domains, domain)
		z.secure.add(t, "%s. MX 10 %s", domain, exchanger)
		z.secure.add(t, "%s A 10.77.0.11", exchanger)
		z.secure.add(t, "_25._tcp.%s TLSA %s", exchanger, tlsa(t, 3, 1, good.leaf))
	}
	anchor := z.secure.sign(t, false)
	startNSD(t, z.secure, z.insecure)
	conf := fmt.Sprintf(validatingConf, "5353", anchor) + recipe(t, "/etc/unbound/unbound.conf.d/mxglue.conf")
	awaitAnswer(t, runUnbound(t, scratch(t, "unbound"), conf), "127.0.0.1:5335", z.secure.name, dns.TypeSOA)
	serveFile(t, recipe(t, "/etc/mxglue/config.yaml"))
	overwrite(t, "/etc/resolv.conf", recipe(t, "/etc/resolv.conf"))

	p := startPostfix(t, fmt.Sprintf(recipeReceiver, strings.Join(domains, " "), good.file))
	writeFile(t, p.config, "master.cf", masterCf+recipeServices)
	if r := run(t, exec.Command("postfix", "-c", p.config, "reload")); r.code != 0 {
		t.Fatalf("postfix reload: exit code %d\n%s%s", r.code, r.stdout, r.stderr)
	}
	awaitGreeting(t, "10.77.0.11")
	return kitchen{p}
}

// served waits until the exchanger has taken the mail.
func (k kitchen) served(t *testing.T, to string) {
	t.Helper()
	eventually(t, 20*time.Second, func() error {
		for line := range strings.Lines(k.exchanger.log()) {
			if strings.Contains(line, "to=<"+to+">") && strings.Contains(line, "status=sent") {
				return nil
			}
		}
		return fmt.Errorf("the exchanger has no mail to %s:\n%s", to, k.exchanger.log())
	})
}

// Postfix with the README's lines does DANE, and its chroot's copy of resolv.conf is what the README says it is.
func TestRecipePostfix(t *testing.T) {
	k := newKitchen(t)
	p := startPostfix(t, recipe(t, "/etc/postfix/main.cf"), "smtp_tls_loglevel = 1")
	if d := p.send(t, "user@postfix.dnssec.example", "recipe"); d.status != "sent" {
		t.Errorf("%s", d.line)
	}
	k.served(t, "user@postfix.dnssec.example")
	mentions(t, "the mail log", p.log(), "Verified TLS connection established to postfix.mx.dnssec.example[10.77.0.11]:25")

	queue := filepath.Join(filepath.Dir(p.config), "queue")
	if err := os.MkdirAll(filepath.Join(queue, "etc"), 0o755); err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(queue, "etc"), "resolv.conf", "nameserver 127.0.0.9\n") // nobody is there
	writeFile(t, p.config, "master.cf", strings.Replace(masterCf, "smtp    unix   - - n", "smtp    unix   - - y", 1))
	if r := run(t, exec.Command("postfix", "-c", p.config, "reload")); r.code != 0 {
		t.Fatal(r.stderr)
	}
	if d := p.send(t, "early@chroot.dnssec.example", "old copy"); d.status != "deferred" {
		t.Fatalf("with an old copy in the chroot: %s, want deferred", d.line)
	}
	for _, line := range commands(t, "postfix reload") {
		line = strings.NewReplacer("/var/spool/postfix", queue, "postfix reload", "postfix -c "+p.config+" reload").Replace(line)
		if r := run(t, exec.Command("sh", "-c", line)); r.code != 0 {
			t.Fatalf("%s: exit code %d:\n%s", line, r.code, r.stderr)
		}
	}
	if d := p.send(t, "late@chroot.dnssec.example", "new copy"); d.status != "sent" {
		t.Errorf("with a new copy in the chroot: %s, want sent", d.line)
	}
	k.served(t, "late@chroot.dnssec.example")
	mentions(t, "the mail log", p.log(), "Verified TLS connection established to chroot.mx.dnssec.example[10.77.0.11]:25")
}

// sendingExim is an Exim that sends, with nothing set that has to do with DNS or DANE. It must not take the exchanger, which
// is on this machine, for itself.
const sendingExim = `
primary_hostname = gateway.example
local_interfaces = 127.0.0.1
keep_environment =
log_file_path = /var/log/exim4/%slog
begin routers
out:
  driver = dnslookup
  transport = out
begin transports
out:
  driver = smtp
`

// Exim does DANE with the README's resolv.conf, and does not without its trust-ad.
func TestRecipeExim(t *testing.T) {
	k := newKitchen(t)
	h := newHouse(t, "exim")
	h.write(t, "/etc/exim.conf", sendingExim)
	for _, d := range []string{"/var/log/exim4", "/var/spool/exim4"} {
		h.owned(t, d, "Debian-exim")
	}
	log := func() string { return h.read("/var/log/exim4/mainlog") + h.read("/var/log/exim4/paniclog") }
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("Exim logged:\n%s", log())
		}
	})
	send := func(to string) (logged string) {
		before := len(log())
		cmd := h.command("/usr/sbin/exim4", "-C", "/etc/exim.conf", "-odf", "-f", "sender@gateway.example", to)
		cmd.Stdin = strings.NewReader("From: sender@gateway.example\nTo: " + to + "\nSubject: recipe\n\nHello.\n")
		if r := run(t, cmd); r.code != 0 {
			t.Fatalf("exim4: exit code %d:\n%s%s", r.code, r.stdout, r.stderr)
		}
		k.served(t, to)
		return log()[before:]
	}
	resolvConf := recipe(t, "/etc/resolv.conf")
	h.write(t, "/etc/resolv.conf", resolvConf)
	mentions(t, "Exim's log", send("user@exim.dnssec.example"), "=> user@exim.dnssec.example", "CV=dane")

	h.write(t, "/etc/resolv.conf", strings.Replace(resolvConf, "trust-ad", "", 1))
	if logged := send("other@exim.dnssec.example"); strings.Contains(logged, "CV=dane") {
		t.Errorf("Exim does DANE without trust-ad, so the README is wrong:\n%s", logged)
	}
}

// sendingOpenSMTPD is an OpenSMTPD that sends what it gets on loopback.
const sendingOpenSMTPD = `
listen on 127.0.0.1 port 2525 hostname gateway.example
action "out" relay
match from local for any action "out"
`

// OpenSMTPD delivers with the README's resolv.conf.
func TestRecipeOpenSMTPD(t *testing.T) {
	k := newKitchen(t)
	h := newHouse(t, "opensmtpd")
	h.write(t, "/etc/smtpd.conf", sendingOpenSMTPD)
	h.write(t, "/etc/resolv.conf", recipe(t, "/etc/resolv.conf"))
	if r := run(t, h.command("sh", "-c", "chgrp opensmtpq /usr/sbin/smtpctl; chmod 2755 /usr/sbin/smtpctl")); r.code != 0 {
		t.Fatal(r.stderr)
	}
	start(t, h.command("/usr/sbin/smtpd", "-d"))
	const to = "user@opensmtpd.dnssec.example"
	eventually(t, 10*time.Second, func() error {
		return smtp.SendMail("127.0.0.1:2525", nil, "sender@gateway.example", []string{to},
			[]byte("From: sender@gateway.example\r\nTo: "+to+"\r\nSubject: recipe\r\n\r\nHello.\r\n"))
	})
	k.served(t, to)
}
