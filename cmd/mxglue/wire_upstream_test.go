package main

import (
	"encoding/pem"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/miekg/dns"

	"github.com/mxglue/mxglue/resolver/upstream"
)

func TestBadAuthorityFiles(t *testing.T) {
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, []byte("-----BEGIN NOTHING-----\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{file: "has no certificate in it", file + ".none": "no such file"} {
		_, err := readRoots("resolver.ca_file", name)
		if err == nil || !strings.HasPrefix(err.Error(), "resolver.ca_file: ") || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want one that names resolver.ca_file and says %q", name, err, want)
		}
	}
}

// An upstream by name and nobody to ask for its address: said at the start, not with every question.
func TestUpstreamsByNameNeedSomebodyToAsk(t *testing.T) {
	for config, bad := range map[string]bool{
		"upstreams: 'https://dns.example/q'":                                                                          true,
		"upstreams: 'https://dns.example/q?ip=192.0.2.1'":                                                             false,
		"upstreams: 'https://[2001:db8::1]/q'":                                                                        false,
		"upstreams: ['https://dns.example/q', 'tls://192.0.2.1']":                                                     false,
		"upstreams: 192.0.2.1\n  routes: [{zone: a, upstreams: 'https://dns.example/q'}]":                             false,
		"upstreams: 'https://dns.example/q'\n  routes: [{zone: a, upstreams: 192.0.2.1}]":                             true, // who may know nothing of dns.example
		"upstreams: ['https://b.example/q?ip=192.0.2.1', 'https://dns.example/q']\n  policy: fastest\n  hosts: false": false,
	} {
		c, err := load(t, "resolver:\n  "+config)
		if err != nil {
			t.Fatal(err)
		}
		_, err = newUpstreams(c, nil)
		if (err != nil) != bad {
			t.Errorf("%s: error %v, want one: %v", config, err, bad)
		}
		if bad && (err == nil || !strings.Contains(err.Error(), `"https://dns.example/q"; add ?ip=ADDRESS`)) {
			t.Errorf("%s: error %v, want it to say what to add", config, err)
		}
	}
}

// DNS over HTTPS by name, from config.yaml to the answer: its address from the other upstream, its certificate from the
// authority in resolver.ca_file.
func TestHTTPSUpstreamByName(t *testing.T) {
	web := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, _ := io.ReadAll(r.Body)
		query := new(dns.Msg)
		if err := query.Unpack(text); err != nil {
			t.Error(err)
		}
		packed, _ := answerA(query, "192.0.2.7").Pack()
		w.Header().Set("Content-Type", "application/dns-message")
		w.Write(packed)
	}))
	web.EnableHTTP2 = true
	web.StartTLS() // with a certificate for example.com
	defer web.Close()
	authority := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(authority, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: web.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	guide := serveDNS(t, func(q *dns.Msg) *dns.Msg {
		if q.Question[0].Name != "example.com." {
			t.Errorf("the other upstream was asked for %s", q.Question[0].Name)
		}
		return answerA(q, "127.0.0.1")
	})
	_, port, _ := net.SplitHostPort(web.Listener.Addr().String())
	c, err := load(t, "resolver:\n  upstreams: ['https://example.com:"+port+"/q', "+guide+"]\n  ca_file: "+authority+"\n")
	if err != nil {
		t.Fatal(err)
	}
	_, questions, err := newResolver(c, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer questions.Close()
	m := new(dns.Msg)
	m.SetQuestion("mail.example.", dns.TypeA)
	reply, _, err := questions.Exchange(t.Context(), m)
	if err != nil || len(reply.Answer) != 1 || !strings.HasSuffix(reply.Answer[0].String(), "192.0.2.7") {
		t.Errorf("answered %v, error %v; want what the https upstream said; its state is %+v", reply, err, questions.Stats().Upstreams)
	}
}

// One that knows nothing or fails is no reason to give up.
func TestLookupAsksTheNextOne(t *testing.T) {
	nothing := serveDNS(t, func(q *dns.Msg) *dns.Msg { return new(dns.Msg).SetReply(q) })
	broken := serveDNS(t, func(q *dns.Msg) *dns.Msg { return new(dns.Msg).SetRcode(q, dns.RcodeServerFailure) })
	knows := serveDNS(t, func(q *dns.Msg) *dns.Msg { return answerA(q, "192.0.2.1") })
	var upstreams []*upstream.Upstream
	for _, address := range []string{nothing, broken, knows} {
		u, err := upstream.New("udp://" + address)
		if err != nil {
			t.Fatal(err)
		}
		upstreams = append(upstreams, u)
	}
	got, err := addressesOf(t.Context(), upstreams, "dns.example")
	if err != nil || !slices.Equal(got, []netip.Addr{netip.MustParseAddr("192.0.2.1")}) {
		t.Errorf("looked up %v, %v; want 192.0.2.1", got, err)
	}
	got, err = addressesOf(t.Context(), upstreams[:2], "dns.example")
	if err != nil || got != nil {
		t.Errorf("looked up %v, %v; want nothing", got, err)
	}
}

// answerA is the response to a query with one address, and none for other types than A.
func answerA(query *dns.Msg, address string) *dns.Msg {
	m := new(dns.Msg).SetReply(query)
	m.RecursionAvailable = true
	if q := query.Question[0]; q.Qtype == dns.TypeA {
		m.Answer = []dns.RR{&dns.A{Hdr: dns.RR_Header{Name: q.Name, Rrtype: dns.TypeA, Class: dns.ClassINET, Ttl: 60}, A: net.ParseIP(address)}}
	}
	return m
}

// serveDNS answers over UDP on a loopback port until the test ends.
func serveDNS(t *testing.T, answer func(q *dns.Msg) *dns.Msg) (address string) {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &dns.Server{PacketConn: conn, Handler: dns.HandlerFunc(func(w dns.ResponseWriter, q *dns.Msg) { w.WriteMsg(answer(q)) })}
	ended := make(chan error, 1)
	go func() { ended <- server.ActivateAndServe() }()
	t.Cleanup(func() {
		conn.Close()
		<-ended
	})
	return conn.LocalAddr().String()
}
