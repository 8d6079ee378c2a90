package main

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/spf13/pflag"

	"github.com/mxglue/mxglue/smtpprobe"
	"github.com/mxglue/mxglue/smtpprobe/fakemx"
)

// bench is a name server on loopback, and exchangers beside it that all listen on one port.
type bench struct {
	upstream string // IP:PORT
	port     string

	mu    sync.Mutex
	asked []string
}

// newBench serves the records of a zone. SIGNED in front of one has AD set in the answer with it; GLUE has it go into the
// additional section of all MX answers. Behaviours, by address,
// are those of fakemx there.
func newBench(t *testing.T, zone string, behaviours map[string]string) *bench {
	t.Helper()
	b := &bench{}
	answers := map[string][]dns.RR{}
	signed := map[string]bool{}
	var glue []dns.RR
	for line := range strings.Lines(zone) {
		text, isSigned := strings.CutPrefix(strings.TrimSpace(line), "SIGNED ")
		text, isGlue := strings.CutPrefix(text, "GLUE ")
		rr, err := dns.NewRR(text)
		if err != nil {
			t.Fatal(err)
		}
		if isGlue {
			glue = append(glue, rr)
		} else if rr != nil {
			key := rr.Header().Name + dns.TypeToString[rr.Header().Rrtype]
			answers[key], signed[key] = append(answers[key], rr), isSigned
		}
	}
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b.upstream = conn.LocalAddr().String()
	server := &dns.Server{PacketConn: conn, Handler: dns.HandlerFunc(func(w dns.ResponseWriter, q *dns.Msg) {
		key := q.Question[0].Name + dns.TypeToString[q.Question[0].Qtype]
		b.mu.Lock()
		b.asked = append(b.asked, key)
		b.mu.Unlock()
		r := new(dns.Msg).SetReply(q)
		r.RecursionAvailable, r.AuthenticatedData, r.Answer = true, signed[key], answers[key]
		if strings.HasPrefix(key, "missing.") {
			r.Rcode = dns.RcodeNameError
		}
		if len(r.Answer) == 0 {
			soa, _ := dns.NewRR(". 60 IN SOA ns. host. 1 60 60 60 60")
			r.Ns = []dns.RR{soa}
		}
		if q.Question[0].Qtype == dns.TypeMX {
			r.Extra = append(r.Extra, glue...)
		}
		_ = w.WriteMsg(r)
	})}
	go server.ActivateAndServe()
	t.Cleanup(func() { server.Shutdown() })
	b.exchangers(t, behaviours)
	return b
}

// questions are those that the name server was asked.
func (b *bench) questions() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.asked)
}

// exchangers starts one at each address, all on the port that the first was given.
func (b *bench) exchangers(t *testing.T, behaviours map[string]string) {
	t.Helper()
	if len(behaviours) == 0 {
		b.port = "2" // where nobody listens
		return
	}
	b.port = "0"
	for address, script := range behaviours {
		behaviour, err := fakemx.Parse(strings.FieldsFunc(script, func(r rune) bool { return r == ',' })...)
		if err != nil {
			t.Fatal(err)
		}
		listener, err := net.Listen("tcp", net.JoinHostPort(address, b.port))
		if err != nil {
			t.Fatal(err)
		}
		_, b.port, _ = net.SplitHostPort(listener.Addr().String())
		ctx, stop := context.WithCancel(context.Background())
		var done sync.WaitGroup
		done.Go(func() { _ = (&fakemx.Server{Name: "mx.example", Script: behaviour}).Serve(ctx, listener) })
		t.Cleanup(func() { stop(); done.Wait() })
	}
}

// run runs mxglue with a command line, and returns what it prints and its exit code.
func (b *bench) run(ctx context.Context, stdin string, args ...string) (stdout, stderr string, code int) {
	args = append([]string{args[0], "--upstream", b.upstream, "--log-level", "error"}, args[1:]...)
	if args[0] == "check" {
		args = append(args, "--allow-private")
		if !slices.Contains(args, "--port") {
			args = append(args, "--port", b.port)
		}
	}
	root, out, notes := rootCommand(args), new(strings.Builder), new(strings.Builder)
	root.SetIn(strings.NewReader(stdin))
	root.SetOut(out)
	root.SetErr(notes)
	cmd, err := root.ExecuteContextC(ctx)
	if err != nil {
		return out.String(), notes.String() + err.Error(), exitCode(cmd, err)
	}
	return out.String(), notes.String(), exitOK
}

const benchZone = `
	two.example. 300 IN MX 10 mx1.two.example.
	two.example. 300 IN MX 20 mx2.two.example.
	mx1.two.example. 300 IN A 127.0.0.31
	mx2.two.example. 300 IN A 127.0.0.32
	half.example. 300 IN MX 10 mx3.half.example.
	half.example. 300 IN MX 20 mx1.two.example.
	mx3.half.example. 300 IN A 127.0.0.39
	null.example. 300 IN MX 0 .`

// The commands from the command line to the exit code, with real sockets.
func TestCheckCommand(t *testing.T) {
	b := newBench(t, benchZone, map[string]string{"127.0.0.31": "", "127.0.0.32": "no-starttls"})
	list := filepath.Join(t.TempDir(), "list")
	if err := os.WriteFile(list, []byte("two.example\nnull.example # one\n\nhalf.example\nnull.example\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		args    string
		code    int
		mention string
	}{
		{"check two.example", 0, "OK: mx1.two.example takes the mail now.\n"},
		{"check half.example", 1, "WARNING: mx1.two.example takes the mail now, after mx3.half.example did not.\n"},
		{"check missing.example", 2, "CRITICAL: Nobody takes mail for missing.example: a sender returns it at once.\n"},
		{"check null.example", 0, "OK: Nobody takes mail for null.example: a sender returns it at once.\n"},
		{"check --null-mx fail null.example", 2, "CRITICAL: Nobody takes mail for null.example"},
		{"check two.example half.example missing.example null.example", 2, "missing.example: CRITICAL"},
		{"check --depth dns half.example", 0, "no connection was made"},
		{"check --depth greeting two.example", 0, "plain: unknown"},
		{"check --depth rcpt two.example", 0, "OK: mx1.two.example takes"},
		{"check --transcript two.example", 0, "C: EHLO"},
		{"check --helo me.example --transcript two.example", 0, "C: EHLO me.example"},
		{"check --helo mx2.two.example two.example", 0, "mx2.two.example  skipped: this host"},
		{"check --helo mx2.two.example --include-self two.example", 0, "2 of 2"},
		{"check --source 127.0.0.55 two.example", 0, "OK: mx1.two.example takes"},
		{"check --first two.example", 0, "skipped"},
		{"check --implicit-tls --depth greeting half.example", 2, "CRITICAL: Nobody takes mail"},
		{"check --format nagios -w 50 -c 100 two.example", 0, "MX OK - two.example 2/2 MX ok | 'time'="},
		{"check --format nagios -c 0.000001 two.example", 2, "MX CRITICAL - two.example 2/2 MX ok; the"},
		{"check --format junit half.example", 1, `<failure type="refused"`},
		{"check --format csv half.example", 1, "half.example,warning,warning,mx3.half.example,10,127.0.0.39,"},
		{"check --json half.example", 1, `{"schema_version":1,"domain":"half.example"`},
		{"check --file " + list, 1, "half.example: WARNING."},
		{"plan half.example", 0, "Postfix tries up to 2 addresses for half.example, 127.0.0.39 (mx3.half.example) first.\n"},
		{"plan --as exim --json half.example", 0, `"as":"exim"`},
		{"plan null.example --as rfc5321", 0, "A sender true to RFC 5321 has nothing to try for null.example: it returns the mail at once.\n"},
	} {
		out, notes, code := b.run(t.Context(), "", strings.Fields(test.args)...)
		if code != test.code || !strings.Contains(out, test.mention) {
			t.Errorf("mxglue %s: exit code %d, want %d, and %q:\n%s%s", test.args, code, test.code, test.mention, out, notes)
		}
	}
}

// A sender on an exchanger goes no further than to those it is worse than (RFC 5321 §5.1).
func TestPlanOfOurOwn(t *testing.T) {
	t.Setenv("MXGLUE_SMTPPROBE_HELO", "mx2.two.example")
	b := newBench(t, benchZone, nil)
	out, _, _ := b.run(t.Context(), "", "plan", "two.example")
	if !strings.Contains(out, "Left out: mx2.two.example (preference 20): this host") || !strings.Contains(out, "Postfix tries one address for two.example: 127.0.0.31") {
		t.Errorf("it lists itself:\n%s", out)
	}
	if out, _, _ := b.run(t.Context(), "", "plan", "--include-self", "two.example"); !strings.Contains(out, "Postfix tries up to 2 addresses") {
		t.Errorf("it leaves itself out:\n%s", out)
	}
}

// What is wrong with a command line is exit code 3 (2 for plan), and named with what would be right.
func TestCheckCommandLine(t *testing.T) {
	b := &bench{upstream: "127.0.0.1:9", port: "25"}
	if out, notes, code := b.run(t.Context(), "", "check", ""); code != exitUnknown || out != "" || !strings.Contains(notes, "want a domain such as example.com") {
		t.Errorf("mxglue check '': exit code %d, want 3, and what would be right:\n%s%s", code, out, notes)
	}
	for _, test := range []struct{ args, mention string }{
		{"check", "want DOMAIN..., or --file FILE"},
		{"check --file none.txt two.example", "want one or the other"},
		{"check --file none.txt", "none.txt"},
		{"check --format yaml two.example", `--format "yaml": want text, json, nagios, junit or csv`},
		{"check --json --format csv two.example", "give one of them"},
		{"check --depth deep two.example", `--depth "deep": want dns, greeting, tls or rcpt`},
		{"check --null-mx=maybe two.example", `--null-mx "maybe": want ok or fail`},
		{"check --helo a/b two.example", `--helo "a/b": want a host name`},
		{"check --source here two.example", `--source "here": want an IP address`},
		{"check --source 192.0.2.77 two.example", "--source 192.0.2.77: this host has no such address"},
		{"check --ca none.pem two.example", "--ca: open none.pem"},
		{"check -w 5 two.example", "--warning is for --format nagios"},
		{"check --format nagios -w 0 two.example", "--warning 0: want seconds, more than 0"},
		{"check --format nagios -w NaN two.example", "--warning NaN: want seconds"},
		{"check --format nagios -w 10 -c 5 two.example", "the other way round"},
		{"check --format nagios two.example null.example", "want one DOMAIN"},
		{"check --format nagios --ca none.pem two.example", "--ca: open none.pem"},
		{"check --resume x two.example", "want --file"},
		{"check --file x --resume x", "--format json or csv"},
		{"check --file x --depth rcpt", "not for lists"},
		{"check --rfc-timeouts --timeout 9s two.example", "give one of them"},
		{"plan two.example --as sendmail", `--as "sendmail": want postfix, exim or rfc5321`},
		{"check --format nagios -w x two.example", `--warning "x": want a number, such as 5`},
		{"check --format nagios --critical= two.example", `--critical "": want a number`},
		{"check -t 30 two.example", `--deadline "30": want a duration with its unit, such as 500ms, 30s`},
		{"check --seed -1 two.example", `--seed "-1": want a whole number`},
		{"check --fresh=maybe two.example", `--fresh "maybe": want true or false`},
		{"check two.example two..example", "empty label"},
		{"check two.example 192.0.2.1", "want [192.0.2.1]"},
		{"check two.example:99999", "want a number from 1 to 65535"},
		{"plan", "an argument is missing: want mxglue plan DOMAIN"},
		{"plan two.example null.example", `"null.example" is one argument too many: want mxglue plan DOMAIN`},
		{"plan two..example", "empty label"},
	} {
		want := map[string]int{"check": exitUnknown, "plan": exitConfig}[strings.Fields(test.args)[0]]
		out, notes, code := b.run(t.Context(), "", strings.Fields(test.args)...)
		said := out == ""
		if strings.Contains(test.args, "--format nagios") { // which reads no standard error
			said = strings.HasPrefix(out, "MX UNKNOWN - ") && strings.Contains(out, test.mention)
		}
		if code != want || !said || !strings.Contains(notes, test.mention) {
			t.Errorf("mxglue %s: exit code %d, want %d, and %q:\n%s%s", test.args, code, want, test.mention, out, notes)
		}
	}
}

// A list goes through to its end whatever is on it; cut, it says so; resumed, it is whole.
func TestCheckMany(t *testing.T) {
	b := newBench(t, benchZone, map[string]string{"127.0.0.31": "", "127.0.0.32": ""})
	out, notes, code := b.run(t.Context(), "two.example\nnot a domain\nnull.example\n", "check", "--file", "-", "--format", "csv")
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if code != exitUnknown || len(lines) != 4 || !strings.HasPrefix(lines[0], "domain,") {
		t.Errorf("exit code %d, want 3 for the bad line; the header and 3 lines:\n%s", code, out)
	}
	for _, want := range []string{"line 2:", "2 of 2 domains probed in ", "2 ok"} {
		if !strings.Contains(notes, want) {
			t.Errorf("standard error lacks %q:\n%s", want, notes)
		}
	}
	former := filepath.Join(t.TempDir(), "former.csv")
	if err := os.WriteFile(former, []byte(out), 0o600); err != nil {
		t.Fatal(err)
	}
	out, notes, code = b.run(t.Context(), "two.example\nhalf.example\nnull.example\n", "check", "--file", "-", "--format", "csv", "--resume", former)
	if code != exitWarning || !strings.HasPrefix(out, "domain,") || !strings.Contains(out, "\nhalf.example,") || strings.Contains(out, "\ntwo.example,") || !strings.Contains(notes, "2 of 3 domains are in ") {
		t.Errorf("resumed: exit code %d, want 1 and half.example alone:\n%s%s", code, out, notes)
	}
	cut, cancel := context.WithCancel(t.Context())
	cancel()
	out, notes, code = b.run(cut, "two.example\nhalf.example\n", "check", "--file", "-", "--json")
	if code != exitUnknown || out != "" || !strings.Contains(notes, "0 of 2 domains probed") || !strings.Contains(notes, "2 not probed") {
		t.Errorf("cut: exit code %d, want 3 and nothing:\n%s%s", code, out, notes)
	}
}

// Nobody in three networks answers: the port is blocked here, until somebody does.
func TestSilence(t *testing.T) {
	report := func(address string, verdict smtpprobe.Verdict) smtpprobe.Report {
		return smtpprobe.Report{MX: []smtpprobe.Exchanger{{Attempts: []smtpprobe.Attempt{{Address: netip.MustParseAddr(address), Verdict: verdict}}}}}
	}
	var s silence
	for i, step := range []struct {
		address string
		verdict smtpprobe.Verdict
		blocked bool
	}{
		{"11.1.0.1", smtpprobe.TimeoutConnect, false},
		{"11.1.0.2", smtpprobe.TimeoutConnect, false},
		{"11.2.0.1", smtpprobe.Unreachable, false},
		{"127.0.0.1", smtpprobe.BlockedAddress, false},
		{"11.3.0.1", smtpprobe.TimeoutConnect, true},
		{"11.4.0.1", smtpprobe.TimeoutConnect, true},
		{"11.5.0.1", smtpprobe.Refused, false},
		{"11.6.0.1", smtpprobe.TimeoutConnect, false},
		{"11.7.0.1", smtpprobe.TimeoutConnect, false},
		{"11.8.0.1", smtpprobe.TimeoutConnect, false},
	} {
		if s.hear(report(step.address, step.verdict)); s.blocked.Load() != step.blocked {
			t.Errorf("step %d: blocked %t, want %t", i, s.blocked.Load(), step.blocked)
		}
	}
}

// Several formats cannot be written to a disk that is full: an error, and exit code 3.
func TestCheckWriteError(t *testing.T) {
	for _, format := range checkFormats {
		f := checkOptions{format: format}
		w := f.writer(fullDisk{})
		if err := errors.Join(w.write(outcome{Report: smtpprobe.Report{}}), w.end()); !errors.Is(err, errFull) {
			t.Errorf("%s: error %v, want that of the disk", format, err)
		}
	}
}

var errFull = errors.New("no space left on device")

type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, errFull }

// Of several domains the worst exit code counts: none critical is worse than unknown.
func TestWorse(t *testing.T) {
	for i, a := range []int{0, 1, 3, 2} {
		for _, b := range []int{0, 1, 3, 2}[:i+1] {
			if worse(a, b) != a || worse(b, a) != a {
				t.Errorf("of %d and %d: %d and %d, want %d", a, b, worse(a, b), worse(b, a), a)
			}
		}
	}
}

// Every flag gets where it belongs.
func TestCheckOptions(t *testing.T) {
	parse := func(line string) (smtpprobe.Options, *prober) {
		t.Helper()
		var f checkOptions
		flags := pflag.NewFlagSet("check", pflag.ContinueOnError)
		flags.String("port", "", "")
		f.register(flags)
		if err := flags.Parse(strings.Fields(line)); err != nil {
			t.Fatal(err)
		}
		p := &prober{Prober: &smtpprobe.Prober{Options: smtpprobe.Options{Port: 25, Helo: "[192.0.2.1]"}}}
		p.IncludeSelf, p.Timeouts.Address = true, time.Minute
		if err := f.apply(p, flags); err != nil {
			t.Fatal(err)
		}
		p.Own = nil
		return p.Options, p
	}
	got, p := parse("--all-addresses --mx-to-ip --include-self --null-mx fail --implicit-tls --force-starttls --legacy --seed 7 --rfc-timeouts --first --transcript --fresh --depth rcpt --helo me.example --source 192.0.2.9")
	want := smtpprobe.Options{
		Helo: "me.example", Source: netip.MustParseAddr("192.0.2.9"), Depth: smtpprobe.DepthRCPT, Transcript: true, Timeouts: smtpprobe.RFCTimeouts(),
		Selection: smtpprobe.Selection{First: true, AllAddresses: true, NullMXFails: true, MXToIP: true, IncludeSelf: true, Seed: 7},
		Security:  smtpprobe.Security{ImplicitTLS: true, ForceStartTLS: true, Legacy: true},
	}
	if !reflect.DeepEqual(got, want) || p.FreshExchange == nil {
		t.Errorf("all flags: %+v, want %+v", got, want)
	}
	got, p = parse("")
	want = smtpprobe.Options{Helo: "[192.0.2.1]", Port: 25, Depth: smtpprobe.DepthTLS}
	want.Timeouts.Address = time.Minute
	if !reflect.DeepEqual(got, want) || p.FreshExchange != nil {
		t.Errorf("no flag: %+v, want %+v", got, want)
	}
	if got, _ := parse("--implicit-tls --port 25"); got.Port != 25 {
		t.Errorf("--implicit-tls --port 25: port %d", got.Port)
	}
}
