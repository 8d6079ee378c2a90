package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/spf13/cobra"

	"github.com/mxglue/mxglue/cmd/mxglue/status"
)

// A reloading is a daemon in this process whose configuration file the test writes.
type reloading struct {
	*running
	file string
	log  *output
}

// output is what is logged.
type output struct {
	mu   sync.Mutex
	text strings.Builder
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// newReloading runs what serve runs, but for signals and the HTTP socket.
func newReloading(t *testing.T, config string) *reloading {
	t.Helper()
	r := &reloading{file: filepath.Join(t.TempDir(), "config.yaml"), log: new(output)}
	r.write(t, config)
	cmd := &cobra.Command{}
	serveFlags(cmd)
	if err := cmd.ParseFlags([]string{"--config", r.file}); err != nil {
		t.Fatal(err)
	}
	r.running = &running{load: func() (Config, error) { return loadConfig(cmd.Flags()) }}
	first, err := r.load()
	if err != nil {
		t.Fatal(err)
	}
	if err := r.wire(first, r.log); err != nil {
		t.Fatal(err)
	}
	if err := r.server.Listen(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	r.parts.Go(func() { r.server.Serve(ctx) })
	r.begin(ctx)
	t.Cleanup(func() {
		cancel()
		r.parts.Wait()
		r.end()
		r.questions.Close()
	})
	return r
}

// write makes text the configuration; servers listen on some port.
func (r *reloading) write(t *testing.T, text string) {
	t.Helper()
	if err := os.WriteFile(r.file, []byte("server.listen: 127.0.0.1:0\n"+text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// change reloads with text as the configuration.
func (r *reloading) change(t *testing.T, text string) (status.Reloaded, error) {
	t.Helper()
	r.write(t, text)
	return r.reload(t.Context())
}

// ask puts a question of type A over UDP, and returns the RCODE and what the first record says.
func (r *reloading) ask(t *testing.T, name string) string {
	t.Helper()
	m := new(dns.Msg).SetQuestion(name, dns.TypeA)
	reply, err := dns.Exchange(m, r.server.Options.Listen[0].String())
	if err != nil {
		t.Error(err)
		return ""
	}
	text := dns.RcodeToString[reply.Rcode]
	for _, rr := range reply.Answer {
		text += " " + rr.(*dns.A).A.String()
	}
	return text
}

// says serves an upstream with one answer to everything.
func says(t *testing.T, address string) string {
	t.Helper()
	return serveDNS(t, func(q *dns.Msg) *dns.Msg { return answerA(q, address) })
}

func TestReloadChangesWhatHolds(t *testing.T) {
	one, other := says(t, "192.0.2.1"), says(t, "192.0.2.2")
	config := "resolver: {upstreams: " + one + "}\n"
	r := newReloading(t, config)
	want := func(name, want string) {
		t.Helper()
		if got := r.ask(t, name); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
	reload := func(config, changed string) {
		t.Helper()
		done, err := r.change(t, config)
		if got := strings.Join(done.Changed, " "); err != nil || got != changed || len(done.Restart) > 0 || done.File != r.file {
			t.Fatalf("%s\n%+v, %v; want changed: %s", config, done, err, changed)
		}
	}
	want("a.example.", "NOERROR 192.0.2.1")
	flushes := r.answers.Flushes()
	reload(config, "")
	if r.answers.Flushes() != flushes {
		t.Error("answers on their way are not kept, although nothing has changed")
	}
	reload("resolver: {upstreams: "+other+"}\n", "resolver.upstreams")
	want("a.example.", "NOERROR 192.0.2.1") // from the cache, which stays
	want("b.example.", "NOERROR 192.0.2.2")
	reload("resolver: {upstreams: "+other+", routes: [{zone: a.example, upstreams: "+other+"}], records: [b.example. A 192.0.2.3]}\n", "resolver.routes resolver.records")
	want("a.example.", "NOERROR 192.0.2.2") // for what is known of it came another way
	want("b.example.", "NOERROR 192.0.2.3")
	reload("resolver: {upstreams: ["+other+", "+one+"]}\nserver.allow: 192.0.2.0/24\nlog.level: error\n", "server.allow resolver.upstreams resolver.routes resolver.records log.level")
	want("a.example.", "REFUSED")
	reload("resolver: {upstreams: "+other+"}\n", "server.allow resolver.upstreams log.level")
	want("b.example.", "NOERROR 192.0.2.2")
	st := r.page.Snapshot()
	if st.Server.UDPQueries != 6 || st.Server.Refused != 1 || st.Cache.Hits != 1 || st.Upstream.Queries == 0 {
		t.Errorf("counted %+v, %+v; want it to go on", st.Server, st.Cache)
	}
}

// Of a configuration with a mistake in it, wherever that is found, nothing holds.
func TestReloadTakesOverNothingThatIsWrong(t *testing.T) {
	good, other := "resolver: {upstreams: "+says(t, "192.0.2.1")+"}\n", "resolver: {upstreams: "+says(t, "192.0.2.2")+"}\n"
	r := newReloading(t, good)
	dir := t.TempDir()
	for text, want := range map[string]string{
		"cache.glue: trusted\n" + other: r.file + `:2: cache.glue: "trusted" is not one of`,
		"cache: [\n":                    "is not YAML",
		"server.allow: 192.0.2.1\n" + other + "log.level: loud\n":                `log.level: "loud" is not one of`,
		"resolver: {upstreams: 192.0.2.9, ca_file: " + dir + "}\n":               "resolver.ca_file",
		"resolver: {upstreams: 'https://dns.example/q'}\n":                       "nobody is there to ask",
		"server.allow: 192.0.2.1\nquerylog.output: " + dir + "\n" + other:        "querylog.output",
		"monitor: {domains: a.example, store: " + dir + "/a/b/c}\n" + other:      "monitor.store",
		"resolver: {upstreams: " + r.server.Options.Listen[0].String() + "}\n":   "is our own listener",
		"resolver: {routes: [{zone: a, upstreams: 1.2.3.4}, {zone: a}]}\n" + "a": "is not YAML",
	} {
		done, err := r.change(t, text)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s\n%+v, error %v; want %q", text, done, err, want)
		}
		if got := r.ask(t, fmt.Sprintf("n%d.example.", len(text))); got != "NOERROR 192.0.2.1" {
			t.Errorf("%s\nand then %s, want it answered as before", text, got)
		}
	}
	if n := strings.Count(r.log.String(), "not reloaded; everything stays as it was"); n != 9 {
		t.Errorf("logged %d of 9 failures:\n%s", n, r.log)
	}
}

// What cannot change is told, each time, and the rest changes.
func TestReloadNamesWhatNeedsARestart(t *testing.T) {
	upstream := says(t, "192.0.2.1")
	r := newReloading(t, "resolver: {upstreams: "+upstream+"}\ncache.entries: 1000\n")
	config := "resolver: {upstreams: " + upstream + ", policy: race}\ncache: {entries: 2000, hotlist: /tmp/none, memory: 2MiB}\nstatus.listen: 127.0.0.1:1\n"
	for i, changed := range []string{"cache.memory resolver.policy", ""} {
		done, err := r.change(t, config)
		if got := strings.Join(done.Restart, " "); err != nil || got != "cache.entries cache.hotlist status.listen" {
			t.Errorf("reload %d: after a restart %q, error %v", i+1, got, err)
		}
		if got := strings.Join(done.Changed, " "); got != changed {
			t.Errorf("reload %d: changed %q, want %q", i+1, got, changed)
		}
	}
	if !strings.Contains(r.log.String(), `level=WARN msg="this takes effect after a restart" keys="cache.entries, cache.hotlist, status.listen"`) {
		t.Errorf("logged\n%s", r.log)
	}
	if done, err := r.change(t, "resolver: {upstreams: "+upstream+"}\ncache.entries: 500\n"); err != nil || len(done.Restart) > 0 || r.answers.Stats().Capacity != 500 {
		t.Errorf("%+v, error %v, %d entries; want a smaller cache at once", done, err, r.answers.Stats().Capacity)
	}
}

// The monitor begins, changes and ends, the query log too, and each reader sees that.
func TestReloadOfMonitorAndQueryLog(t *testing.T) {
	base := "resolver: {upstreams: " + says(t, "127.0.0.1") + "}\n"
	r := newReloading(t, base)
	store, log := filepath.Join(t.TempDir(), "m.db"), filepath.Join(t.TempDir(), "q.json")
	monitored := func() (n int) {
		if shown := r.page.Snapshot().Monitor; shown != nil {
			return len(shown.Domains)
		}
		return -1
	}
	for i, c := range []struct {
		config string
		want   int
	}{
		{"monitor: {domains: a.example, store: " + store + "}\nquerylog.output: " + log + "\n", 1},
		{"monitor: {domains: [a.example, b.example], store: " + store + "}\nquerylog: {output: " + log + ", sample: 0.9}\n", 2},
		{"", -1},
		{"monitor: {domains: c.example, store: " + store + "}\n", 1}, // whose file is free again
	} {
		if _, err := r.change(t, base+c.config); err != nil {
			t.Fatalf("%s: %v", c.config, err)
		}
		eventually(t, func() error { // the monitor takes the list over when it gets to it
			if n := monitored(); n != c.want {
				return fmt.Errorf("reload %d: %d domains are monitored, want %d", i+1, n, c.want)
			}
			return nil
		})
		r.ask(t, fmt.Sprintf("n%d.example.", i))
	}
	eventually(t, func() error {
		text, err := os.ReadFile(log)
		if err == nil && !strings.Contains(string(text), "n0.example.") {
			err = fmt.Errorf("the query log has\n%s", text)
		}
		if strings.Contains(string(text), "n2.example.") {
			t.Fatalf("logged after the end of the query log:\n%s", text)
		}
		return err
	})
}

// A query log that cannot be opened keeps nobody from being answered; it begins with the first reload that finds the way clear.
func TestNameserverWithoutItsQueryLog(t *testing.T) {
	directory := filepath.Join(t.TempDir(), "later")
	log := filepath.Join(directory, "q.json")
	config := "resolver: {upstreams: " + says(t, "127.0.0.1") + "}\nquerylog.output: " + log + "\n"
	r := newReloading(t, config)
	r.ask(t, "first.example.")
	if _, err := r.change(t, config+"cache.entries: 500\n"); err != nil {
		t.Fatalf("the query log can still not be opened, and that keeps a reload from the rest: %v", err)
	}
	for _, want := range []string{"going on without the query log", "still going on without the query log"} {
		if !strings.Contains(r.log.String(), `level=ERROR msg="`+want+`" error="querylog.output: query log `+log) {
			t.Errorf("not said: %s\n%s", want, r.log)
		}
	}
	if err := os.Mkdir(directory, 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := r.reload(t.Context()); err != nil { // of the same configuration
		t.Fatal(err)
	}
	r.ask(t, "second.example.")
	eventually(t, func() error {
		text, err := os.ReadFile(log)
		if err == nil && !strings.Contains(string(text), "second.example.") {
			err = fmt.Errorf("the query log has\n%s", text)
		}
		return err
	})
}

// eventually waits until ok says nil: what is waited for happens in goroutines that read files and clocks.
func eventually(t *testing.T, ok func() error) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(10 * time.Second); ; <-tick.C {
		err := ok()
		if err == nil {
			return
		}
		if time.Now().After(end) {
			t.Fatal(err)
		}
	}
}

// The command prints what the daemon says, good or bad.
func TestReloadCommand(t *testing.T) {
	upstream := says(t, "192.0.2.1")
	r := newReloading(t, "resolver: {upstreams: "+upstream+"}\n")
	address := daemon(t, r)
	r.write(t, "resolver: {upstreams: "+upstream+", policy: race}\nstatus.listen: ''\n")
	text, err := runCommand(t, reloadCommand(), "--status", address)
	if want := "reloaded: " + r.file + "\nchanged: resolver.policy\ntakes effect after a restart: status.listen\n"; err != nil || text != want {
		t.Errorf("printed %q, error %v; want %q", text, err, want)
	}
	r.write(t, "cache.glue: maybe\ncache.memory: some\n")
	text, err = runCommand(t, reloadCommand(), "--status", address)
	if text != "" || err == nil {
		t.Fatalf("printed %q, error %v; want an error", text, err)
	}
	lines := strings.Split(err.Error(), "\n")
	if len(lines) != 2 || !strings.HasPrefix(lines[0], "the daemon on "+address+" goes on as before: "+r.file+":3: cache.memory:") || !strings.HasPrefix(lines[1], r.file+":2: cache.glue:") {
		t.Errorf("error %q, want a line for each mistake", err)
	}
	var exit exitError
	if _, err := runCommand(t, reloadCommand(), "--config", r.file); !errors.As(err, &exit) || exit.code != exitFailed || !strings.Contains(err.Error(), "the daemon has not been told") {
		t.Errorf("with the same file: error %v, want exit code 1", err)
	}
}

// Reloads and queries at a time: nothing is lost, and nobody meets anything half done.
func TestReloadUnderLoad(t *testing.T) {
	ones := []string{says(t, "192.0.2.1"), says(t, "192.0.2.2"), says(t, "192.0.2.3")}
	r := newReloading(t, "resolver: {upstreams: "+ones[0]+"}\n")
	asked := make(chan struct{}) // a reload for each question, at about the time when it comes
	var clients sync.WaitGroup
	for c := range 4 {
		clients.Go(func() {
			for i := range 200 {
				asked <- struct{}{}
				if got := r.ask(t, fmt.Sprintf("n%d.c%d.example.", i/2, c)); !strings.HasPrefix(got, "NOERROR 192.0.2.") {
					t.Errorf("client %d, question %d: %s", c, i, got)
				}
			}
		})
	}
	go func() {
		clients.Wait()
		close(asked)
	}()
	i := 0
	for range asked {
		config := fmt.Sprintf("resolver: {upstreams: [%s, %s], bundle: %t}\ncache: {memory: %dMiB, glue: %s}\nserver.max_waiting: %d\n",
			ones[i%3], ones[(i+1)%3], i%2 == 0, 1+i%3, []string{"trust", "verify", "ignore"}[i%3], 100+i%3)
		if _, err := r.change(t, config); err != nil {
			t.Error(err) // and go on, or the clients would wait
		}
		i++
	}
}
