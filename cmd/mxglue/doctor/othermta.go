package doctor

import (
	"context"
	"errors"
	"io/fs"
	"os/exec"
	"slices"
	"strings"
)

// checkExim: Exim does DANE when libc hands it the AD bit, which takes the option trust-ad (resolv.conf(5)), and when it asks for
// DNSSEC, which dns_dnssec_ok = 0 forbids.
func (d *Doctor) checkExim(ctx context.Context) []Finding {
	const check = "exim"
	out, err := "", error(nil)
	for _, program := range []string{"exim4", "exim"} { // Debian has both names for one program
		if out, err = d.run(ctx, program, "-bP", "dns_dnssec_ok"); !errors.Is(err, exec.ErrNotFound) && !errors.Is(err, fs.ErrNotExist) {
			break
		}
	}
	switch {
	case errors.Is(err, exec.ErrNotFound), errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return []Finding{unknown(check, "exim -bV", "%v", err)}
	}
	r, err := d.readResolvConf(resolvConf)
	if err != nil {
		return []Finding{unknown(check, "run mxglue doctor as root", "%v", err)}
	}
	switch _, value, _ := strings.Cut(out, "="); {
	case strings.TrimSpace(value) == "0":
		return []Finding{warn(check, "delete dns_dnssec_ok = 0 from Exim's configuration", "Exim asks for no DNSSEC (dns_dnssec_ok = 0): no DANE")}
	case !slices.Contains(r.options, "trust-ad"):
		return []Finding{warn(check, "add the line \"options edns0 trust-ad\" to "+resolvConf, "%s has no trust-ad: libc takes AD away, and Exim does no DANE", resolvConf)}
	}
	return []Finding{ok(check, "Exim reads %s, and trust-ad lets it do DANE", resolvConf)}
}

// checkOpenSMTPD: it has a stub resolver of its own, which reads resolv.conf, and does no DANE.
func (d *Doctor) checkOpenSMTPD() []Finding {
	const check = "opensmtpd"
	switch _, err := d.read("/etc/smtpd.conf"); {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return []Finding{unknown(check, "run mxglue doctor as root", "%v", err)}
	}
	return []Finding{ok(check, "OpenSMTPD asks the nameservers of %s; it does no DANE", resolvConf)}
}
