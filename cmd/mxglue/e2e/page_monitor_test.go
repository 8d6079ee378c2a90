//go:build e2e

package e2e

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strconv"
	"testing"
)

// The matrix of the monitored domains, from a monitor of which there are only the words.
func TestPageShowsTheMonitor(t *testing.T) {
	startUpstream(t, upstreamAddress, 0, silent)
	serve(t)
	target, err := url.Parse(pageURL)
	if err != nil {
		t.Fatal(err)
	}
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target); r.Out.Header.Del("Accept-Encoding") },
		ModifyResponse: func(r *http.Response) error {
			page, err := io.ReadAll(r.Body)
			page = bytes.Replace(page, []byte("<body "), []byte("<body data-monitor "), 1)
			r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(page)), int64(len(page))
			r.Header.Set("Content-Length", strconv.Itoa(len(page)))
			return err
		},
	}
	mux := http.NewServeMux()
	mux.Handle("/{$}", proxy)
	mux.Handle("/", &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) }, FlushInterval: -1})
	mux.HandleFunc("/monitor", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if r.URL.Query().Has("domain") {
			io.WriteString(w, monitoredDomain)
			return
		}
		io.WriteString(w, monitoredDomains)
	})
	b := browse(t)
	b.open(t, "http://"+listenWeb(t, "127.0.0.1:8054", mux))
	b.shows(t, "#domains", "three.example", "warning", "half.example", "ok", "flapping")
	b.shows(t, "#domains .matrix", "mx1.three.example", "TLS 1.3", "timeout connect", "not offered", "enforce", "<script>")
	b.shows(t, "#events", "mx2.three.example stopped answering")
	b.picture(t, "monitor")
	b.resize(t, 360)
	if wide := evaluate[int64](t, b, "document.documentElement.scrollWidth"); wide > 360 {
		t.Errorf("360 wide: the page is %d wide", wide)
	}
	b.picture(t, "monitor-360")
	b.quiet(t)
}

const (
	monitoredDomains = `{"probes":7,"domains":[
		{"domain":"three.example","status":"warning","since":"2026-11-23T10:00:00Z","before":"warning","recent":["ok","ok","ok","warning","warning"],"flapping":false,
			"last":{"at":"2026-11-23T12:00:00Z","depth":"tls","status":"warning","verdict":"warning","reason":"2 of 3 exchangers say 220; mx2.three.example does not answer.","up":2,"of":3,"seconds":4.1},"next":"2026-11-23T12:15:00Z"},
		{"domain":"half.example","status":"ok","since":"2026-11-20T10:00:00Z","before":"ok","recent":["ok","critical","ok","unknown","ok"],"flapping":true,
			"last":{"at":"2026-11-23T12:00:00Z","depth":"greeting","status":"ok","verdict":"ok","reason":"1 of 1 exchanger says 220.","up":1,"of":1,"seconds":0.4},"next":"2026-11-23T12:15:00Z"}],
		"events":[{"at":"2026-11-23T11:00:00Z","domain":"three.example","kind":"status","was":"ok","is":"warning","text":"mx2.three.example stopped answering."}]}`
	monitoredDomain = `{"state":{"domain":"three.example","status":"warning","report":{"domain":"three.example","verdict":"warning","status":"warning","mx":[
		{"exchanger":"mx1.three.example","preference":10,"verdict":"ok","ad":true,"dane":{"status":"secure"},"attempts":[{"address":"192.0.2.1","port":25,"verdict":"ok","code":220,"greeting":"mx1.three.example ESMTP","ms":{"connect":11.8,"greeting":24.1},
			"tls":{"offered":true,"established":true,"verdict":"ok","version":"TLS 1.3","not_after":"2027-11-23T12:00:00Z","dane":{"ok":true}}}]},
		{"exchanger":"mx2.three.example","preference":20,"verdict":"timeout_connect","detail":"no answer within 10s","ad":false,"dane":{"status":"none"},"attempts":[{"address":"192.0.2.2","port":25,"verdict":"timeout_connect","code":0,"greeting":"","ms":{"connect":0,"greeting":0}}]},
		{"exchanger":"mx3.three.example","preference":30,"verdict":"slow","ad":false,"dane":{"status":"unusable"},"attempts":[{"address":"192.0.2.3","port":25,"verdict":"slow","code":220,"greeting":"<script>alert(1)</script>","ms":{"connect":40,"greeting":6200},
			"tls":{"offered":false,"established":false,"verdict":"starttls-not-supported"}}]}],
		"mta_sts":{"status":"ok","mode":"enforce"}}},
		"results":[{"at":"2026-11-23T12:00:00Z","status":"warning"},{"at":"2026-11-23T11:45:00Z","status":"warning"},{"at":"2026-11-23T11:30:00Z","status":"ok"},{"at":"2026-11-23T11:15:00Z","status":"ok"}],"events":[]}`
)
