package smtpprobe

import (
	"bufio"
	"context"
	"encoding/json"
	"net"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// network is what Dial reaches. An address that peers does not name says 220; else its entry is the
// greeting, or what becomes of the connection: refused, lost, noroute, unreachable, filtered, mute.
type network struct {
	peers map[string]string

	mu     sync.Mutex
	dialed []string
}

func (n *network) dial(ctx context.Context, _, address string) (net.Conn, error) {
	host, _, _ := net.SplitHostPort(address)
	n.mu.Lock()
	n.dialed = append(n.dialed, host)
	n.mu.Unlock()
	failed := func(errno error) (net.Conn, error) {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", errno)}
	}
	greeting, ok := n.peers[host]
	switch {
	case !ok:
		greeting = "220 mx"
	case greeting == "refused":
		return failed(syscall.ECONNREFUSED)
	case greeting == "noroute":
		return failed(syscall.ENETUNREACH)
	case greeting == "noaddress":
		return failed(syscall.EADDRNOTAVAIL)
	case greeting == "unreachable": // the same error, from a router on the way
		time.Sleep(50 * time.Millisecond)
		return failed(syscall.ENETUNREACH)
	case greeting == "filtered":
		<-ctx.Done()
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: ctx.Err()}
	}
	client, peer := net.Pipe()
	go attend(peer, greeting)
	return client, nil
}

// attend is a server that greets (unless mute) and says 250 to everything but QUIT.
func attend(conn net.Conn, greeting string) {
	defer conn.Close()
	if greeting != "mute" {
		conn.Write([]byte(greeting + "\r\n"))
	}
	for in := bufio.NewScanner(conn); in.Scan(); {
		if in.Text() == "QUIT" {
			conn.Write([]byte("221 bye\r\n"))
			return
		}
		conn.Write([]byte("250 mx\r\n"))
	}
}

const (
	twoHosts = "d.example. MX 1 a.example.\nd.example. MX 2 b.example.\na.example. A 11.0.0.1\nb.example. A 11.0.0.2"
	dual     = "d.example. MX 1 a.example.\na.example. A 11.0.0.1\na.example. AAAA 2a00::1"
)

func TestVerdictOfTheDomain(t *testing.T) {
	for _, test := range []struct {
		name  string
		zone  string
		peers map[string]string
		first bool
		want  string
		exit  int
	}{
		{"all say 220", twoHosts, nil, false, "ok/ok a.example: 1 a.example ok [11.0.0.1 ok] 2 b.example ok [11.0.0.2 ok]", 0},
		{"the best is down", twoHosts, map[string]string{"11.0.0.1": "refused"}, false, "warning/warning b.example: 1 a.example refused [11.0.0.1 refused] 2 b.example ok [11.0.0.2 ok]", 1},
		{"the backup is down", twoHosts, map[string]string{"11.0.0.2": "filtered"}, false, "warning/warning a.example: 1 a.example ok [11.0.0.1 ok] 2 b.example timeout_connect [11.0.0.2 timeout_connect]", 1},
		{"none says 220", twoHosts, map[string]string{"11.0.0.1": "554 no", "11.0.0.2": "unreachable"}, false, "critical/critical nobody: 1 a.example greeting_5xx [11.0.0.1 greeting_5xx] 2 b.example unreachable [11.0.0.2 unreachable]", 2},
		{"no route at all", twoHosts, map[string]string{"11.0.0.1": "noroute", "11.0.0.2": "noaddress"}, false, "unknown/unknown nobody: 1 a.example local_error [11.0.0.1 local_error] 2 b.example local_error [11.0.0.2 local_error]", 3},
		{"no route to one, the other refuses", twoHosts, map[string]string{"11.0.0.1": "noroute", "11.0.0.2": "refused"}, false, "critical/critical nobody: 1 a.example local_error [11.0.0.1 local_error] 2 b.example refused [11.0.0.2 refused]", 2},
		{"no IPv6 here", dual, map[string]string{"2a00::1": "noroute"}, false, "ok/ok a.example: 1 a.example ok [11.0.0.1 ok] [2a00::1 local_error]", 0},
		{"no IPv4 here", dual, map[string]string{"11.0.0.1": "noaddress"}, false, "ok/ok a.example: 1 a.example ok [11.0.0.1 local_error] [2a00::1 ok]", 0},
		{"IPv6 fails there", dual, map[string]string{"2a00::1": "421 busy"}, false, "warning/warning a.example: 1 a.example ok [11.0.0.1 ok] [2a00::1 greeting_4xx] degraded", 1},
		{"a special-use address beside a good one", twoHosts + "\nb.example. A 10.0.0.1", nil, false, "warning/warning a.example: 1 a.example ok [11.0.0.1 ok] 2 b.example ok [11.0.0.2 ok] [10.0.0.1 blocked_address] degraded", 1},
		{"first", twoHosts, nil, true, "ok/ok a.example: 1 a.example ok [11.0.0.1 ok] 2 b.example skipped", 0},
		{"first, within an exchanger", dual, nil, true, "ok/ok a.example: 1 a.example ok [11.0.0.1 ok] [2a00::1 skipped]", 0},
		{"first, the best is down", twoHosts, map[string]string{"11.0.0.1": "refused"}, true, "warning/warning b.example: 1 a.example refused [11.0.0.1 refused] 2 b.example ok [11.0.0.2 ok]", 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := &network{peers: test.peers}
				p := &Prober{Options: Options{Selection: Selection{First: test.first}}, Exchange: zone(t, test.zone), Dial: n.dial}
				r := p.Probe(t.Context(), "d.example")
				if got := summary(r); got != test.want || r.ExitCode() != test.exit {
					t.Errorf("got  %s, exit %d\nwant %s, exit %d", got, r.ExitCode(), test.want, test.exit)
				}
				if connections := strings.Count(test.want, "[") - strings.Count(test.want, "blocked_address]") - strings.Count(test.want, "skipped]"); len(n.dialed) != connections {
					t.Errorf("%d connections, want %d", len(n.dialed), connections)
				}
			})
		})
	}
}

func TestReasons(t *testing.T) {
	for want, peers := range map[string]map[string]string{
		"2 of 2 exchangers say 220.":                                    nil,
		"1 of 2 exchangers says 220: a.example refuses the connection.": {"11.0.0.1": "refused"},
		"No exchanger of d.example says 220: a.example connects but never greets, b.example is alive but refuses this client.": {"11.0.0.1": "mute", "11.0.0.2": "554 no"},
	} {
		synctest.Test(t, func(t *testing.T) {
			p := &Prober{Exchange: zone(t, twoHosts), Dial: (&network{peers: peers}).dial}
			if r := p.Probe(t.Context(), "d.example"); r.Reason != want {
				t.Errorf("got  %q\nwant %q", r.Reason, want)
			}
		})
	}
}

// The seed: two exchangers, and the best one's address belongs to a third name too.
func TestJSON(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		records := "enprovence.com. MX 0 mail.monaco.net.\nenprovence.com. MX 1 DNS2.monaco.net.\nmail.monaco.net. A 194.79.150.9\nDNS2.monaco.net. A 194.79.150.2"
		p := &Prober{Exchange: zone(t, records), Dial: (&network{peers: map[string]string{"194.79.150.9": "refused"}}).dial}
		r := p.Probe(t.Context(), "eme13@enprovence.com")
		if r.STS == nil || r.Records == nil || len(r.Records.Findings) != 0 || len(r.Findings) < 3 {
			t.Errorf("policies %v, %v, findings %v", r.STS, r.Records, r.Findings)
		}
		r.STS, r.Records, r.Findings = nil, nil, []Finding{{SeverityInfo, "code", "RFC 1 §1", "about", "Text."}} // theirs to test
		for i := range r.MX {
			r.MX[i].DANE.Detail = "Text."
		}
		got, err := json.MarshalIndent(r, "", "\t")
		if err != nil {
			t.Fatal(err)
		}
		want, err := os.ReadFile("testdata/report.json")
		if err != nil {
			t.Fatal(err)
		}
		if string(got)+"\n" != string(want) {
			t.Errorf("got %s", got)
		}
	})
}

func TestJSONOfNothing(t *testing.T) {
	got, _ := json.Marshal((&Prober{Exchange: zone(t, "")}).Probe(t.Context(), "d.example"))
	want := `{"schema_version":1,"domain":"d.example","verdict":"nxdomain","status":"critical","reason":"d.example does not exist (NXDOMAIN).","source":"upstream","ad":false,"mx":[],"order":[],"takes_mail":null,"warnings":[],"senders":{"plain":"bounce","dane":"bounce","mta_sts":"bounce"},"findings":[]}`
	if string(got) != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// The report is sorted by preference and name; Order says how it was tried, and TakesMail follows that.
func TestReportIsSortedAndOrderIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		records := "d.example. MX 1 a.example.\nd.example. MX 1 b.example.\na.example. A 11.0.0.1\nb.example. A 11.0.0.2"
		r := (&Prober{Exchange: zone(t, records), Dial: (&network{}).dial, Shuffle: reverse}).Probe(t.Context(), "d.example")
		if r.MX[0].Name != "a.example" || strings.Join(r.Order, " ") != "b.example a.example" || *r.TakesMail != "b.example" {
			t.Errorf("first %s, order %v, takes mail %s", r.MX[0].Name, r.Order, *r.TakesMail)
		}
	})
}

// When the caller's time is up, what was found stays, nothing more is tried, and the status is unknown.
func TestCutByTheCaller(t *testing.T) {
	for name, test := range map[string]struct {
		peers map[string]string
		want  string
	}{
		"while connecting":  {map[string]string{"11.0.0.1": "filtered"}, "unknown/unknown nobody: 1 a.example local_error [11.0.0.1 local_error] 2 b.example skipped"},
		"before a greeting": {map[string]string{"11.0.0.1": "mute"}, "unknown/unknown nobody: 1 a.example local_error [11.0.0.1 local_error] 2 b.example skipped"},
		"after a 220":       {map[string]string{"11.0.0.2": "mute"}, "unknown/unknown a.example: 1 a.example ok [11.0.0.1 ok] 2 b.example local_error [11.0.0.2 local_error]"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
				defer cancel()
				start := time.Now()
				r := (&Prober{Exchange: zone(t, twoHosts), Dial: (&network{peers: test.peers}).dial}).Probe(ctx, "d.example")
				if got := summary(r); got != test.want || r.ExitCode() != 3 {
					t.Errorf("got  %s, exit %d\nwant %s", got, r.ExitCode(), test.want)
				}
				if took := time.Since(start); took != 5*time.Second {
					t.Errorf("took %v", took)
				}
			})
		})
	}
}

func TestProberThatCannotProbe(t *testing.T) {
	for want, p := range map[string]*Prober{
		"Exchange is not set": {},
		`helo "a\r\nRCPT TO:`: {Exchange: zone(t, ""), Options: Options{Helo: "a\r\nRCPT TO:<b@c.example>"}},
	} {
		if r := p.Probe(t.Context(), "d.example"); r.ExitCode() != 3 || !strings.Contains(r.Reason, want) {
			t.Errorf("exit %d, reason %s, want %s", r.ExitCode(), r.Reason, want)
		}
	}
}

// One exchanger is spoken of as one, also when it does not say 220.
func TestCountSentence(t *testing.T) {
	for want, n := range map[string][3]int{
		"0 of 1 exchanger says 220":       {0, 1, 1},
		"0 of 1 exchanger tried says 220": {0, 1, 2},
		"1 of 2 exchangers says 220":      {1, 2, 2},
		"0 of 2 exchangers say 220":       {0, 2, 2},
	} {
		if got := countSentence(n[0], n[1], n[2]); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
