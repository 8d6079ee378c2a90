package upstream

import (
	"fmt"
	"strings"
	"testing"
)

func TestEncryptedAddress(t *testing.T) {
	for address, want := range map[string]string{
		"tls://192.0.2.1":                       "192.0.2.1:853 192.0.2.1",
		"tls://192.0.2.1:8853":                  "192.0.2.1:8853 192.0.2.1",
		"tls://192.0.2.1#dns.example":           "192.0.2.1:853 dns.example",
		"tls://192.0.2.1:853#dns.example.":      "192.0.2.1:853 dns.example",
		"tls://2001:db8::1#dns.example":         "[2001:db8::1]:853 dns.example",
		"tls://[2001:db8::1]":                   "[2001:db8::1]:853 2001:db8::1",
		"tls://[2001:db8::1]:8853":              "[2001:db8::1]:8853 2001:db8::1",
		"tls://[::ffff:192.0.2.1]:853":          "192.0.2.1:853 192.0.2.1",
		"tls://[fe80::1%lo]:853":                "[fe80::1%lo]:853 fe80::1", // a zone is ours, not in certificates
		"https://dns.example/dns-query":         "https://dns.example/dns-query dns.example [] 443",
		"https://dns.example/dns-query{?dns}":   "https://dns.example/dns-query dns.example [] 443",
		"https://dns.example:8443/":             "https://dns.example:8443/ dns.example [] 8443",
		"https://192.0.2.1/q":                   "https://192.0.2.1/q 192.0.2.1 [192.0.2.1] 443",
		"https://[2001:db8::1]:444/q":           "https://[2001:db8::1]:444/q 2001:db8::1 [2001:db8::1] 444",
		"https://dns.example/q?ip=192.0.2.1":    "https://dns.example/q dns.example [192.0.2.1] 443",
		"https://dns.example/q?ip=[2001:db8::]": "https://dns.example/q dns.example [2001:db8::] 443",
		"https://dns.example/q?ip=192.0.2.1&key=a%20b&ip=2001:db8::1": "https://dns.example/q?key=a+b dns.example " +
			"[192.0.2.1 2001:db8::1] 443",
		"https://192.0.2.1/q?ip=192.0.2.9": "https://192.0.2.1/q 192.0.2.1 [192.0.2.9] 443",
	} {
		u, err := New(address)
		if err != nil {
			t.Error(err)
			continue
		}
		got := fmt.Sprint(u.peer, " ", u.name)
		if u.scheme == schemeHTTPS {
			got = fmt.Sprint(u.url, " ", u.name, " ", u.ips, " ", u.port)
		}
		if got != want || u.String() != address {
			t.Errorf("%s: got %s, want %s", address, got, want)
		}
	}
}

// A wrong address is refused by an error that repeats it and shows a right one.
func TestWrongEncryptedAddress(t *testing.T) {
	for _, address := range []string{
		"tls://", "tls://dns.example", "tls://dns.example:853", "tls://192.0.2.1:0", "tls://192.0.2.1:99999", "tls://192.0.2.1#",
		"tls://192.0.2.1#a b", "tls://192.0.2.1#a..b", "tls://192.0.2.1#" + strings.Repeat("a", 64),
		"tls://192.0.2.1#dns.example#2", "tls://192.0.2.1/path", "TLS://192.0.2.1",
		"https://", "https:///q", "https://dns.example", "https://dns.example?ip=192.0.2.1", "https://dns.example:0/q",
		"https://dns.example:65536/q", "https://dns.example:x/q", "https://user:secret@dns.example/q", "https://dns.example/q#x",
		"https://dns.example/q?ip=dns.example", "https://dns.example/q?ip=", "https://dns.example/q?ip=1;2", "https://d ns.example/q",
		"http://dns.example/q", "h3://dns.example/q", "https://dns..example/q", "quic://192.0.2.1",
	} {
		u, err := New(address)
		if err == nil {
			t.Errorf("%q is taken, as %+v", address, u.target)
			continue
		}
		scheme, _, _ := strings.Cut(strings.ToLower(address), "://")
		if scheme != schemeTLS && scheme != schemeHTTPS {
			scheme = schemeUDP
		}
		if _, why, found := strings.Cut(err.Error(), fmt.Sprintf("%q", address)); !found || !strings.Contains(why, scheme+"://") {
			t.Errorf("%q: the error does not say what was wrong and what would be right: %v", address, err)
		}
	}
}

func TestTrusted(t *testing.T) {
	for address, want := range map[string]bool{
		"udp://192.0.2.1:53": false, "tcp://192.0.2.1:53": false, "udp://127.0.0.53:53": true, "tcp://[::1]:53": true,
		"udp://[::ffff:127.0.0.1]:53": true, "udp://10.0.0.1:53": false,
		"tls://192.0.2.1": true, "https://dns.example/q": true,
	} {
		u, err := New(address)
		if err != nil {
			t.Fatal(err)
		}
		if u.Trusted() != want || u.Stats().Trusted != want {
			t.Errorf("%s: trusted is %v, want %v", address, !want, want)
		}
	}
}
