package resolver_test

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/miekg/dns"

	"github.com/mxglue/mxglue/cache"
	"github.com/mxglue/mxglue/cache/wire"
	"github.com/mxglue/mxglue/resolver"
	"github.com/mxglue/mxglue/resolver/upstream"
)

// world is one scenario as it is played.
type world struct {
	cache    *cache.Cache
	resolver *resolver.Resolver

	mu    sync.Mutex
	says  map[string]step // by upstream and question
	asked []string

	reply  *dns.Msg // to the last QUERY
	waited time.Duration
}

func play(t *testing.T, steps []step) {
	w := &world{says: make(map[string]step)}
	var options step
	if len(steps) > 0 && steps[0].verb == "OPTION" {
		options, steps = steps[0], steps[1:]
	}
	w.open(t, options)
	defer w.resolver.Close()
	for _, s := range steps {
		switch s.verb {
		case "UPSTREAM":
			w.mu.Lock()
			w.says[on(s)+" "+key(s.args[0], s.args[1])] = s
			w.mu.Unlock()
		case "QUERY":
			w.query(t, s)
		case "ANSWER":
			w.answer(t, s)
		case "PASS":
			time.Sleep(duration(t, s.args[0]))
		case "ASKED":
			w.checkAsked(t, s)
		case "EXPLAIN":
			w.checkExplained(t, s)
		case "STATS":
			w.checkStats(t, s)
		default:
			t.Fatalf("%s: no such word: %s", s.at, s.verb)
		}
	}
	time.Sleep(time.Minute) // what is still under way ends inside its budget, or synctest says so
}

func (w *world) open(t *testing.T, o step) {
	t.Helper()
	co := cache.Options{Glue: cache.GluePolicy(o.words["glue"]), GlueForAll: o.words["glue_scope"] == "all", GluePrivate: o.has("glue_private")}
	ro := resolver.Options{Bundle: o.words["bundle"] != "off", TrustAD: o.has("trust_ad"), Policy: resolver.Policy(o.words["policy"])}
	co.MinTTL, co.MaxTTL = optional(t, o, "min_ttl"), optional(t, o, "max_ttl")
	var lines []string
	for _, k := range []string{"record", "record2"} {
		if o.has(k) {
			lines = append(lines, strings.ReplaceAll(o.words[k], "_", " "))
		}
	}
	var err error
	if ro.Records, err = resolver.ParseRecords(lines); err != nil {
		t.Fatal(err)
	}
	co.Configured = ro.Records.Has
	if n, ok := o.words["max_inflight"]; ok {
		ro.MaxInFlight, _ = strconv.Atoi(n)
	}
	count, _ := strconv.Atoi(o.words["upstreams"])
	network := "127.0.0" // whose AD bit can be believed
	if o.has("remote") {
		network = "192.0.2"
	}
	var ups []*upstream.Upstream
	for i := range max(count, 1) {
		u, err := upstream.New(fmt.Sprintf("udp://%s.%d:53", network, i+1))
		if err != nil {
			t.Fatal(err)
		}
		ups = append(ups, u)
	}
	for _, k := range []string{"route", "route2", "route3"} {
		if zone, number, ok := strings.Cut(o.words[k], ":"); ok {
			i, _ := strconv.Atoi(number)
			ro.Routes = append(ro.Routes, resolver.Route{Zone: zone, Upstreams: ups[i-1 : i]})
		}
	}
	if len(ro.Routes) > 0 {
		ups = ups[:1]
	}
	ro.NoPrivate = o.has("rebind")
	w.cache = cache.New(co, time.Now())
	w.resolver = resolver.New(ro, w.cache, ups)
	w.resolver.Ask = w.ask
}

// ask is the upstreams.
func (w *world) ask(ctx context.Context, u *upstream.Upstream, q dns.Question, cd bool) (*upstream.Response, error) {
	number := strings.TrimSuffix(strings.TrimPrefix(u.String(), u.String()[:strings.LastIndex(u.String(), ".")+1]), ":53")
	question := key(q.Name, dns.Type(q.Qtype).String())
	w.mu.Lock()
	told := question
	if cd {
		told += " cd"
	}
	if number != "1" {
		told += " on=" + number
	}
	if question != ". NS" { // the probe of an upstream that is down
		w.asked = append(w.asked, told)
	}
	s, ok := w.says[number+" "+question]
	w.mu.Unlock()
	if !ok {
		s = step{body: []string{"authority:", question[:strings.Index(question, " ")] + " 3600 IN SOA ns. host. 1 2 3 4 3600"}}
	}
	wait := time.Duration(0)
	if s.has("delay") {
		wait, _ = time.ParseDuration(s.words["delay"])
	}
	if s.has("silent") {
		wait = time.Hour
	}
	select {
	case <-time.After(wait):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	return response(s, q)
}

// response is what an UPSTREAM step says to q.
func response(s step, q dns.Question) (*upstream.Response, error) {
	m := &dns.Msg{Question: []dns.Question{q}}
	m.Response, m.RecursionDesired, m.RecursionAvailable = true, true, s.words["ra"] != "0"
	m.Authoritative, m.AuthenticatedData, m.Truncated = s.has("aa"), s.has("ad"), s.has("tc")
	if packed, err := hex.DecodeString(strings.Join(s.body, "")); err == nil && len(packed) > 0 {
		if err := m.Unpack(packed); err != nil {
			return nil, err
		}
	} else if err := sections(m, s.body); err != nil {
		return nil, err
	}
	if s.has("rcode") {
		m.Rcode = dns.StringToRcode[s.words["rcode"]]
	}
	if s.has("said") {
		code, _ := strconv.Atoi(s.words["said"])
		m.SetEdns0(1232, true)
		m.IsEdns0().Option = []dns.EDNS0{&dns.EDNS0_EDE{InfoCode: uint16(code), ExtraText: "says who"}}
	}
	m.Compress = true
	packed, err := m.Pack()
	if err != nil {
		return nil, err
	}
	r := &upstream.Response{Msg: m, Size: len(packed), UDP: !s.has("tcp")}
	if s.has("size") {
		r.Size, err = strconv.Atoi(s.words["size"])
	}
	return r, err
}

// sections reads records in zone file form, answer first.
func sections(m *dns.Msg, lines []string) error {
	to := &m.Answer
	for _, line := range lines {
		switch line {
		case "authority:":
			to = &m.Ns
		case "additional:":
			to = &m.Extra
		default:
			rr, err := dns.NewRR(line)
			if err != nil {
				return fmt.Errorf("%s: %w", line, err)
			}
			*to = append(*to, rr)
		}
	}
	return nil
}

// query is the server's part: parse, look up, else resolve.
func (w *world) query(t *testing.T, s step) {
	t.Helper()
	m := new(dns.Msg)
	qtype, known := dns.StringToType[s.args[1]]
	if !known {
		n, err := strconv.ParseUint(strings.TrimPrefix(s.args[1], "TYPE"), 10, 16)
		if err != nil {
			t.Fatalf("%s: no such type: %s", s.at, s.args[1])
		}
		qtype = uint16(n)
	}
	m.SetQuestion(dns.Fqdn(s.args[0]), qtype)
	m.RecursionDesired, m.AuthenticatedData, m.CheckingDisabled = !s.has("norec"), s.has("ad"), s.has("cd")
	if !s.has("noedns") {
		m.SetEdns0(4096, s.has("do"))
	}
	packed, err := m.Pack()
	if err != nil {
		t.Fatalf("%s: %v", s.at, err)
	}
	q := wire.Query{Client: netip.MustParseAddr("127.0.0.1")}
	if s.has("from") {
		q.Client = netip.MustParseAddr(s.words["from"])
	}
	if v := q.Parse(packed, s.has("tcp")); v != wire.Accept {
		t.Fatalf("%s: verdict %d", s.at, v)
	}
	start := time.Now()
	out := w.cache.Answer(nil, &q, start)
	if out == nil {
		out = w.resolver.Resolve(t.Context(), nil, &q)
	}
	w.waited = time.Since(start)
	synctest.Wait()
	w.reply = new(dns.Msg)
	if err := w.reply.Unpack(out); err != nil {
		t.Fatalf("%s: the reply does not unpack: %v", s.at, err)
	}
	if w.reply.Id != m.Id || !w.reply.Response || w.reply.Question[0] != m.Question[0] ||
		w.reply.RecursionDesired != m.RecursionDesired || w.reply.CheckingDisabled != m.CheckingDisabled ||
		!w.reply.RecursionAvailable || (w.reply.IsEdns0() != nil) != !s.has("noedns") {
		t.Errorf("%s: ID, QR, question, RD, CD, RA or OPT is wrong:\n%v", s.at, w.reply)
	}
}

func (w *world) answer(t *testing.T, s step) {
	t.Helper()
	want := new(dns.Msg)
	if err := sections(want, s.body); err != nil {
		t.Fatalf("%s: %v", s.at, err)
	}
	r := w.reply
	if got := dns.RcodeToString[r.Rcode]; got != s.args[0] {
		t.Errorf("%s: got %s, want %s", s.at, got, s.args[0])
	}
	for flag, got := range map[string]bool{"ad": r.AuthenticatedData, "tc": r.Truncated, "aa": r.Authoritative} {
		if got != s.has(flag) {
			t.Errorf("%s: %s is %v", s.at, flag, got)
		}
	}
	if got := extendedErrors(r); got != s.words["ede"] {
		t.Errorf("%s: extended errors %q, want %q", s.at, got, s.words["ede"])
	}
	if s.has("after") && w.waited != duration(t, s.words["after"]) {
		t.Errorf("%s: answered after %v, want %s", s.at, w.waited, s.words["after"])
	}
	extra := slices.DeleteFunc(slices.Clone(r.Extra), func(rr dns.RR) bool { return rr.Header().Rrtype == dns.TypeOPT })
	for _, c := range []struct {
		name      string
		got, want []dns.RR
	}{{"answer", r.Answer, want.Answer}, {"authority", r.Ns, want.Ns}, {"additional", extra, want.Extra}} {
		if got, want := text(c.got), text(c.want); got != want {
			t.Errorf("%s: %s section:\n%s\nwant:\n%s", s.at, c.name, got, want)
		}
	}
}

func (w *world) checkAsked(t *testing.T, s step) {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	var want []string
	for _, line := range s.body {
		f := strings.Fields(line)
		want = append(want, strings.Join(append([]string{key(f[0], f[1])}, f[2:]...), " "))
	}
	slices.Sort(want)
	slices.Sort(w.asked)
	if !slices.Equal(w.asked, want) {
		t.Errorf("%s: upstream was asked\n%s\nwant\n%s", s.at, strings.Join(w.asked, "\n"), strings.Join(want, "\n"))
	}
	w.asked = nil
}

func (w *world) checkStats(t *testing.T, s step) {
	t.Helper()
	packed, err := json.Marshal(map[string]any{"cache": w.cache.Stats(), "resolver": w.resolver.Stats(), "saved": w.resolver.Saved()})
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range s.words {
		var tree any
		json.Unmarshal(packed, &tree)
		for _, part := range strings.Split(path, ".") {
			branch, _ := tree.(map[string]any)
			tree = branch[part]
		}
		if tree == nil {
			tree = 0
		}
		if got := fmt.Sprint(tree); got != want {
			t.Errorf("%s: %s is %s, want %s", s.at, path, got, want)
		}
	}
}

func on(s step) string {
	if s.has("on") {
		return s.words["on"]
	}
	return "1"
}

func key(name, qtype string) string { return dns.CanonicalName(name) + " " + qtype }

func text(rrs []dns.RR) string {
	var lines []string
	for _, rr := range rrs {
		lines = append(lines, strings.ReplaceAll(rr.String(), "\t", " "))
	}
	return strings.Join(lines, "\n")
}

func duration(t *testing.T, s string) time.Duration {
	t.Helper()
	d, err := time.ParseDuration(s)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func optional(t *testing.T, s step, word string) time.Duration {
	t.Helper()
	if !s.has(word) {
		return 0
	}
	return duration(t, s.words[word])
}

// extendedErrors returns the codes in a reply's OPT, "3" or "6,18".
func extendedErrors(m *dns.Msg) string {
	var codes []string
	if opt := m.IsEdns0(); opt != nil {
		for _, o := range opt.Option {
			if e, ok := o.(*dns.EDNS0_EDE); ok {
				codes = append(codes, strconv.Itoa(int(e.InfoCode)))
			}
		}
	}
	return strings.Join(codes, ",")
}
