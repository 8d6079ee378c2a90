package cache

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/mxglue/mxglue/cache/wire"
)

// TestAnswerIsAddressed asks for one entry in different ways: each client gets its own ID, flags, spelling and OPT back,
// behind whatever stood in the buffer.
func TestAnswerIsAddressed(t *testing.T) {
	c := New(Options{}, epoch)
	store(t, c, "Www.A.example A ad\n wWw.a.example. 60 IN A 192.0.2.1", epoch)
	for _, name := range []string{"www.a.example.", "WWW.A.EXAMPLE.", "wwW.a.eXample."} {
		for _, words := range []string{"", "edns", "do", "ad", "do ad tcp"} {
			q := query(t, name, dns.TypeA, strings.Fields(words)...)
			for _, rd := range []uint16{0, wire.FlagRD} {
				q.Flags = q.Flags&^wire.FlagRD | rd
				q.ID++
				out := c.Answer([]byte("prefix"), q, epoch)
				if len(out) < 6 || string(out[:6]) != "prefix" {
					t.Fatalf("%s %s: what stood before is gone: %q", name, words, out)
				}
				m := sound(t, out[6:], q)
				want(t, m, "0 "+name+" 60 IN A 192.0.2.1")
				if m.AuthenticatedData != (words != "" && words != "edns") {
					t.Errorf("%s %q: AD is %v", name, words, m.AuthenticatedData)
				}
			}
		}
	}
}

// TestAges asks at the ages where something changes. Every TTL in every section is counted down, glue's and the
// negative answer's too, and what is over is not given any more.
func TestAges(t *testing.T) {
	c := New(Options{}, epoch)
	store(t, c, mxOfA, epoch)
	store(t, c, `no.a.example MX nx
		authority:
		a.example. 90 IN SOA ns.a.example. host.a.example. 1 2 3 4 3600`, epoch)
	mx := []string{"0 a.example. %d IN MX 5 mx.a.example.", "0 a.example. %d IN MX 9 mail.b.example.", "1 a.example. %d IN NS ns.a.example.",
		"2 mx.a.example. %d IN A 192.0.2.25", "2 mx.a.example. %d IN AAAA 2001:db8::25", "2 ns.a.example. %d IN A 192.0.2.53"}
	for _, x := range []struct {
		name  string
		qtype uint16
		age   time.Duration
		lines []string
		ttls  []any // nil: a miss
	}{
		{"a.example", dns.TypeMX, 0, mx, []any{600, 600, 500, 400, 200, 1000}},
		{"a.example", dns.TypeMX, time.Second - 1, mx, []any{600, 600, 500, 400, 200, 1000}},
		{"a.example", dns.TypeMX, time.Second, mx, []any{599, 599, 499, 399, 199, 999}},
		{"a.example", dns.TypeMX, 199 * time.Second, mx, []any{401, 401, 301, 201, 1, 801}},
		{"a.example", dns.TypeMX, 200*time.Second - 1, mx, []any{401, 401, 301, 201, 1, 801}},
		{"a.example", dns.TypeMX, 200 * time.Second, mx[:3], []any{400, 400, 300}},
		{"a.example", dns.TypeMX, 500*time.Second - 1, mx[:3], []any{101, 101, 1}},
		{"a.example", dns.TypeMX, 500 * time.Second, mx[:2], []any{100, 100}},
		{"a.example", dns.TypeMX, 599 * time.Second, mx[:2], []any{1, 1}},
		{"a.example", dns.TypeMX, 600*time.Second - 1, mx[:2], []any{1, 1}},
		{"a.example", dns.TypeMX, 600 * time.Second, nil, nil},
		{"mx.a.example", dns.TypeA, 0, []string{"0 mx.a.example. %d IN A 192.0.2.25"}, []any{300}}, // glue lives 300 s at most
		{"mx.a.example", dns.TypeA, 299 * time.Second, []string{"0 mx.a.example. %d IN A 192.0.2.25"}, []any{1}},
		{"mx.a.example", dns.TypeA, 300 * time.Second, nil, nil},
		{"mx.a.example", dns.TypeAAAA, time.Second, []string{"0 mx.a.example. %d IN AAAA 2001:db8::25"}, []any{199}},
		{"mx.a.example", dns.TypeAAAA, 200 * time.Second, nil, nil},
		{"no.a.example", dns.TypeMX, 0, []string{"1 a.example. %d IN SOA ns.a.example. host.a.example. 1 2 3 4 3600"}, []any{90}},
		{"no.a.example", dns.TypeMX, 89 * time.Second, []string{"1 a.example. %d IN SOA ns.a.example. host.a.example. 1 2 3 4 3600"}, []any{1}},
		{"no.a.example", dns.TypeMX, 90 * time.Second, nil, nil},
		{"a.example", dns.TypeMX, -5 * time.Second, mx, []any{600, 600, 500, 400, 200, 1000}}, // a clock reading from before
	} {
		t.Run(fmt.Sprint(x.name, dns.Type(x.qtype), x.age), func(t *testing.T) {
			lines := fmt.Sprintf(strings.Join(x.lines, "\n"), x.ttls...)
			if x.ttls == nil {
				lines = "miss"
			}
			want(t, answer(t, c, query(t, x.name, x.qtype), epoch.Add(x.age)), lines)
		})
	}
}

// TestRanks: an answer outranks glue and a failure, glue outranks a failure, and what ends uncovers the next. An answer
// that has ended is taken up again while a failure is remembered (RFC 8767).
func TestRanks(t *testing.T) {
	c := New(Options{}, epoch)
	store(t, c, "answered.example A\n answered.example. 10 IN A 192.0.2.1", epoch)
	fail(c, "answered.example.", epoch.Add(9*time.Second))
	store(t, c, "both.example A\n both.example. 10 IN A 192.0.2.2", epoch)
	store(t, c, `a.example MX
		a.example. 600 IN MX 1 both.example.
		a.example. 600 IN MX 2 glue.example.
		additional:
		both.example. 20 IN A 192.0.2.2
		glue.example. 20 IN A 192.0.2.3`, epoch)
	fail(c, "glue.example.", epoch.Add(19*time.Second))
	for _, x := range []struct {
		name string
		age  time.Duration
		want string
	}{
		{"answered.example", 9, "0 answered.example. 1 IN A 192.0.2.1"},
		{"answered.example", 10, "0 answered.example. 30 IN A 192.0.2.1"},
		{"answered.example", 13, "0 answered.example. 30 IN A 192.0.2.1"},
		{"answered.example", 14, "miss"},
		{"both.example", 9, "0 both.example. 1 IN A 192.0.2.2"},
		{"both.example", 10, "0 both.example. 10 IN A 192.0.2.2"},
		{"both.example", 19, "0 both.example. 1 IN A 192.0.2.2"},
		{"both.example", 20, "miss"},
		{"glue.example", 19, "0 glue.example. 1 IN A 192.0.2.3"},
		{"glue.example", 20, ""},
		{"glue.example", 23, ""},
		{"glue.example", 24, "miss"},
	} {
		m := answer(t, c, query(t, x.name, dns.TypeA), epoch.Add(x.age*time.Second))
		want(t, m, x.want)
		if m != nil && (m.Rcode == dns.RcodeServerFailure) != (x.want == "") {
			t.Errorf("%s after %d s: %s", x.name, x.age, dns.RcodeToString[m.Rcode])
		}
	}
	if st := c.Stats(); st.Hits != 9 || st.GlueHits != 3 || st.StaleHits != 2 || st.Misses != 3 || st.Expired != 2 {
		t.Errorf("%+v", st)
	}
}

// TestCheckingDisabled: what was asked with CD is nobody's answer but CD's (RFC 4035 §3.2.2), and a failure is not either.
func TestCheckingDisabled(t *testing.T) {
	c := New(Options{}, epoch)
	plain, cd := query(t, "a.example", dns.TypeA), query(t, "a.example", dns.TypeA, "cd")
	if _, err := c.Store(response(t, "a.example A\n a.example. 60 IN A 203.0.113.66"), Origin{CD: true}, epoch); err != nil {
		t.Fatal(err)
	}
	want(t, answer(t, c, plain, epoch), "miss")
	want(t, answer(t, c, cd, epoch), "0 a.example. 60 IN A 203.0.113.66")
	store(t, c, "a.example A\n a.example. 60 IN A 192.0.2.1", epoch)
	want(t, answer(t, c, plain, epoch), "0 a.example. 60 IN A 192.0.2.1")
	want(t, answer(t, c, cd, epoch), "0 a.example. 60 IN A 203.0.113.66")

	fail(c, "b.example.", epoch)
	want(t, answer(t, c, query(t, "b.example", dns.TypeA, "cd"), epoch), "miss")
}

// TestIsFor lays forged entries in the way of a question, as a collision of hashes would: none answers.
func TestIsFor(t *testing.T) {
	c := New(Options{}, epoch)
	q := query(t, "a.example", dns.TypeA)
	right := store(t, c, "a.example A\n a.example. 60 IN A 192.0.2.1", epoch)
	hash := right.hash(c.seed)
	for name, text := range map[string]string{
		"name":                     "b.example A\n b.example. 60 IN A 203.0.113.66",
		"type":                     "a.example AAAA\n a.example. 60 IN AAAA 2001:db8::66",
		"longer name":              "a.example.example A\n a.example.example. 60 IN A 203.0.113.66",
		"shorter name":             "example A\n example. 60 IN A 203.0.113.66",
		"root":                     ". NS\n . 60 IN NS a.",
		"the same octets, no data": "a A nx",
	} {
		forged := store(t, New(Options{}, epoch), text, epoch)
		c.shard(hash).insert(hash, forged.full, forged.facts)
		if out := c.Answer(nil, q, epoch); out != nil {
			t.Errorf("another %s answers:\n%x", name, out)
		}
	}
	forged := store(t, New(Options{}, epoch), "a.example A\n a.example. 60 IN A 203.0.113.66", epoch)
	forged.traits |= asDisabled
	c.shard(hash).insert(hash, forged.full, forged.facts)
	want(t, answer(t, c, q, epoch), "miss")
	c.shard(hash).insert(hash, right.full, right.facts)
	want(t, answer(t, c, q, epoch), "0 a.example. 60 IN A 192.0.2.1")
}
