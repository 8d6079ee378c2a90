//go:build e2e

package e2e

import (
	"os/exec"
	"strings"
	"testing"
)

// levels are the security levels of a Postfix that sends (smtp_tls_security_level in postconf(5)).
var levels = []string{"none", "encrypt", "secure", "dane", "dane-only"}

// A finger runs Debian's posttls-finger, which asks mxglue on 127.0.0.1:53.
type finger struct {
	config string // MAIL_CONFIG
	ca     string // PEM file
}

func newFinger(t *testing.T, ca string) finger {
	t.Helper()
	dir := scratch(t, "finger")
	writeFile(t, dir, "main.cf", "compatibility_level = 3.6\nmyhostname = finger.example\n")
	return finger{dir, ca}
}

// touch is what posttls-finger prints of a domain at a level. At the level secure it is the MX host's name that has to stand
// in the certificate: the domain's is what posttls-finger wants unless told, and nearly nobody's certificate has.
func (f finger) touch(t *testing.T, level, domain string) string {
	t.Helper()
	cmd := exec.Command("posttls-finger", "-l", level, "-F", f.ca, domain)
	if level == "secure" {
		cmd.Args = append(cmd.Args, "hostname")
	}
	cmd.Env = append(cmd.Environ(), "MAIL_CONFIG="+f.config)
	r := run(t, cmd)
	return r.stdout + r.stderr
}

// deliveries makes of what posttls-finger prints at all levels what a Postfix of each level would do with mail. The two differ
// only where there are no TLSA records that can be used: at its DANE levels posttls-finger goes on as at secure, and says so at
// dane-only alone, while a Postfix sends opportunistically where there are none, encrypted where none is usable, and not at
// all at dane-only (smtp_tls_security_level in postconf(5)).
func deliveries(printed map[string]string) map[string]string {
	connected := func(level string) bool { return strings.Contains(printed[level], "posttls-finger: < 250") }
	encrypted := func(level string) bool { return strings.Contains(printed[level], " TLS connection established to ") }
	verified := func(level string) bool {
		return strings.Contains(printed[level], ": Verified TLS connection established to ")
	}
	or := func(yes bool, does, otherwise string) string {
		if yes {
			return does
		}
		return otherwise
	}
	does := map[string]string{
		"none":      or(connected("none"), "clear", "defer"),
		"encrypt":   or(encrypted("encrypt"), "encrypted", "defer"),
		"secure":    or(verified("secure"), "authenticated", "defer"),
		"dane":      or(verified("dane"), "authenticated", "defer"),
		"dane-only": or(verified("dane-only"), "authenticated", "defer"),
	}
	if strings.Contains(printed["dane"], "MX RRset insecure: log verified as trusted") && strings.Contains(printed["dane"], ": Trusted TLS ") {
		does["dane"] = "encrypted" // the certificate has to match, and yet nothing is proved (RFC 7672 section 2.2.1)
	}
	switch only := printed["dane-only"]; {
	case strings.Contains(only, "no usable TLSA records found"):
		does["dane"], does["dane-only"] = does["encrypt"], "defer"
	case strings.Contains(only, "no TLSA records found"):
		does["dane"], does["dane-only"] = or(does["encrypt"] == "encrypted", "encrypted", does["none"]), "defer"
	}
	return does
}
