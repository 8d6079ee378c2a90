package doctor

import (
	"net/netip"
	"testing"
)

func TestNameserver(t *testing.T) {
	for name, c := range map[string]struct {
		file    string
		status  Status
		words   []string
		options Status
	}{
		"us alone":         {"nameserver 127.0.0.1\n", OK, nil, OK},
		"none":             {"search example\n", OK, nil, OK}, // libc asks 127.0.0.1
		"another beside":   {"nameserver 127.0.0.1\nnameserver 192.0.2.53\n", Warn, []string{"192.0.2.53", "only nameserver"}, OK},
		"another first":    {"nameserver 192.0.2.53\nnameserver 127.0.0.1\n", Fail, []string{"192.0.2.53 first"}, OK},
		"another":          {"nameserver 192.0.2.53 # theirs\n", Fail, []string{"192.0.2.53", `"nameserver 127.0.0.1"`}, OK},
		"resolved":         {"nameserver 127.0.0.53\n", Fail, []string{"systemd-resolved", "echo nameserver 127.0.0.1"}, OK},
		"the fourth":       {"nameserver 127.0.0.1\nnameserver 127.0.0.1\nnameserver 127.0.0.1\nnameserver 192.0.2.53\n", OK, nil, OK},
		"rotating":         {"nameserver 127.0.0.1\nnameserver 192.0.2.53\noptions rotate\n", Warn, nil, Warn},
		"trusting another": {"nameserver 127.0.0.1\nnameserver 192.0.2.53\noptions edns0 trust-ad\n", Warn, nil, Warn},
		"trusting us":      {"nameserver 127.0.0.1\noptions trust-ad\n", OK, nil, OK},
	} {
		t.Run(name, func(t *testing.T) {
			findings := newDoctor(t, map[string]string{resolvConf: c.file}).checkResolvConf(t.Context())
			want(t, only(t, findings, "nameserver"), c.status, c.words...)
			want(t, only(t, findings, "options"), c.options)
		})
	}
}

// What systemd-resolved asks decides whether its stub leads to us.
func TestStub(t *testing.T) {
	d := newDoctor(t, map[string]string{resolvConf: "nameserver 127.0.0.53\n", resolvedServer: "nameserver 127.0.0.1\n"})
	want(t, only(t, d.checkResolvConf(t.Context()), "nameserver"), Warn, "which asks us")
	d = newDoctor(t, map[string]string{resolvConf: "nameserver 127.0.0.53\n", resolvedServer: "nameserver 192.0.2.53\n"})
	want(t, only(t, d.checkResolvConf(t.Context()), "nameserver"), Fail, "asks 192.0.2.53")
}

func TestListen(t *testing.T) {
	d := newDoctor(t, nil)
	want(t, d.checkListen(), OK, "127.0.0.1:53")
	d.Listen = []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:5300")}
	want(t, d.checkListen(), Fail, "127.0.0.1:53")
}

// postconf is a Postfix with these lines of main.cf, its SMTP client in a chroot or not.
func postconf(d *Doctor, chroot, mainCf string) {
	d.System.Run = programs(map[string]string{
		"postconf -x smtp_dns_support_level smtp_host_lookup smtp_tls_security_level disable_dns_lookups queue_directory smtp_helo_name smtp_bind_address smtp_bind_address6": mainCf,
		"postconf -F -h smtp/unix/chroot": chroot + "\n",
	})
}

func TestPostfix(t *testing.T) {
	for name, c := range map[string]struct {
		mainCf       string
		lookup, dane Status
		words        string
	}{
		"as it comes":       {"smtp_host_lookup = dns\nsmtp_dns_support_level =\nsmtp_tls_security_level = may\n", OK, OK, "not told to do DANE"},
		"DANE":              {"smtp_host_lookup = dns\nsmtp_dns_support_level = dnssec\nsmtp_tls_security_level = dane\n", OK, OK, "= dnssec"},
		"DANE in name":      {"smtp_host_lookup = dns\nsmtp_dns_support_level = enabled\nsmtp_tls_security_level = dane\n", OK, Fail, "does no DANE"},
		"DANE that defers":  {"smtp_host_lookup = dns\nsmtp_dns_support_level =\nsmtp_tls_security_level = dane-only\n", OK, Fail, "defers all mail"},
		"no DNS":            {"smtp_host_lookup = dns\nsmtp_dns_support_level = disabled\n", Warn, OK, ""},
		"libc's addresses":  {"smtp_host_lookup = native\n", Warn, OK, ""},
		"libc's ones first": {"smtp_host_lookup = native, dns\n", Warn, OK, ""},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDoctor(t, nil)
			postconf(d, "n", c.mainCf)
			findings := d.checkMailServer(t.Context(), d.postfix(t.Context()))
			want(t, only(t, findings, "postfix"), c.lookup)
			want(t, only(t, findings, "postfix-dane"), c.dane, c.words)
			want(t, only(t, findings, "postfix-chroot"), OK, "not in a chroot")
		})
	}
}

func TestPostfixChroot(t *testing.T) {
	const ours = "nameserver 127.0.0.1\n"
	for name, c := range map[string]struct {
		copied string
		status Status
		words  string
	}{
		"equal":    {ours, OK, ""},
		"old":      {"nameserver 192.0.2.53\n", Fail, "192.0.2.53"},
		"options":  {ours + "options trust-ad\n", Warn, "differs"},
		"one more": {ours + "nameserver 192.0.2.53\n", Warn, "differs"},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDoctor(t, map[string]string{resolvConf: ours, "/spool" + resolvConf: c.copied})
			postconf(d, "y", "queue_directory = /spool\n")
			want(t, only(t, d.checkPostfix(d.postfix(t.Context())), "postfix-chroot"), c.status, "/spool/etc/resolv.conf", c.words)
		})
	}
	d := newDoctor(t, map[string]string{resolvConf: ours})
	postconf(d, "y", "queue_directory = /spool\n")
	want(t, only(t, d.checkPostfix(d.postfix(t.Context())), "postfix-chroot"), Warn, "without /spool/etc/resolv.conf", "systemctl restart postfix")
}

func TestOtherMailServers(t *testing.T) {
	d := newDoctor(t, map[string]string{"/etc/smtpd.conf": "", resolvConf: "nameserver 127.0.0.1\n"})
	d.System.Run = programs(map[string]string{"exim -bP dns_dnssec_ok": "dns_dnssec_ok = -1\n"})
	findings := d.checkMailServer(t.Context(), d.postfix(t.Context()))
	want(t, only(t, findings, "exim"), Warn, "options edns0 trust-ad")
	want(t, only(t, findings, "opensmtpd"), OK)

	d = newDoctor(t, map[string]string{resolvConf: "nameserver 127.0.0.1\noptions trust-ad\n"})
	d.System.Run = programs(map[string]string{"exim4 -bP dns_dnssec_ok": "dns_dnssec_ok = -1\n"})
	want(t, only(t, d.checkExim(t.Context()), "exim"), OK)
	d.System.Run = programs(map[string]string{"exim4 -bP dns_dnssec_ok": "dns_dnssec_ok = 0\n"})
	want(t, only(t, d.checkExim(t.Context()), "exim"), Warn, "dns_dnssec_ok = 0")
}

func FuzzResolvConf(f *testing.F) {
	f.Add("nameserver 127.0.0.1\noptions edns0 trust-ad\n")
	f.Add("nameserver fe80::1%eth0\nnameserver\n")
	f.Fuzz(func(t *testing.T, text string) {
		if r := parseResolvConf(text); len(r.servers) < 1 || len(r.servers) > 3 {
			t.Errorf("%d servers of %q", len(r.servers), text)
		}
	})
}
