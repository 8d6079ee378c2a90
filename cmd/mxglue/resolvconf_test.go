package main

import (
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func resolvConf(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "resolv.conf")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func listeners(texts ...string) (listen []netip.AddrPort) {
	for _, text := range texts {
		listen = append(listen, netip.MustParseAddrPort(text))
	}
	return listen
}

func TestSystemUpstreams(t *testing.T) {
	const file = "# made by hand\nsearch example.com\nnameserver 127.0.0.1\nnameserver 192.0.2.1 # ours\n" +
		"nameserver fe80::1%eth0\nnameserver 192.0.2.1\nnameserver 2001:db8::1\noptions edns0 trust-ad\n"
	got, err := systemUpstreams(resolvConf(t, file), listeners("127.0.0.1:53"))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"udp://192.0.2.1:53", "udp://[fe80::1%eth0]:53", "udp://[2001:db8::1]:53"}
	if !slices.Equal(got, want) {
		t.Errorf("upstreams %v, want %v", got, want)
	}
}

// A resolver on another port of this host, as systemd-resolved beside us, is not us.
func TestSystemUpstreamsKeepsOtherListenersOfThisHost(t *testing.T) {
	got, err := systemUpstreams(resolvConf(t, "nameserver 127.0.0.53\n"), listeners("127.0.0.1:53", "0.0.0.0:5300"))
	if err != nil || !slices.Equal(got, []string{"udp://127.0.0.53:53"}) {
		t.Errorf("upstreams %v, error %v; want 127.0.0.53", got, err)
	}
}

// A wildcard listener has port 53 of every address of this host.
func TestSystemUpstreamsBehindAWildcardListener(t *testing.T) {
	own, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	file := "nameserver 127.0.0.53\nnameserver ::1\n"
	for _, address := range own {
		file += "nameserver " + netip.MustParsePrefix(address.String()).Addr().String() + "\n"
	}
	for _, wildcard := range []string{"0.0.0.0:53", "[::]:53"} {
		got, err := systemUpstreams(resolvConf(t, file+"nameserver 192.0.2.1\n"), listeners(wildcard))
		if err != nil || !slices.Equal(got, []string{"udp://192.0.2.1:53"}) {
			t.Errorf("listening on %s: upstreams %v, error %v; want 192.0.2.1 only", wildcard, got, err)
		}
	}
}

func TestSystemUpstreamsWithoutAnyUsableSaysWhatToSet(t *testing.T) {
	for text, want := range map[string]string{
		"":                       "it names no server",
		"nameserver 127.0.0.1\n": "127.0.0.1 is our own listener 127.0.0.1:53",
		"nameserver 0.0.0.0\n":   "0.0.0.0 is not the address of one host",
		"nameserver dns.local\n": `"dns.local" is not an IP address`,
	} {
		got, err := systemUpstreams(resolvConf(t, text), listeners("127.0.0.1:53"))
		if err == nil {
			t.Errorf("%q: upstreams %v, want an error", text, got)
			continue
		}
		for _, part := range []string{want, "resolver.upstreams", "--upstream", "resolv.conf"} {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%q: error %q, want it to say %q", text, err, part)
			}
		}
	}
	_, err := systemUpstreams(filepath.Join(t.TempDir(), "nothing"), nil)
	if err == nil || !strings.Contains(err.Error(), "no such file") || !strings.Contains(err.Error(), "--upstream") {
		t.Errorf("no file: error %v, want one that says so and what to set", err)
	}
}
