package sts

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// Everything from the record to the policy.
func TestLook(t *testing.T) {
	h := newHost(t, goodZone, "mta-sts.d.example", time.Now().Add(time.Hour), true, func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet || r.URL.Path != "/.well-known/mta-sts.txt" || !strings.HasPrefix(r.Host, "mta-sts.d.example") {
			http.Error(w, "not here", http.StatusNotFound)
			return
		}
		serve(goodPolicy)(w, r)
	})
	r := h.fetcher.Look(t.Context(), "d.example")
	got := fmt.Sprintf("%s %s %s %d %v %q", r.Status, r.ID, r.Mode, r.MaxAge, r.MX, r.Warnings)
	if want := `ok 1 enforce 604800 [mx.d.example] []`; got != want {
		t.Errorf("got %s (%s), want %s", got, r.Detail, want)
	}
	if name := h.serverName.Load(); name != "mta-sts.d.example" {
		t.Errorf("SNI %v, want the policy host (RFC 8461 7.1)", name)
	}
}

// What can be wrong with the host, and the class under which it is reported.
func TestFetchFailures(t *testing.T) {
	hour := time.Now().Add(time.Hour)
	private := func(addr netip.Addr) string { return map[bool]string{true: "loopback"}[addr.IsLoopback()] }
	for _, test := range []struct {
		name   string
		zone   string
		cert   string
		ends   time.Time
		answer http.HandlerFunc
		change func(*Fetcher)
		want   string // status, code and a part of the detail
	}{
		{"wrong name", goodZone, "www.d.example", hour, serve(goodPolicy), nil, "fetch_error sts-webpki-invalid not mta-sts.d.example"},
		{"expired", goodZone, "mta-sts.d.example", time.Now().Add(-time.Hour), serve(goodPolicy), nil, "fetch_error sts-webpki-invalid expired"},
		{"unknown CA", goodZone, "mta-sts.d.example", hour, serve(goodPolicy), func(f *Fetcher) { f.Roots = x509.NewCertPool() }, "fetch_error sts-webpki-invalid unknown authority"},
		{"not found", goodZone, "mta-sts.d.example", hour, http.NotFound, nil, "fetch_error sts-policy-fetch-error HTTP status 404"},
		{"other success", goodZone, "mta-sts.d.example", hour, func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusAccepted)
			serve(goodPolicy)(w, r)
		}, nil, "fetch_error sts-policy-fetch-error HTTP status 202"},
		{"redirect", goodZone, "mta-sts.d.example", hour, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/policy" {
				serve(goodPolicy)(w, r)
				return
			}
			http.Redirect(w, r, "/policy", http.StatusMovedPermanently)
		}, nil, "fetch_error sts-policy-fetch-error HTTP status 301"},
		{"too long", goodZone, "mta-sts.d.example", hour, serve(goodPolicy + strings.Repeat("x: y\r\n", 11000)), nil, "fetch_error sts-policy-fetch-error more than 65536 octets"},
		{"not a policy", goodZone, "mta-sts.d.example", hour, serve("<html>"), nil, `policy_invalid sts-policy-invalid "<html>"`},
		{"special-use address", goodZone, "mta-sts.d.example", hour, serve(goodPolicy), func(f *Fetcher) { f.Blocked = private }, "fetch_error sts-policy-fetch-error 127.0.0.1 is a special-use address (loopback)"},
		{"no address", `_mta-sts.d.example. TXT "v=STSv1; id=1;"`, "mta-sts.d.example", hour, serve(goodPolicy), nil, "fetch_error sts-policy-fetch-error no address"},
		{"address not known", "_mta-sts.d.example. TXT \"v=STSv1; id=1;\"\nmta-sts.d.example SERVFAIL", "mta-sts.d.example", hour, serve(goodPolicy), nil, "fetch_error sts-policy-fetch-error SERVFAIL"},
		{"slow", goodZone, "mta-sts.d.example", hour, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, func(f *Fetcher) { f.Timeout = 200 * time.Millisecond }, "fetch_error sts-policy-fetch-error timed out"},
		{"old TLS", goodZone, "mta-sts.d.example", hour, serve(goodPolicy), nil, "fetch_error sts-policy-fetch-error protocol version"},
	} {
		h := newHost(t, test.zone, test.cert, test.ends, true, test.answer)
		if test.change != nil {
			test.change(h.fetcher)
		}
		if test.name == "old TLS" {
			h.TLS.MinVersion, h.TLS.MaxVersion = tls.VersionTLS10, tls.VersionTLS11
		}
		r := h.fetcher.Look(t.Context(), "d.example")
		words := strings.SplitN(test.want, " ", 3)
		if string(r.Status) != words[0] || r.Code != words[1] || !strings.Contains(r.Detail, words[2]) || r.ID != "1" {
			t.Errorf("%s: got %s %s %q, want %s", test.name, r.Status, r.Code, r.Detail, test.want)
		}
		if strings.ContainsAny(r.Detail, "\n\x1b") {
			t.Errorf("%s: not printable: %q", test.name, r.Detail)
		}
	}
}

// What a sender bears, and the owner should know.
func TestPolicyWarnings(t *testing.T) {
	for _, test := range []struct{ mediaType, policy, want string }{
		{"text/plain", goodPolicy, ""},
		{"text/html", goodPolicy, `comes as "text/html"`},
		{"text/plain", strings.Replace(goodPolicy, "604800", "3600", 1), "holds for 3600 s"},
		{"text/plain", strings.NewReplacer("604800", "3600", "enforce", "testing").Replace(goodPolicy), ""},
	} {
		h := newHost(t, goodZone, "mta-sts.d.example", time.Now().Add(time.Hour), true, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", test.mediaType)
			io.WriteString(w, test.policy)
		})
		r := h.fetcher.Look(t.Context(), "d.example")
		if got := strings.Join(r.Warnings, " "); r.Status != OK || (test.want == "") != (got == "") || !strings.Contains(got, test.want) {
			t.Errorf("%s, %q: got %s, %q", test.mediaType, test.policy, r.Status, got)
		}
	}
}
