package status

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"regexp"
	"strings"
	"testing"

	"github.com/mxglue/mxglue/resolver"
	"github.com/mxglue/mxglue/resolver/upstream"
)

func TestPageShowsTheFigures(t *testing.T) {
	text := get(t, busy, "/")
	for _, want := range []string{
		"1.2.3", "1 d 2 h", "Working",
		"<strong>90.0 %</strong>", "<strong>430</strong>", "<strong>21.5 s</strong>",
		"udp://192.0.2.1:53", "failing: no response within 1.5s", "tcp://[2001:db8::1]:53", "<td>50 ms</td>", "<td>validates</td>",
		"1,234,567", "321 of 100,000", "refused: contradicts 35, claimed 34</span></dt><dd>69</dd>",
		"5 queries were dropped", "337.6 KiB", "<dd>23</dd>", "<dd>47</dd>", "<dd>48</dd>", "<dd>49</dd>",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
	if _, place, empty := strings.Cut(text, "{{"); empty {
		t.Errorf("nothing fills {{%.20s", place)
	}
}

func TestPageSaysWhenThereIsTrouble(t *testing.T) {
	const notes = `<section id="notes" class="card notes" aria-labelledby="notes-title"`
	if text := get(t, dead, "/"); !strings.Contains(text, `class="pill bad">Trouble</p>`) || !strings.Contains(text, "no upstream answered") || !strings.Contains(text, notes+">") {
		t.Errorf("no word of trouble on\n%s", text)
	}
	if text := get(t, idle, "/"); !strings.Contains(text, `class="pill good">Working</p>`) || !strings.Contains(text, notes+" hidden>") {
		t.Errorf("trouble before the first query on\n%s", text)
	}
}

// What the glue and the bundle saved is what the page is about: it comes before everything else.
func TestPageBeginsWithWhatWasSaved(t *testing.T) {
	text := get(t, busy, "/")
	_, main, _ := strings.Cut(text, "<main")
	if first := strings.Index(main, "<h2"); first < 0 || !strings.HasPrefix(main[first:], `<h2 id="saved-title">Saved your mail server`) {
		t.Errorf("the first title is another one than what was saved:\n%.300s", main)
	}
}

// The page needs nothing but its own files, and the policy allows nothing else: no inline script or style, no text as markup.
func TestPageStandsAlone(t *testing.T) {
	response := ask(t, busy, "GET", "localhost:8053", "/")
	text := body(t, response)
	for _, foreign := range []string{"http://", "https://", "<style", "style=\"", "javascript:", " on[a-z]+=", "<script>", "@import"} {
		if found := regexp.MustCompile(foreign).FindString(text); found != "" {
			t.Errorf("the page has %q", found)
		}
	}
	for _, link := range regexp.MustCompile(`(?:src|href)="([^"#]+)"`).FindAllStringSubmatch(text, -1) {
		if response := ask(t, busy, "GET", "localhost:8053", link[1]); response.StatusCode != http.StatusOK {
			t.Errorf("the page leads to %s: %s", link[1], response.Status)
		}
	}
	got := response.Header.Get("Content-Security-Policy")
	for _, want := range []string{
		"default-src 'none'", "script-src 'self'", "style-src 'self'", "connect-src 'self'", "base-uri 'none'", "form-action 'self'",
		"frame-ancestors 'none'", "require-trusted-types-for 'script'", "trusted-types 'none'",
	} {
		if !strings.Contains(got+";", want+";") {
			t.Errorf("policy %q does not say %q", got, want)
		}
	}
	if strings.Contains(got, "unsafe") || strings.Contains(got, "http") || strings.Contains(got, "*") {
		t.Errorf("policy %q is not strict", got)
	}
	for _, want := range []string{`name="viewport"`, `<noscript><meta http-equiv="refresh"`, `class="skip" href="#main"`, `<html lang="en">`} {
		if !strings.Contains(text, want) {
			t.Errorf("the page has no %s", want)
		}
	}
}

// Every file is there under its name, for what it is, and what a module imports is there as well.
func TestAssets(t *testing.T) {
	kinds := map[string]string{".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8", ".svg": "image/svg+xml", "": "text/plain; charset=utf-8"}
	seen := 0
	err := fs.WalkDir(web, "web/assets", func(file string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		seen++
		response := ask(t, busy, "GET", "localhost", strings.TrimPrefix(file, "web"))
		text := body(t, response)
		if response.StatusCode != http.StatusOK || response.Header.Get("Content-Type") != kinds[path.Ext(file)] {
			t.Errorf("GET %s: %s, %s; want 200, %s", file, response.Status, response.Header.Get("Content-Type"), kinds[path.Ext(file)])
		}
		for _, imported := range regexp.MustCompile(`(?m)^import .*from '\./([^']+)'`).FindAllStringSubmatch(text, -1) {
			if _, err := fs.Stat(web, path.Join(path.Dir(file), imported[1])); err != nil {
				t.Errorf("%s imports %s: %v", file, imported[1], err)
			}
		}
		if sink := regexp.MustCompile(`innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(`).FindString(text); sink != "" {
			t.Errorf("%s makes markup out of text: %s", file, sink)
		}
		return nil
	})
	if err != nil || seen < 12 {
		t.Errorf("%d assets, %v", seen, err)
	}
	for _, no := range []string{"/assets/", "/assets", "/assets/uplot/", "/web/page.html", "/assets/../page.html", "/assets/page.js/"} {
		if code := ask(t, busy, "GET", "localhost", no).StatusCode; code != http.StatusNotFound && code != http.StatusMovedPermanently && code != http.StatusTemporaryRedirect {
			t.Errorf("GET %s: %d, want 404", no, code)
		}
	}
}

// The library is what its makers released: uPlot 1.6.32 from npm.
func TestChartLibraryIsAsReleased(t *testing.T) {
	for file, want := range map[string]string{
		"uPlot.esm.js":  "5dd9b3281aa64b461b42d9945f6adb2649d346502b12281a9ae0d46599a80eba",
		"uPlot.min.css": "df630c6a8d6f8eeaff264b50f73ce5b114f646ffd9a0bb74f049b0a00135fa04",
	} {
		text, err := web.ReadFile("web/assets/uplot/" + file)
		if got := fmt.Sprintf("%x", sha256.Sum256(text)); err != nil || got != want {
			t.Errorf("%s: %s, %v; want %s", file, got, err, want)
		}
	}
	if licence, err := web.ReadFile("web/assets/uplot/LICENSE"); err != nil || !strings.Contains(string(licence), "MIT License") {
		t.Errorf("its licence does not lie beside it: %v", err)
	}
}

// The page's scripts ask for what is there, and for nothing else: a browser calls every refusal an error.
func TestPageSaysWhatThereIsToAskFor(t *testing.T) {
	explain := func(context.Context, string, bool) (resolver.Explanation, error) { return resolver.Explanation{}, nil }
	for _, c := range []struct {
		d      Daemon
		client string
		want   string
	}{
		{Daemon{Snapshot: idle}, "192.0.2.1:1", ``},
		{Daemon{Snapshot: idle}, "127.0.0.1:1", ` data-trusted`},
		{Daemon{Snapshot: idle, Series: NewSeries(idle), Busiest: func(int) []Busy { return nil }, Explain: explain}, "192.0.2.1:1", ` data-live data-busiest data-explain`},
	} {
		text := body(t, tell(c.d, "GET", "/", c.client))
		if !strings.Contains(text, `<body data-version="1.2.3"`+c.want+`>`) {
			t.Errorf("want %q in %s", c.want, text[strings.Index(text, "<body"):][:120])
		}
		action := map[bool]string{true: `action="/explain"`, false: `action="/dump"`}[c.d.Explain != nil]
		if !strings.Contains(text, action) {
			t.Errorf("the search does not say %s", action)
		}
	}
}

func TestPageEscapesWhatCameOverTheNetwork(t *testing.T) {
	text := get(t, func() Snapshot {
		s := busy()
		s.Upstreams = []upstream.Stats{{Address: "udp://192.0.2.1:53", Queries: 1, LastError: "<script>alert(1)</script>"}}
		return s
	}, "/")
	if strings.Contains(text, "<script>alert") || !strings.Contains(text, "&lt;script&gt;alert") {
		t.Errorf("an error of an upstream became markup")
	}
}

func TestTextForTheTerminal(t *testing.T) {
	var b strings.Builder
	s := busy()
	s.Upstreams[0].LastError = "\x1b[2Jno response"
	if err := WriteText(&b, s); err != nil {
		t.Fatal(err)
	}
	text := b.String()
	for _, want := range []string{
		"mxglue 1.2.3, up 1 d 2 h\n", "! 5 queries were dropped", "hit rate", "90.0 %", "failing: ?[2Jno response\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
	// Values stand in one column, through all sections.
	column := -1
	for _, label := range []string{"follow-ups saved", "TCP connections turned away", "hits", "bundles"} {
		line := text[strings.Index(text, "  "+label):]
		line, _, _ = strings.Cut(line, "\n")
		at := strings.IndexFunc(line[len(label)+2:], func(r rune) bool { return r != ' ' }) + len(label)
		if column >= 0 && at != column {
			t.Errorf("%q has its value in column %d, the others in %d:\n%s", label, at, column, text)
		}
		column = at
	}
}

func TestDuration(t *testing.T) {
	for ms, want := range map[float64]string{
		0: "0 ms", 0.4: "0 ms", 50.25: "50 ms", 1500: "1.5 s", 59999: "59.9 s", 61000: "1 min 1 s", 3.6e6: "1 h 0 min", 9e7: "1 d 1 h",
	} {
		if got := Duration(milliseconds(ms)); got != want {
			t.Errorf("%v ms is %q, want %q", ms, got, want)
		}
	}
}

// The DANE guard tells that it is at work, and only then.
func TestNoteOfAnUpstreamWhoseADIsStripped(t *testing.T) {
	for _, c := range []struct {
		dnssec   string
		upstream upstream.Stats
		want     bool
	}{
		{"strip", upstream.Stats{Address: "udp://192.0.2.1:53", Queries: 1, Validates: true}, true},
		{"trust", upstream.Stats{Address: "udp://192.0.2.1:53", Queries: 1, Validates: true}, false},
		{"strip", upstream.Stats{Address: "udp://192.0.2.1:53", Queries: 1}, false},
		{"strip", upstream.Stats{Address: "udp://127.0.0.1:53", Queries: 1, Validates: true, Trusted: true}, false},
	} {
		snapshot := func() Snapshot { return Snapshot{DNSSEC: c.dnssec, Upstreams: []upstream.Stats{c.upstream}} }
		var text strings.Builder
		if err := WriteText(&text, snapshot()); err != nil {
			t.Fatal(err)
		}
		for where, text := range map[string]string{"page": get(t, snapshot, "/"), "stats": text.String()} {
			note := strings.Contains(text, "AD of udp://192.0.2.1:53 is not passed on")
			cell := strings.Contains(text, "AD stripped")
			if note != c.want || cell != c.want {
				t.Errorf("%s, %+v: %s has the note: %v, and the cell: %v; want %v", c.dnssec, c.upstream, where, note, cell, c.want)
			}
		}
	}
}

func TestSize(t *testing.T) {
	for n, want := range map[int]string{0: "0 B", 1023: "1023 B", 1536: "1.5 KiB", 256 << 20: "256.0 MiB", 5 << 30: "5.0 GiB", 2 << 40: "2048.0 GiB"} {
		if got := Size(n); got != want {
			t.Errorf("%d is %q, want %q", n, got, want)
		}
	}
}

func TestCount(t *testing.T) {
	for n, want := range map[uint64]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567", 1<<64 - 1: "18,446,744,073,709,551,615"} {
		if got := Count(n); got != want {
			t.Errorf("%d is %q, want %q", n, got, want)
		}
	}
}

// What happened once is told of as one.
func TestNotesOfOne(t *testing.T) {
	s := idle()
	s.Server.Dropped, s.Server.Refused, s.Server.TCPRejected, s.Upstream.Mismatched, s.Cache.GlueDiffers = 1, 1, 1, 1, 1
	notes := strings.Join(s.Notes(), "\n")
	for _, want := range []string{"1 query was dropped, as", "1 query was refused: ", "1 TCP connection was turned away: more than server.tcp_connections",
		"1 response did not match its query and was thrown away: ", "1 time glue was not "} {
		if !strings.Contains(notes, want) {
			t.Errorf("the notes do not say %q:\n%s", want, notes)
		}
	}
}
