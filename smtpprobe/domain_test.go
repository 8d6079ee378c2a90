package smtpprobe

import (
	"net/netip"
	"strings"
	"testing"
)

func TestParseDomain(t *testing.T) {
	label := strings.Repeat("a", 63)
	for _, test := range []struct{ in, want, err string }{
		{"example.com", "example.com", ""},
		{" Example.COM. ", "example.com", ""},
		{"user@example.com", "example.com", ""},
		{`"a@b"@example.com`, "example.com", ""},
		{"Bücher.example", "xn--bcher-kva.example", ""},
		{"user@例え.テスト", "xn--r8jz45g.xn--zckzah", ""},
		{"例え。テスト。", "xn--r8jz45g.xn--zckzah", ""},
		{"xn--bcher-kva.example", "xn--bcher-kva.example", ""},
		{"example", "example", ""},
		{label + ".example", label + ".example", ""},
		{"", "", "is empty"},
		{".", "", "is empty"},
		{"user@", "", "is empty"},
		{"@example.com", "", "nothing stands before the @"},
		{"192.0.2.1", "", "is an address"},
		{"2001:db8::1", "", "is an address"},
		{"user@[192.0.2.1]", "", "is an address"},
		{"[IPv6:2001:db8::1]", "", "is an address"},
		{"example.com:25", "", "has a port"},
		{"https://example.com/", "", "is a URL"},
		{"a..example", "", "empty label"},
		{".example", "", "empty label"},
		{"a b.example", "", "not a domain name"},
		{"a_b.example", "", "not a domain name"},
		{"-a.example", "", "not a domain name"},
		{"xn--a.example", "", "not a domain name"},
		{"a\x1b[2J.example", "", `\x1b`},
		{"m\xb9", "", "not UTF-8"},
		{"a" + label + ".example", "", "64 octets"},
		{strings.Repeat("a.", 127), "", ""}, // 253 octets
		{strings.Repeat("a.", 127) + "b", "", "255 octets"},
		{"user@" + strings.Repeat("例", 20000), "", "60000 octets"}, // refused before Punycode, which would take seconds
		{strings.Repeat(strings.Repeat("𠀀", 54)+".", 4), strings.TrimSuffix(strings.Repeat("xn--j50i"+strings.Repeat("a", 53)+".", 4), "."), ""}, // 868 octets
	} {
		got, err := ParseDomain(test.in)
		if test.err == "" && test.want == "" {
			test.want = strings.TrimSuffix(test.in, ".")
		}
		switch {
		case test.err == "" && (err != nil || got != test.want):
			t.Errorf("%q: got %q, %v; want %q", test.in, got, err, test.want)
		case test.err != "" && (err == nil || !strings.Contains(err.Error(), test.err)):
			t.Errorf("%q: got %q, %v; want an error with %q", test.in, got, err, test.err)
		}
	}
}

func FuzzParseDomain(f *testing.F) {
	for _, seed := range []string{"example.com", "user@Bücher.example", "[192.0.2.1]", "例え。テスト。", "a..b", "xn--a", "\xff@\x00", "m\xb9"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		name, err := ParseDomain(s)
		if err != nil {
			return
		}
		if again, err := ParseDomain(name); err != nil || again != name {
			t.Errorf("%q gives %q, and that gives %q, %v", s, name, again, err)
		}
		if strings.ContainsFunc(name, func(r rune) bool { return r != '.' && r != '-' && (r < '0' || r > '9') && (r < 'a' || r > 'z') }) {
			t.Errorf("%q gives %q", s, name)
		}
	})
}

func TestBlockedAddresses(t *testing.T) {
	for _, test := range []struct {
		addresses string
		blocked   bool
		private   bool // allowed by AllowPrivate
	}{
		{"8.8.8.8 11.0.0.1 172.32.0.1 100.128.0.1 192.0.1.1 2a00:1450::1 2600::1 ::ffff:8.8.8.8 64:ff9b::808:808 2002:808:808::1 2001:0:1:2:3:4:f7f7:f7f7", false, false},
		{"127.0.0.1 127.255.0.1 ::1 10.0.0.1 172.16.0.1 172.31.255.255 192.168.1.1 fc00::1 fd12::1", true, true},
		{"::ffff:127.0.0.1 ::ffff:10.0.0.1 ::10.0.0.1 ::ffff:0:10.0.0.1 64:ff9b::a00:1 2002:a00:1::1 2001:0:1:2:3:4:f5ff:fffe", true, true},
		{"0.0.0.0 0.1.2.3 :: ::ffff:0.0.0.0 224.0.0.1 239.1.1.1 255.255.255.255 240.0.0.1 ff02::1 64:ff9b::e000:1", true, false},
		{"100.64.0.1 169.254.1.1 192.0.0.8 192.0.2.1 192.88.99.1 198.18.0.1 198.19.0.1 198.51.100.1 203.0.113.1", true, false},
		{"64:ff9b:1::1 100::1 2001:db8::1 fe80::1 fec0::1 5f00::1 2002:c000:201::", true, false},
	} {
		for address := range strings.FieldsSeq(test.addresses) {
			a := netip.MustParseAddr(address)
			if class := (Options{}).blockedClass(a); (class != "") != test.blocked {
				t.Errorf("%s: class %q", address, class)
			}
			if class := (Options{AllowPrivate: true}).blockedClass(a); (class != "") != (test.blocked && !test.private) {
				t.Errorf("%s with AllowPrivate: class %q", address, class)
			}
			if PrivateAddress(a) != test.private {
				t.Errorf("%s is private: %v", address, !test.private)
			}
		}
	}
}
