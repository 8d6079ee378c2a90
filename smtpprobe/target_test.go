package smtpprobe

import (
	"net/netip"
	"strings"
	"testing"
)

func TestParseTarget(t *testing.T) {
	addr := netip.MustParseAddr
	for _, test := range []struct {
		in   string
		want Target
		err  string // part of it
	}{
		{"example.com", Target{Name: "example.com"}, ""},
		{" user@Bücher.example ", Target{Name: "xn--bcher-kva.example"}, ""},
		{"mx.example.com:2525", Target{Name: "mx.example.com", Host: true, Port: 2525}, ""},
		{"[192.0.2.1]", Target{Name: "[192.0.2.1]", Host: true, Address: addr("192.0.2.1")}, ""},
		{"user@[192.0.2.1]:26", Target{Name: "[192.0.2.1]", Host: true, Address: addr("192.0.2.1"), Port: 26}, ""},
		{"[IPv6:2001:DB8::1]", Target{Name: "[IPv6:2001:db8::1]", Host: true, Address: addr("2001:db8::1")}, ""},
		{"[2001:db8::1]:25", Target{Name: "[IPv6:2001:db8::1]", Host: true, Address: addr("2001:db8::1"), Port: 25}, ""},
		{"[IPv6:::ffff:127.0.0.1]", Target{Name: "[127.0.0.1]", Host: true, Address: addr("127.0.0.1")}, ""},
		{"192.0.2.1", Target{}, "want [192.0.2.1]"},
		{"user@2001:db8::1", Target{}, "want [IPv6:2001:db8::1]"},
		{"[IPv6:192.0.2.1]", Target{}, "no address literal"},
		{"[fe80::1%eth0]", Target{}, "no address literal"},
		{"[192.0.2.1", Target{}, "no address literal"},
		{"[]", Target{}, "no address literal"},
		{"[192.0.2.1]x", Target{}, "goes on"},
		{"[192.0.2.1]:0", Target{}, "1 to 65535"},
		{"mx.example.com:", Target{}, "1 to 65535"},
		{"mx.example.com:65536", Target{}, "1 to 65535"},
		{"192.0.2.1:25", Target{}, "want [192.0.2.1]:25"},
		{"smtp://mx.example.com", Target{}, "URL"},
		{":25", Target{}, "is empty"},
		{"", Target{}, "is empty"},
	} {
		got, err := ParseTarget(test.in)
		if err == nil && test.err != "" || err != nil && (test.err == "" || !strings.Contains(err.Error(), test.err)) {
			t.Errorf("%q: error %v, want %q", test.in, err, test.err)
		}
		if err == nil && got != test.want {
			t.Errorf("%q: got %+v, want %+v", test.in, got, test.want)
		}
	}
}

func FuzzParseTarget(f *testing.F) {
	for _, seed := range []string{"a@b.example:25", "[192.0.2.1]:25", "[IPv6:2001:db8::1]", "[::", "x:1:2"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		target, err := ParseTarget(s)
		if err != nil {
			return
		}
		if again, err := ParseTarget(target.Name); err != nil || again.Name != target.Name || again.Address != target.Address {
			t.Errorf("%q gives %+v, and that %+v, %v", s, target, again, err)
		}
	})
}
