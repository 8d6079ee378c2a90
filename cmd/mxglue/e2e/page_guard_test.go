//go:build e2e

package e2e

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/chromedp/chromedp/kb"
	"github.com/miekg/dns"
)

// Another web page in the same browser reads nothing and flushes nothing.
func TestPageIsNotForOtherPages(t *testing.T) {
	b, u := openPage(t)
	deliver(t, "three.example.", 3)
	known := len(u.queries())
	l := listenWeb(t, "10.77.0.11:80", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "<!DOCTYPE html><title>evil</title>") }))
	b.open(t, "http://"+l)
	for _, attempt := range []string{
		`fetch('%sflush?name=.', { method: 'POST', mode: 'no-cors' }).then(() => 'sent', () => 'not sent')`,
		`fetch('%sstats').then((r) => r.text(), () => 'not read')`,
		`fetch('%sbusiest').then((r) => r.text(), () => 'not read')`,
		`new Promise((end) => { const s = new EventSource('%slive'); s.onmessage = (m) => end(m.data); s.onerror = () => { s.close(); end('not read'); }; })`,
	} {
		if got := evaluate[string](t, b, fmt.Sprintf(attempt, pageURL)); got != "not read" && got != "sent" && got != "not sent" {
			t.Errorf("%s: %.100s", attempt, got)
		}
	}
	deliver(t, "three.example.", 3)
	if again := len(u.queries()); again != known {
		t.Errorf("the cache was flushed: %d more questions upstream", again-known)
	}
}

// A browser elsewhere sees the figures. What is said of names it gets for the token, which it asks for once.
func TestPageAsksForTheToken(t *testing.T) {
	const elsewhere, token = "10.77.0.11:8053", "0123456789abcdef"
	startUnbound(t)
	startUpstream(t, upstreamAddress, 0, relay)
	d := start(t, mxglue(t, []string{"MXGLUE_STATUS_TOKEN=" + token}, "serve", "--listen", dnsAddress, "--status", elsewhere, "--upstream", "udp://"+upstreamAddress))
	awaitAnswer(t, d, dnsAddress, "three.example.", dns.TypeMX)
	b := browse(t)
	eventually(t, 10*time.Second, func() error {
		conn, err := net.Dial("tcp", elsewhere)
		if err == nil {
			conn.Close()
		}
		return err
	})
	b.open(t, "http://"+elsewhere+"/")
	b.shows(t, "#charts", "Answers")
	b.quiet(t) // it has not asked for what it would be refused

	b.press(t, "/three.example"+kb.Enter)
	b.shows(t, "#token", "status.token")
	b.press(t, "not the right one"+kb.Tab+kb.Tab+kb.Enter)
	b.shows(t, "#found", "this is for clients on loopback")
	b.press(t, "/"+kb.Enter)
	b.shows(t, "#token", "status.token")
	b.press(t, token+kb.Tab+kb.Tab+kb.Enter)
	b.shows(t, "#found", "Postfix would try mx1.three.example")
	b.press(t, kb.Tab+kb.Enter)
	b.shows(t, "#flush", "three.example is forgotten")
	b.press(t, kb.Tab+kb.Enter)
	b.shows(t, "#found", "Flushed:")
}

// listenWeb serves HTTP until the test ends, and returns the address.
func listenWeb(t *testing.T, address string, handler http.Handler) string {
	t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 5 * time.Second}
	go server.Serve(l)
	t.Cleanup(func() { server.Close() })
	return address
}
