package status

import (
	"crypto/sha256"
	"encoding/base64"
	"regexp"
	"strings"
	"testing"

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
}

func TestPageSaysWhenThereIsTrouble(t *testing.T) {
	if text := get(t, dead, "/"); !strings.Contains(text, `<p class="state bad">Trouble</p>`) || !strings.Contains(text, "no upstream answered") {
		t.Errorf("no word of trouble on\n%s", text)
	}
	if text := get(t, idle, "/"); !strings.Contains(text, `<p class="state good">Working</p>`) || strings.Contains(text, "To look at") {
		t.Errorf("trouble before the first query on\n%s", text)
	}
}

// The page needs nothing but itself: no script, nothing from elsewhere, and its style is the one the policy allows.
func TestPageStandsAlone(t *testing.T) {
	response := ask(t, busy, "GET", "localhost:8053", "/")
	text := body(t, response)
	for _, foreign := range []string{"<script", "http://", "https://", "src=", "<link", "@import", "url(", "style=\"", " on"} {
		if i := strings.Index(text, foreign); i >= 0 && !(foreign == " on" && !regexp.MustCompile(` on[a-z]+=`).MatchString(text)) {
			t.Errorf("the page has %q: %.60s", foreign, text[i:])
		}
	}
	_, style, _ := strings.Cut(text, "<style>")
	style, _, _ = strings.Cut(style, "</style>")
	sum := sha256.Sum256([]byte(style))
	if policy := response.Header.Get("Content-Security-Policy"); !strings.Contains(policy, "style-src 'sha256-"+base64.StdEncoding.EncodeToString(sum[:])+"'") {
		t.Errorf("policy %q does not allow the page's own style", policy)
	}
	for _, want := range []string{`name="viewport"`, `http-equiv="refresh"`, "prefers-color-scheme: dark"} {
		if !strings.Contains(text, want) {
			t.Errorf("the page has no %s", want)
		}
	}
}

func TestPageEscapesWhatCameOverTheNetwork(t *testing.T) {
	text := get(t, func() Snapshot {
		s := busy()
		s.Upstreams = []upstream.Stats{{Address: "udp://192.0.2.1:53", Queries: 1, LastError: "<script>alert(1)</script>"}}
		return s
	}, "/")
	if strings.Contains(text, "<script") {
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
