//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// screenshots is where the pictures of a run stay for people to look at; git ignores it.
const screenshots = "screenshots"

// A browser is one tab of a real Chromium without a window.
type browser struct {
	ctx context.Context

	mu       sync.Mutex
	problems []string // what the console shows in red or yellow
}

// browse starts a Chromium, which ends with the test.
func browse(t *testing.T) *browser {
	t.Helper()
	chromium, err := exec.LookPath("chromium")
	if err != nil {
		t.Fatalf("chromium is needed: apt-get install chromium (%v)", err)
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(chromium), chromedp.UserDataDir(scratch(t, "chromium")),
		chromedp.NoSandbox, // the sandbox refuses root
		chromedp.Flag("host-resolver-rules", "MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE 10.77.0.11")) // mxglue shall not count what Chromium asks
	ctx, cancel := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(cancel)
	ctx, cancel = context.WithTimeout(ctx, 2*time.Minute)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	b := &browser{ctx: ctx}
	if err := chromedp.Listen(ctx, b.hear); err != nil {
		t.Fatalf("chromium does not start: %v", err)
	}
	b.resize(t, 1200)
	return b
}

// hear writes down what the console shows.
func (b *browser) hear(event any) {
	problem := ""
	switch e := event.(type) {
	case *runtime.EventConsoleAPICalled:
		problem = fmt.Sprintf("console.%s", e.Type)
	case *runtime.EventExceptionThrown:
		problem = fmt.Sprintf("exception: %s %+v", e.ExceptionDetails.Text, e.ExceptionDetails.Exception)
	case *log.EventEntryAdded:
		if strings.HasPrefix(e.Entry.Text, "Canvas2D: Multiple readback") {
			return // it is these tests that look at what was drawn
		}
		problem = fmt.Sprintf("%s: %s (%s)", e.Entry.Level, e.Entry.Text, e.Entry.URL)
	default:
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.problems = append(b.problems, problem)
}

// quiet fails the test if the console shows anything.
func (b *browser) quiet(t *testing.T) {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.problems) > 0 {
		t.Errorf("the console says:\n%s", strings.Join(b.problems, "\n"))
		b.problems = nil
	}
}

func (b *browser) do(t *testing.T, steps ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	if err := chromedp.Do(b.ctx, steps...); err != nil {
		t.Fatal(err)
	}
}

func (b *browser) open(t *testing.T, url string) {
	t.Helper()
	b.do(t, chromedp.Navigate(url))
}

// resize sets the width of the tab, in CSS pixels.
func (b *browser) resize(t *testing.T, width int64) {
	t.Helper()
	b.do(t, chromedp.EmulateViewport(width, 900))
}

// prefer sets the system's colour scheme: light or dark.
func (b *browser) prefer(t *testing.T, scheme string) {
	t.Helper()
	features := []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}
	if _, err := chromedp.Call(b.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: features}); err != nil {
		t.Fatal(err)
	}
}

// evaluate returns what a JavaScript expression says, or what its promise does.
func evaluate[T any](t *testing.T, b *browser, expression string) T {
	t.Helper()
	value, err := chromedp.Run(b.ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		t.Fatalf("%s: %v", expression, err)
	}
	return value
}

// text is what an element shows; "" if there is none or it is hidden.
func (b *browser) text(t *testing.T, selector string) string {
	t.Helper()
	return evaluate[string](t, b, fmt.Sprintf("document.querySelector(%q)?.checkVisibility() ? document.querySelector(%q).innerText : ''", selector, selector))
}

// shows waits until an element shows a text that has every one of the words.
func (b *browser) shows(t *testing.T, selector string, words ...string) {
	t.Helper()
	eventually(t, 10*time.Second, func() error {
		text := b.text(t, selector)
		for _, w := range words {
			if !strings.Contains(text, w) {
				return fmt.Errorf("%s shows %q, not %q", selector, text, w)
			}
		}
		return nil
	})
}

// press sends keys to whatever has the focus. A key and its character are one event, as from a keyboard: a page that takes
// the key for itself gets no character.
func (b *browser) press(t *testing.T, keys string) {
	t.Helper()
	for _, key := range keys {
		events := kb.Encode(key) // down, character if it has one, up
		if len(events) == 3 {
			events[0].Text = events[1].Text
			events = slices.Delete(events, 1, 2)
		}
		for _, e := range events {
			if _, err := chromedp.Call(b.ctx, input.DispatchKeyEvent, *e); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func (b *browser) click(t *testing.T, selector string) {
	t.Helper()
	b.do(t, chromedp.Click(chromedp.CSS(selector)))
}

// focus is the element that has the focus: its id, or else what it says.
func (b *browser) focus(t *testing.T) string {
	t.Helper()
	return evaluate[string](t, b, "document.activeElement.id || document.activeElement.innerText || ''")
}

// picture keeps the whole page as a picture.
func (b *browser) picture(t *testing.T, name string) {
	t.Helper()
	png, err := chromedp.Run(b.ctx, chromedp.FullScreenshot(100))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(screenshots, 0o755); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(screenshots, name+".png")
	if err := os.WriteFile(path, png, 0o644); err != nil {
		t.Fatal(err)
	}
	t.Logf("picture: cmd/mxglue/e2e/%s", path)
}
