package bulk

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/miekg/dns"

	"github.com/mxglue/mxglue/smtpprobe"
)

// names are n domains; those of one provider have its name at the front.
func names(provider string, n int) []string {
	var domains []string
	for i := range n {
		domains = append(domains, fmt.Sprintf("%s-%d.example", provider, i))
	}
	return domains
}

func provider(_ context.Context, domain string) string {
	name, _, _ := strings.Cut(domain, "-")
	return name
}

// The first of a provider's domains goes alone, the rest after it, and the slow host of one provider does
// not hold up another.
func TestGroupByGroup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		var mu sync.Mutex
		at := make(map[string]time.Duration)
		r := Runner{Group: provider, Probe: func(_ context.Context, domain string) smtpprobe.Report {
			mu.Lock()
			at[domain] = time.Since(began)
			mu.Unlock()
			if domain == "slow-0.example" {
				time.Sleep(30 * time.Second)
			}
			return smtpprobe.Report{Domain: domain, Status: smtpprobe.StatusOK}
		}}
		if _, err := r.Run(t.Context(), slices.Concat(names("fast", 5), names("slow", 40))); err != nil {
			t.Fatal(err)
		}
		for domain, d := range at {
			want := time.Duration(0)
			if strings.HasPrefix(domain, "slow") && domain != "slow-0.example" {
				want = 30 * time.Second
			}
			if d != want {
				t.Errorf("%s began after %v, want %v", domain, d, want)
			}
		}
	})
}

func TestWidthBoundsProbesAndLookups(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var now, most atomic.Int32
		busy := func() {
			if n := now.Add(1); n > most.Load() {
				most.Store(n)
			}
			time.Sleep(time.Second)
			now.Add(-1)
		}
		r := Runner{Width: 3,
			Group: func(_ context.Context, domain string) string { busy(); return domain[:1] },
			Probe: func(context.Context, string) smtpprobe.Report { busy(); return smtpprobe.Report{} },
		}
		summary, err := r.Run(t.Context(), slices.Concat(names("a", 10), names("b", 10), names("c", 1), names("d", 1)))
		if err != nil || summary.Done() != 22 || most.Load() != 3 {
			t.Errorf("%v, %v; at most %d at once, want 3", summary, err, most.Load())
		}
	})
}

// Cut in the middle, then resumed: every domain has its report, and each has one.
func TestCutAndResumed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		domains := names("a", 100)
		var output bytes.Buffer
		r := Runner{Width: 4,
			Probe: func(ctx context.Context, domain string) smtpprobe.Report {
				select {
				case <-time.After(time.Second):
					return smtpprobe.Report{Domain: domain, Status: smtpprobe.StatusCritical}
				case <-ctx.Done():
					return smtpprobe.Report{Domain: domain, Status: smtpprobe.StatusUnknown}
				}
			},
			Result: func(report smtpprobe.Report) error { return json.NewEncoder(&output).Encode(report) },
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second+500*time.Millisecond)
		defer cancel()
		summary, err := r.Run(ctx, domains)
		want := Summary{Total: 100, Critical: 40, NotProbed: 60, Elapsed: 10*time.Second + 500*time.Millisecond}
		if err != nil || summary != want {
			t.Fatalf("got %+v, %v; want %+v", summary, err, want)
		}
		output.WriteString(`{"domain":"a-40.exa`) // and killed while it wrote

		done, size, err := Done(bytes.NewReader(output.Bytes()))
		if err != nil {
			t.Fatal(err)
		}
		output.Truncate(int(size))
		rest := slices.DeleteFunc(slices.Clone(domains), func(d string) bool { return done[d] })
		if summary, err = r.Run(t.Context(), rest); err != nil || summary.Done() != 60 {
			t.Fatalf("%+v, %v", summary, err)
		}
		var got []string
		for line := range strings.Lines(output.String()) {
			var report smtpprobe.Report
			if err := json.Unmarshal([]byte(line), &report); err != nil {
				t.Fatal(err)
			}
			got = append(got, report.Domain)
		}
		slices.Sort(got)
		slices.Sort(domains)
		if !slices.Equal(got, domains) {
			t.Errorf("got %d reports: %q", len(got), got)
		}
	})
}

// Where results cannot be kept, no more doors are knocked at.
func TestResultErrorEndsTheRun(t *testing.T) {
	full := errors.New("no space left on device")
	var probes atomic.Int32
	r := Runner{Width: 2,
		Probe:  func(context.Context, string) smtpprobe.Report { probes.Add(1); return smtpprobe.Report{} },
		Result: func(smtpprobe.Report) error { return full },
	}
	summary, err := r.Run(t.Context(), names("a", 1000))
	if !errors.Is(err, full) || summary.Done() != 0 || summary.NotProbed != 1000 || probes.Load() > 10 {
		t.Errorf("%+v, %v after %d probes", summary, err, probes.Load())
	}
}

func TestProgress(t *testing.T) {
	var seen []Summary
	statuses := map[string]smtpprobe.Status{"a-0.example": smtpprobe.StatusOK, "a-1.example": smtpprobe.StatusWarning, "a-2.example": smtpprobe.StatusUnknown}
	r := Runner{Group: provider,
		Probe:    func(_ context.Context, d string) smtpprobe.Report { return smtpprobe.Report{Status: statuses[d]} },
		Progress: func(s Summary) { seen = append(seen, s) },
	}
	summary, _ := r.Run(t.Context(), names("a", 3))
	if len(seen) != 1+3+3 || seen[0].NotProbed != 3 || seen[3].Grouped != 3 || seen[3].Done() != 0 || seen[4].OK != 1 || seen[6].Problems() != 2 {
		t.Errorf("got %+v", seen)
	}
	summary.Elapsed = 1234 * time.Millisecond
	if got, want := summary.String(), "3 of 3 domains probed in 1.2s: 1 ok, 1 warning, 0 critical, 1 unknown"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestFirstExchanger(t *testing.T) {
	for _, test := range []struct{ name, want string }{
		{"example-com.mail.protection.outlook.com", "outlook.com"},
		{"mx1.example.co.uk", "example.co.uk"},
		{"com", "com"},
	} {
		r := smtpprobe.Report{MX: []smtpprobe.Exchanger{{Name: test.name}, {Name: "backup.example"}}}
		if got := FirstExchanger(r); got != test.want {
			t.Errorf("%s: got %q, want %q", test.name, got, test.want)
		}
	}
	if got := FirstExchanger(smtpprobe.Report{}); got != "" {
		t.Errorf("no exchanger: got %q", got)
	}
}

// With a real Prober: a provider that takes the mail of 200 domains gets one connection.
func TestProviderIsMetOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var dials atomic.Int32
		prober := &smtpprobe.Prober{
			Exchange: func(_ context.Context, q *dns.Msg) (*dns.Msg, string, error) {
				r := new(dns.Msg).SetReply(q)
				switch q.Question[0].Qtype {
				case dns.TypeMX:
					rr, _ := dns.NewRR(q.Question[0].Name + " MX 10 mx.provider.example.")
					r.Answer = []dns.RR{rr}
				case dns.TypeA:
					rr, _ := dns.NewRR(q.Question[0].Name + " A 11.0.0.1")
					r.Answer = []dns.RR{rr}
				}
				return r, "upstream", nil
			},
			Dial: func(context.Context, string, string) (net.Conn, error) {
				dials.Add(1)
				client, peer := net.Pipe()
				go greet(peer)
				return client, nil
			},
		}
		r := Runner{Probe: prober.Probe, Group: func(context.Context, string) string { return "provider.example" }}
		summary, err := r.Run(t.Context(), names("a", 200))
		if err != nil || summary.Done() != 200 || dials.Load() != 1 {
			t.Errorf("%v, %v; %d connections, want 1", summary, err, dials.Load())
		}
	})
}

// greet is a server that says 220, and 250 until QUIT.
func greet(conn net.Conn) {
	defer conn.Close()
	fmt.Fprint(conn, "220 mx\r\n")
	for in := bufio.NewScanner(conn); in.Scan(); {
		if in.Text() == "QUIT" {
			fmt.Fprint(conn, "221 bye\r\n")
			return
		}
		fmt.Fprint(conn, "250 mx\r\n")
	}
}

// The largest group takes longest, so it begins first.
func TestLargestGroupFirst(t *testing.T) {
	var order []string
	r := Runner{Group: provider, Width: 1, Probe: func(ctx context.Context, d string) smtpprobe.Report {
		order = append(order, provider(ctx, d))
		return smtpprobe.Report{}
	}}
	r.Run(t.Context(), slices.Concat(names("a", 2), names("b", 3), names("c", 2)))
	if got, want := strings.Join(order, ""), "bbbaacc"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
