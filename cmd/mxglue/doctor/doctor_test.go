package doctor

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/mxglue/mxglue/resolver/upstream"
)

var errNoWay = errors.New("network is unreachable")

// newDoctor is one on a machine with these files and nothing else; mxglue listens on 127.0.0.1:53.
func newDoctor(t *testing.T, files map[string]string) *Doctor {
	t.Helper()
	root := t.TempDir()
	for path, text := range files {
		path = filepath.Join(root, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	self := netip.MustParseAddrPort("127.0.0.1:53")
	return &Doctor{
		Root: root, Listen: []netip.AddrPort{self}, Ours: func(at netip.AddrPort) bool { return at == self },
		Daemon: Daemon{
			Status: func(context.Context) (Running, error) { return Running{}, nil },
			Asked:  func(context.Context, string) ([]Question, error) { return nil, nil },
		},
		System: System{
			Run:      programs(nil),
			Egress:   func(string) (netip.Addr, error) { return netip.Addr{}, errNoWay },
			Hostname: func() (string, error) { return "mail.example.com", nil },
		},
		Now: time.Now(),
	}
}

// programs are the only ones that are installed: what each prints, by its command line.
func programs(prints map[string]string) func(context.Context, string, ...string) ([]byte, error) {
	return func(_ context.Context, program string, args ...string) ([]byte, error) {
		for line, text := range prints {
			if slices.Equal(strings.Fields(line), append([]string{program}, args...)) {
				return []byte(text), nil
			}
		}
		return nil, exec.ErrNotFound
	}
}

// want asserts a finding's status and words of its text and advice.
func want(t *testing.T, f Finding, status Status, words ...string) {
	t.Helper()
	if f.Status != status {
		t.Errorf("%+v: want %s", f, status)
	}
	for _, w := range words {
		if !strings.Contains(f.Text+"\n"+f.Advice, w) {
			t.Errorf("%+v: does not mention %q", f, w)
		}
	}
	if (f.Advice != "") && f.Status == OK {
		t.Errorf("%+v: advice where all is well", f)
	}
}

// only is the one finding of a check.
func only(t *testing.T, findings []Finding, check string) Finding {
	t.Helper()
	var found []Finding
	for _, f := range findings {
		if f.Check == check {
			found = append(found, f)
		}
	}
	if len(found) != 1 {
		t.Fatalf("%d findings of %s, want 1:\n%+v", len(found), check, findings)
	}
	return found[0]
}

// Without a network nothing fails that was not seen to be wrong, and nothing hangs.
func TestNoNetwork(t *testing.T) {
	silent := startUpstream(t, func(*dns.Msg, bool) *dns.Msg { return nil })
	d := newDoctor(t, map[string]string{resolvConf: "nameserver 127.0.0.1\n"})
	d.Upstreams = []*upstream.Upstream{silent}
	d.Exchange = func(ctx context.Context, _ *dns.Msg) (*dns.Msg, string, error) {
		<-ctx.Done()
		return nil, "", ctx.Err()
	}
	d.Trials = Trials{DNSBLs: []string{"bl.example"}, Domains: []string{"a.example"}}
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	began := time.Now()
	var findings []Finding
	d.Examine(ctx, func(f Finding) { findings = append(findings, f) })
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("it took %v", took)
	}
	want(t, only(t, findings, "upstream"), Fail, "does not answer") // for it is on loopback
	for _, check := range []string{"dnsbl", "port25-ipv4", "port25-ipv6", "helo", "mailserver"} {
		want(t, only(t, findings, check), Warn, "could not find out")
	}
}

func TestNoUpstream(t *testing.T) {
	d := newDoctor(t, nil)
	d.NoUpstream = errors.New("resolv.conf names only ourselves")
	var findings []Finding
	worst := d.Examine(t.Context(), func(f Finding) { findings = append(findings, f) })
	want(t, only(t, findings, "upstream"), Fail, "names only ourselves", "resolver.upstreams")
	if worst != Fail || worst.ExitCode() != 2 {
		t.Errorf("worst %s, exit code %d", worst, worst.ExitCode())
	}
}

func TestWorst(t *testing.T) {
	for _, c := range []struct{ a, b, want Status }{{OK, OK, OK}, {OK, Warn, Warn}, {Warn, OK, Warn}, {Warn, Fail, Fail}, {Fail, Warn, Fail}} {
		if got := worse(c.a, c.b); got != c.want {
			t.Errorf("%s and %s: %s, want %s", c.a, c.b, got, c.want)
		}
	}
	if OK.ExitCode() != 0 || Warn.ExitCode() != 1 || Fail.ExitCode() != 2 {
		t.Error("the exit codes are not 0, 1, 2")
	}
}

func TestText(t *testing.T) {
	var plain, coloured bytes.Buffer
	f := fail("dnsbl", "do this", "somebody said %s", "\x1b[2Jhello")
	Write(&plain, f, false)
	const text = "fail  dnsbl           somebody said \\x1b[2Jhello\n                      → do this\n"
	if plain.String() != text {
		t.Errorf("%q, want %q", &plain, text)
	}
	Write(&coloured, f, true)
	if !strings.HasPrefix(coloured.String(), "\x1b[1;31mfail\x1b[0m  dnsbl ") {
		t.Errorf("%q", &coloured)
	}
	if long := ok("x", "%s", strings.Repeat("é", 5000)); len([]rune(long.Text)) > maxText {
		t.Errorf("a text of %d characters", len([]rune(long.Text)))
	}
}

func TestJSON(t *testing.T) {
	var b bytes.Buffer
	if err := WriteJSON(&b, []Finding{ok("listen", "a > b"), warn("way", "do", "c")}); err != nil {
		t.Fatal(err)
	}
	var back []map[string]string
	if err := json.Unmarshal(b.Bytes(), &back); err != nil {
		t.Fatal(err)
	}
	if len(back) != 2 || back[0]["text"] != "a > b" || back[1]["status"] != "warn" || back[1]["advice"] != "do" || len(back[0]) != 4 {
		t.Errorf("%v", back)
	}
	b.Reset()
	if err := WriteJSON(&b, nil); err != nil || b.String() != "[]\n" {
		t.Errorf("none: %q, %v", &b, err)
	}
}

func TestDaemon(t *testing.T) {
	for name, c := range map[string]struct {
		running Running
		err     error
		status  Status
		words   []string
	}{
		"well":    {Running{Version: "v1.2.3", Up: 3 * time.Hour, Queries: 7}, nil, OK, []string{"v1.2.3", "3 h", "queries so far: 7"}},
		"trouble": {Running{Trouble: "no upstream answered"}, nil, Fail, []string{"no upstream answered"}},
		"silent":  {Running{}, errors.New("no answer from 127.0.0.1:8053 in time"), Fail, []string{"in time", "systemctl status"}},
		"down":    {Running{}, errors.New("nothing listens on 127.0.0.1:8053"), Fail, []string{"nothing listens", "systemctl start"}},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDoctor(t, nil)
			d.Daemon.Status = func(context.Context) (Running, error) { return c.running, c.err }
			want(t, only(t, d.checkDaemon(t.Context()), "daemon"), c.status, c.words...)
		})
	}
}

// Who asks for no MX is no mail server, and least of all the doctor himself.
func TestClients(t *testing.T) {
	own := Question{ownPrefix + "abc.invalid.", "A", time.Second}
	for name, c := range map[string]struct {
		asked  []Question
		err    error
		status Status
		words  string
	}{
		"a mail server":         {[]Question{{"b.example.", "MX", time.Minute}, {"a.example.", "MX", 5 * time.Second}, own}, nil, OK, "5 s ago"},
		"nobody":                {nil, nil, Warn, "nobody"},
		"the doctor":            {[]Question{own}, nil, Warn, "nobody"},
		"others":                {[]Question{{"a.example.", "A", 5 * time.Second}}, nil, Warn, "for no MX"},
		"one that has stopped":  {[]Question{{"a.example.", "MX", 72 * time.Hour}}, nil, Warn, "3 days ago"},
		"the daemon won't tell": {nil, errors.New("not for you"), Warn, "could not find out: not for you"},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDoctor(t, nil)
			d.Daemon.Asked = func(context.Context, string) ([]Question, error) { return c.asked, c.err }
			want(t, d.checkClients(t.Context()), c.status, c.words)
		})
	}
}

// The daemon has to remember the question that went to the nameserver: an answer alone could come from anybody.
func TestWay(t *testing.T) {
	asked := make(chan string, 8)
	u := startUpstream(t, func(q *dns.Msg, _ bool) *dns.Msg {
		asked <- q.Question[0].Name
		return new(dns.Msg).SetRcode(q, dns.RcodeNameError)
	})
	at := netip.MustParseAddrPort(strings.TrimPrefix(u.String(), "udp://"))
	d := newDoctor(t, nil)
	want(t, d.checkWay(t.Context(), at), Warn, "does not remember")
	<-asked
	d.Daemon.Asked = func(_ context.Context, domain string) ([]Question, error) {
		if domain != <-asked {
			return nil, nil
		}
		return []Question{{Name: domain}}, nil
	}
	want(t, d.checkWay(t.Context(), at), OK)
	d.Daemon.Asked = func(context.Context, string) ([]Question, error) { return nil, errors.New("refused") }
	want(t, d.checkWay(t.Context(), at), Warn, "could", "refused")
	want(t, d.checkWay(t.Context(), netip.MustParseAddrPort(closedPort(t))), Fail, "does not answer")
}

func TestPrograms(t *testing.T) {
	d := &Doctor{}
	if _, err := d.run(t.Context(), "mxglue-no-such-program"); !errors.Is(err, exec.ErrNotFound) && !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a program that is not there: %v", err)
	}
	if out, err := d.run(t.Context(), "sh", "-c", "echo yes"); out != "yes\n" || err != nil {
		t.Errorf("%q, %v", out, err)
	}
	if _, err := d.run(t.Context(), "sh", "-c", "echo because >&2; exit 1"); err == nil || err.Error() != "because" {
		t.Errorf("%v, want what it said", err)
	}
}
