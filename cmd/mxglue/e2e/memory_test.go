//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// Flushing a domain takes the addresses of its mail hosts along, wherever they are, and nothing else.
func TestFlush(t *testing.T) {
	startUnbound(t)
	u := startUpstream(t, upstreamAddress, 0, relay)
	serve(t)
	askBundle(t, u, "three.example.", 7)
	askBundle(t, u, "hosted.example.", 12)

	if known := dump(t, "three.example"); len(known) != 7 {
		t.Errorf("dump three.example shows %d entries, want MX and the six of its hosts: %v", len(known), known)
	}
	for name, want := range map[string]entry{
		"hosted.example":     {Name: "hosted.example.", Type: "MX", State: "live", By: "client", Records: []string{"in1.hoster.example."}},
		"in1.hoster.example": {Name: "in1.hoster.example.", Type: "A", State: "live", By: "bundle", Records: []string{"10.77.0.12"}},
	} {
		known := dump(t, name)[0]
		if known.Name != want.Name || known.Type != want.Type || known.State != want.State || known.By != want.By ||
			!strings.Contains(strings.Join(known.Records, "\n"), want.Records[0]) || known.TTL < 3000 || known.TTL > 3600 {
			t.Errorf("dump %s: %+v, want one like %+v with a TTL of about 3600", name, known, want)
		}
	}
	text := run(t, mxglue(t, nil, "dump", "--status", statusAddress))
	mentions(t, "mxglue dump", text.stdout, "mx1.three.example", "10.77.0.11", "in2.hoster.example", upstreamAddress)

	flush(t, "hosted.example", 5)
	for name, want := range map[string]int{"hosted.example": 0, "hoster.example": 0, "three.example": 7} {
		if known := dump(t, name); len(known) != want {
			t.Errorf("after the flush of hosted.example, dump %s shows %d entries, want %d: %v", name, len(known), want, known)
		}
	}
	askBundle(t, u, "three.example.", 12) // that is, nothing new
	askBundle(t, u, "hosted.example.", 17)
	flush(t, "three.example", 7)
	askBundle(t, u, "three.example.", 24)
}

// Only this host may flush and dump, or who brings the token.
func TestFlushFromElsewhere(t *testing.T) {
	elsewhere := farIP + ":8053" // who asks there has that address itself
	for _, test := range []struct {
		name, theirs, ours string
		code               int
		mention            string
	}{
		{"no token", "", "", 1, "status.token"},
		{"wrong token", "MXGLUE_STATUS_TOKEN=one-token-of-some-length", "MXGLUE_STATUS_TOKEN=another-token-of-some-length", 1, "refuses"},
		{"right token", "MXGLUE_STATUS_TOKEN=one-token-of-some-length", "MXGLUE_STATUS_TOKEN=one-token-of-some-length", 0, "0 forgotten"},
	} {
		t.Run(test.name, func(t *testing.T) {
			d := start(t, mxglue(t, []string{test.theirs}, "serve", "--listen", dnsAddress, "--status", elsewhere,
				"--upstream", "udp://"+upstreamAddress))
			eventually(t, 10*time.Second, func() error {
				d.running(t)
				if r := run(t, mxglue(t, nil, "stats", "--status", elsewhere)); r.code != 0 {
					return fmt.Errorf("mxglue stats: %s", r.stderr)
				}
				return nil
			})
			r := run(t, mxglue(t, []string{test.ours}, "flush", ".", "--status", elsewhere))
			if r.code != test.code {
				t.Errorf("mxglue flush: exit code %d, want %d:\n%s%s", r.code, test.code, r.stdout, r.stderr)
			}
			mentions(t, "mxglue flush", r.stdout+r.stderr, test.mention)
			stop(t, d)
		})
	}
}

// A restart is no cold start: what was asked most is asked again before anybody asks for it.
func TestHotList(t *testing.T) {
	startUnbound(t)
	u := startUpstream(t, upstreamAddress, 0, relay)
	file := filepath.Join(scratch(t, "hotlist"), "hot")
	d := serve(t, "MXGLUE_CACHE_HOTLIST="+file)
	for name, times := range map[string]int{"three.example.": 5, "half.example.": 3, "hosted.example.": 1} {
		for range times {
			ask(t, "udp", "127.0.0.1", name, dns.TypeMX)
		}
	}
	stop(t, d)
	info, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	if mode := info.Mode().Perm(); mode != 0o600 {
		t.Errorf("the hot list has mode %o, want 600: it tells whom one writes to", mode)
	}
	list, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !regexp.MustCompile(`(?m)^4\s+three\.example\.\s+MX$(?s:.*)^2\s+half\.example\.\s+MX$`).Match(list) {
		t.Errorf("want three.example with 4 hits, then half.example with 2:\n%s", list)
	}

	before := len(u.queries())
	d = serve(t, "MXGLUE_CACHE_HOTLIST="+file)
	var again []asked
	eventually(t, 5*time.Second, func() error {
		again = u.queries(dns.TypeMX)[3:] // the first three were before the restart
		if len(again) < 2 {
			return fmt.Errorf("after the restart it asks\n%s", transcript(u.queries()[before:]))
		}
		return nil
	})
	if again[0].name != "three.example." || again[1].name != "half.example." {
		t.Errorf("what was asked most is not asked first:\n%s", transcript(again))
	}
	eventually(t, 5*time.Second, func() error {
		if known := dump(t, "half.example"); len(known) == 0 {
			return fmt.Errorf("half.example is not known yet")
		}
		return nil
	})
	for _, name := range []string{"three.example.", "half.example."} {
		ask(t, "udp", "127.0.0.1", name, dns.TypeMX)
	}
	if mx := u.queries(dns.TypeMX); len(mx) != 5 {
		t.Errorf("clients had to wait for what the hot list names:\n%s", transcript(mx))
	}
	stop(t, d)
}

// askBundle asks for the MX of a domain and waits until so many questions have gone upstream in all, and their answers are
// here.
func askBundle(t *testing.T, u *upstream, domain string, upstreamQueries int) {
	t.Helper()
	ask(t, "udp", "127.0.0.1", domain, dns.TypeMX)
	eventually(t, 5*time.Second, func() error {
		all := u.queries(dns.TypeMX, dns.TypeA, dns.TypeAAAA)
		if n := readStats(t).Resolver.InFlight; n > 0 || len(all) != upstreamQueries {
			return fmt.Errorf("%d questions upstream, want %d; %d on their way:\n%s", len(all), upstreamQueries, n, transcript(all))
		}
		return nil
	})
}

// flush runs "mxglue flush" and wants so many entries gone.
func flush(t *testing.T, domain string, entries int) {
	t.Helper()
	r := run(t, mxglue(t, nil, "flush", domain, "--status", statusAddress))
	if r.code != 0 {
		t.Errorf("mxglue flush %s: exit code %d:\n%s%s", domain, r.code, r.stdout, r.stderr)
	}
	mentions(t, "mxglue flush", r.stdout, domain, fmt.Sprintf("%d forgotten", entries))
}

// An entry is what "mxglue dump --json" says of one.
type entry struct {
	Name, Type, State, By string
	TTL                   int
	Records               []string
}

// dump runs "mxglue dump".
func dump(t *testing.T, domain string) (known []entry) {
	t.Helper()
	r := run(t, mxglue(t, nil, "dump", domain, "--json", "--status", statusAddress))
	if r.code != 0 {
		t.Fatalf("mxglue dump %s: exit code %d:\n%s%s", domain, r.code, r.stdout, r.stderr)
	}
	if err := json.Unmarshal([]byte(r.stdout), &known); err != nil {
		t.Fatalf("mxglue dump %s: %v:\n%s", domain, err, r.stdout)
	}
	return known
}
