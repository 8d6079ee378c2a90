package doctor

import (
	"context"
	"errors"
	"io/fs"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// postfix is what a Postfix on this machine is told.
type postfix struct {
	installed bool
	err       error             // why its settings are not known
	settings  map[string]string // by parameter, defaults and references resolved
	chroot    bool              // its SMTP client is in a chroot
}

// parameters are those that are asked for (postconf(5)).
var parameters = []string{
	"smtp_dns_support_level", "smtp_host_lookup", "smtp_tls_security_level", "disable_dns_lookups", "queue_directory",
	"smtp_helo_name", "smtp_bind_address", "smtp_bind_address6",
}

// postfix asks postconf, which goes by the environment's MAIL_CONFIG.
func (d *Doctor) postfix(ctx context.Context) postfix {
	p := postfix{settings: map[string]string{}}
	out, err := d.run(ctx, "postconf", append([]string{"-x"}, parameters...)...)
	if errors.Is(err, exec.ErrNotFound) || errors.Is(err, fs.ErrNotExist) {
		return p
	}
	p.installed, p.err = true, err
	for line := range strings.Lines(out) {
		if name, value, found := strings.Cut(line, " ="); found {
			p.settings[name] = strings.TrimSpace(value)
		}
	}
	if err == nil {
		var service string
		service, p.err = d.run(ctx, "postconf", "-F", "-h", "smtp/unix/chroot")
		p.chroot = strings.TrimSpace(service) == "y" // "-", the default, is no since Postfix 3.0
	}
	return p
}

// checkMailServer looks at whichever mail servers are installed.
func (d *Doctor) checkMailServer(ctx context.Context, p postfix) []Finding {
	findings := d.checkPostfix(p)
	findings = append(findings, d.checkExim(ctx)...)
	findings = append(findings, d.checkOpenSMTPD()...)
	if findings == nil {
		return []Finding{unknown("mailserver", "run mxglue doctor on the mail server's machine, as root", "neither Postfix nor Exim nor OpenSMTPD is here")}
	}
	return findings
}

func (d *Doctor) checkPostfix(p postfix) []Finding {
	switch {
	case !p.installed:
		return nil
	case p.err != nil:
		return []Finding{unknown("postfix", "postfix check", "%v", p.err)}
	}
	return []Finding{checkPostfixLookup(p), checkPostfixDANE(p), d.checkPostfixChroot(p)}
}

// checkPostfixLookup looks at whether it asks the DNS at all.
func checkPostfixLookup(p postfix) Finding {
	const check = "postfix"
	lookup := p.settings["smtp_host_lookup"]
	ways := strings.FieldsFunc(lookup, func(r rune) bool { return r == ',' || r == ' ' })
	const advice = "postconf -e smtp_host_lookup=dns smtp_dns_support_level=dnssec && postfix reload"
	switch {
	case p.settings["disable_dns_lookups"] == "yes", p.settings["smtp_dns_support_level"] == "disabled":
		return warn(check, "for mail by MX: postconf -e smtp_dns_support_level=dnssec disable_dns_lookups=no && postfix reload",
			"Postfix asks for no MX: its DNS lookups are disabled, which is right behind a relay host only")
	case !slices.Contains(ways, "dns"):
		return warn(check, advice, "Postfix asks libc for addresses (smtp_host_lookup = %s): no DANE, and /etc/hosts has a say", lookup)
	case ways[0] != "dns":
		return warn(check, advice, "Postfix asks libc before the DNS (smtp_host_lookup = %s)", lookup)
	}
	return ok(check, "Postfix asks for MX and addresses (smtp_host_lookup = %s)", lookup)
}

// checkPostfixDANE: without DNSSEC lookups Postfix treats the level dane as may, and dane-only defers all mail, each with a
// warning in its log (dane_init in Postfix's smtp_tls_policy.c).
func checkPostfixDANE(p postfix) Finding {
	const check = "postfix-dane"
	const advice = "postconf -e smtp_dns_support_level=dnssec && postfix reload"
	level, support := p.settings["smtp_tls_security_level"], p.settings["smtp_dns_support_level"]
	switch dnssec := support == "dnssec"; {
	case level == "dane-only" && !dnssec:
		return fail(check, advice, "smtp_tls_security_level = dane-only, but smtp_dns_support_level is not dnssec: Postfix defers all mail")
	case level == "dane" && !dnssec:
		return fail(check, advice, "smtp_tls_security_level = dane, but smtp_dns_support_level is not dnssec: Postfix does no DANE")
	case level == "dane" || level == "dane-only":
		return ok(check, "smtp_tls_security_level = %s and smtp_dns_support_level = dnssec", level)
	}
	if level == "" {
		level = "none"
	}
	return ok(check, "Postfix is not told to do DANE (smtp_tls_security_level = %s)", level)
}

// checkPostfixChroot compares the copy of resolv.conf that its SMTP client reads inside its chroot.
func (d *Doctor) checkPostfixChroot(p postfix) Finding {
	const check = "postfix-chroot"
	if !p.chroot {
		return ok(check, "Postfix's SMTP client is not in a chroot: it reads %s itself", resolvConf)
	}
	path := filepath.Join(p.settings["queue_directory"], resolvConf)
	advice := "systemctl restart postfix, or cp " + resolvConf + " " + path + " && postfix reload"
	own, err := d.readResolvConf(resolvConf)
	if err != nil {
		return unknown(check, "run mxglue doctor as root", "%v", err)
	}
	text, err := d.read(path)
	if errors.Is(err, fs.ErrNotExist) {
		return warn(check, advice, "Postfix's SMTP client is in a chroot without %s: it asks 127.0.0.1", path)
	}
	if err != nil {
		return unknown(check, "run mxglue doctor as root", "%v", err)
	}
	copied := parseResolvConf(text)
	switch {
	case !d.ours(copied.servers[0]):
		return fail(check, advice, "Postfix's SMTP client reads %s, which names %s and not us", path, join(copied.servers))
	case !slices.Equal(copied.servers, own.servers), !slices.Equal(copied.options, own.options):
		return warn(check, advice, "Postfix's SMTP client reads %s, which differs from %s", path, resolvConf)
	}
	return ok(check, "Postfix's SMTP client reads %s, which says what %s says", path, resolvConf)
}
