//go:build e2e

package e2e

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/miekg/dns"
)

const pageURL = "http://" + statusAddress + "/"

// figure is the place of a figure on the page.
func figure(key string) string { return `[data-figure="` + key + `"] :is(dd, strong)` }

// openPage starts a daemon that is asked for two domains as mail servers do, and opens its page.
func openPage(t *testing.T) (*browser, *upstream) {
	t.Helper()
	startUnbound(t)
	u := startUpstream(t, upstreamAddress, 20*time.Millisecond, relay)
	serve(t)
	b := browse(t)
	b.prefer(t, "light")
	b.open(t, pageURL)
	b.shows(t, "#charts", "Answers")
	return b, u
}

// deliver asks what a mail server asks before it delivers.
func deliver(t *testing.T, domain string, hosts int) {
	t.Helper()
	ask(t, "udp", "127.0.0.1", domain, dns.TypeMX)
	for i := range hosts {
		for _, qtype := range []uint16{dns.TypeA, dns.TypeAAAA} {
			ask(t, "udp", "127.0.0.1", fmt.Sprintf("mx%d.%s", i+1, domain), qtype)
		}
	}
}

// The page is live: figures and charts move while mail comes, without a reload, an error or a request to elsewhere.
func TestPageMoves(t *testing.T) {
	b, _ := openPage(t)
	if saved := b.text(t, figure("Saved/follow-ups saved")); saved != "0" {
		t.Errorf("before anybody asked, %q follow-ups are saved, want 0", saved)
	}
	for range 4 { // over some seconds, or the charts show one step
		deliver(t, "three.example.", 3)
		before := b.text(t, "#uptime")
		eventually(t, 5*time.Second, func() error {
			if b.text(t, "#uptime") == before {
				return fmt.Errorf("the uptime is still %s", before)
			}
			return nil
		})
	}
	s := readStats(t)
	b.shows(t, figure("Queries/over UDP"), strconv.FormatUint(s.Server.UDPQueries, 10))
	b.shows(t, figure("Saved/follow-ups saved"), strconv.FormatUint(s.Saved.Queries, 10))
	if s.Saved.Queries == 0 {
		t.Error("nothing was saved")
	}
	b.shows(t, "#upstreams", upstreamAddress, "answering")
	b.shows(t, "#busiest", "three.example")
	eventually(t, 10*time.Second, func() error {
		drawn := evaluate[int](t, b, drawnCharts)
		if drawn != 4 {
			return fmt.Errorf("%d of 4 charts are drawn", drawn)
		}
		return nil
	})
	b.shows(t, ".chart:nth-of-type(2) .legend", "from a bundle", "/s")
	b.click(t, ".range label:nth-of-type(2)")
	b.shows(t, ".chart figcaption", "means of 1 min")
	elsewhere := evaluate[[]string](t, b, `performance.getEntriesByType('resource').map((r) => r.name).filter((n) => !n.startsWith(location.origin))`)
	if len(elsewhere) > 0 {
		t.Errorf("the page loads from elsewhere: %q", elsewhere)
	}
	b.quiet(t)
}

// drawnCharts counts the charts that have colours in them, which the grid has not.
const drawnCharts = `[...document.querySelectorAll('.plot canvas')].filter((chart) => {
	const copy = new OffscreenCanvas(chart.width, chart.height).getContext('2d', { willReadFrequently: true });
	copy.drawImage(chart, 0, 0);
	return copy.getImageData(0, 0, chart.width, chart.height).data.some((x, i, all) => i % 4 === 0 && Math.abs(x - all[i + 1]) > 40);
}).length`

// Every text can be read and nothing sticks out, light and dark, wide and on a phone.
func TestPageLooks(t *testing.T) {
	b, _ := openPage(t)
	for range 3 {
		deliver(t, "three.example.", 3)
	}
	b.shows(t, "#busiest", "three.example")
	for _, scheme := range []string{"light", "dark"} {
		b.prefer(t, scheme)
		for _, width := range []int64{1200, 360} {
			b.resize(t, width)
			if wide := evaluate[int64](t, b, "document.documentElement.scrollWidth"); wide > width {
				t.Errorf("%s, %d wide: the page is %d wide", scheme, width, wide)
			}
			if faint := evaluate[[]string](t, b, faintTexts); len(faint) > 0 {
				t.Errorf("%s, %d wide: contrast below 4.5 (WCAG 2.2, 1.4.3):\n%s", scheme, width, strings.Join(faint, "\n"))
			}
			b.picture(t, fmt.Sprintf("page-%s-%d", scheme, width))
		}
	}
	const paper = "getComputedStyle(document.body).backgroundColor"
	b.resize(t, 1200)
	dark := evaluate[string](t, b, paper)
	b.click(t, "#theme") // the system's → light
	if light := evaluate[string](t, b, paper); light == dark {
		t.Errorf("the switch leaves the paper at %s", light)
	}
	b.open(t, pageURL)
	b.shows(t, "#theme", "light")
	if kept := evaluate[string](t, b, paper); kept == dark {
		t.Error("the theme is forgotten when the page is opened again")
	}
	b.quiet(t)
}

// faintTexts lists the texts whose contrast with what lies behind them is below 4.5.
const faintTexts = `(() => {
	const canvas = new OffscreenCanvas(1, 1).getContext('2d', { willReadFrequently: true });
	const rgba = (colour) => { canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1); return [...canvas.getImageData(0, 0, 1, 1).data]; };
	const light = ([r, g, b]) => [r, g, b].map((v) => v / 255).map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
		.reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
	const behind = (node) => { for (let at = node; at; at = at.parentElement) { const c = rgba(getComputedStyle(at).backgroundColor); if (c[3] === 255) return c; } return [255, 255, 255]; };
	return [...document.body.querySelectorAll('*')].filter((node) => node.checkVisibility() && [...node.childNodes].some((c) => c.nodeType === 3 && c.data.trim())).flatMap((node) => {
		const [a, b] = [light(rgba(getComputedStyle(node).color)), light(behind(node))].sort((x, y) => y - x);
		const ratio = (a + 0.05) / (b + 0.05);
		return ratio < 4.5 ? [ratio.toFixed(2) + ' ' + node.tagName + ' ' + node.textContent.trim().slice(0, 40)] : [];
	});
})()`

// Who has no mouse finds a name, is told what is known of it, flushes it, and is never lost.
func TestPageByKeyboard(t *testing.T) {
	b, u := openPage(t)
	deliver(t, "three.example.", 3)

	b.press(t, kb.Tab)
	if at := b.focus(t); at != "Skip to the figures" {
		t.Errorf("the first stop is %q, want the skip link", at)
	}
	seen := `getComputedStyle(document.activeElement).outlineStyle !== 'none' && document.activeElement.getBoundingClientRect().left >= 0`
	if !evaluate[bool](t, b, seen) {
		t.Error("the focus on the skip link cannot be seen")
	}
	b.press(t, kb.Enter)
	b.press(t, "/")
	if at := b.focus(t); at != "name" {
		t.Fatalf("/ leads to %q, want the search", at)
	}
	b.press(t, "Three.Example"+kb.Enter)
	b.shows(t, "#found", "Postfix would try mx1.three.example", "mx3.three.example, preference", "from udp://"+upstreamAddress+", for a bundle", "Flush")
	if at := b.focus(t); at != "found" {
		t.Errorf("what was found is not where the keyboard is, but %q", at)
	}
	b.picture(t, "found")

	known := len(u.queries())
	b.press(t, kb.Tab+kb.Enter) // Flush three.example …
	b.shows(t, "#flush", "three.example is forgotten")
	if at := b.focus(t); at != "Keep it" {
		t.Errorf("the dialog offers %q first, want what does no harm", at)
	}
	b.press(t, kb.Enter)
	if at := b.focus(t); at != "Flush three.example …" {
		t.Errorf("the closed dialog leaves the keyboard at %q", at)
	}
	deliver(t, "three.example.", 3)
	if again := len(u.queries()); again != known {
		t.Errorf("kept, and yet the upstream was asked %d times again", again-known)
	}
	b.press(t, kb.Enter)
	b.shows(t, "#flush", "three.example is forgotten")
	b.press(t, kb.Tab+kb.Enter)
	b.shows(t, "#found", "Flushed:", "forgotten")
	deliver(t, "three.example.", 3)
	if again := len(u.queries()); again == known {
		t.Error("flushed, and yet the upstream is not asked again")
	}
	b.press(t, kb.Escape)
	if left := b.text(t, "#found"); left != "" || b.focus(t) != "name" {
		t.Errorf("Escape leaves %q, and the focus at %q", left, b.focus(t))
	}
	b.quiet(t)
	b.press(t, "no_such..name"+kb.Enter) // a 400, which Chromium writes into the console
	b.shows(t, "#found", `"no_such..name": is not a domain name`)
}

// Without JavaScript the figures are there, and nothing that would not work.
func TestPageWithoutJavaScript(t *testing.T) {
	b, _ := openPage(t)
	deliver(t, "three.example.", 3)
	if _, err := chromedp.Call(b.ctx, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true}); err != nil {
		t.Fatal(err)
	}
	b.open(t, pageURL)
	b.shows(t, figure("Queries/over UDP"), strconv.FormatUint(readStats(t).Server.UDPQueries, 10))
	for _, dead := range []string{"#charts", "#theme", "#flush-all", "#busiest"} {
		if text := b.text(t, dead); text != "" {
			t.Errorf("%s is there without a script: %q", dead, text)
		}
	}
	b.picture(t, "without-javascript")
	b.quiet(t)
}

// A page that outlives its daemon says so, and goes on with the next.
func TestPageComesBack(t *testing.T) {
	startUpstream(t, upstreamAddress, 0, silent)
	first := serve(t)
	b := browse(t)
	b.open(t, pageURL)
	b.shows(t, "#charts", "Answers")
	stop(t, first)
	b.shows(t, "#link", "not live")
	serve(t)
	eventually(t, 20*time.Second, func() error {
		if text := b.text(t, "#link"); text != "" {
			return fmt.Errorf("it still says %q", text)
		}
		return nil
	})
}
