package cache

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// TestHottest lists what clients ask most, and forgets by half with every fetch.
func TestHottest(t *testing.T) {
	c := New(Options{}, epoch)
	store(t, c, mxOfA, epoch) // its glue is asked for, and is not listed
	fill(t, c, 0, 3, epoch)
	if _, err := c.Store(response(t, "a.example A\n a.example. 60 IN A 192.0.2.1"), Origin{CD: true}, epoch); err != nil {
		t.Fatal(err)
	}
	ask := func(n int, name string, qtype uint16, words ...string) {
		for range n {
			if answer(t, c, query(t, name, qtype, words...), epoch) == nil {
				t.Fatalf("%s: miss", name)
			}
		}
	}
	ask(4, numbered(1), dns.TypeA)
	ask(9, numbered(2), dns.TypeA)
	ask(7, "a.example", dns.TypeMX)
	ask(20, "mx.a.example", dns.TypeA)
	ask(20, "a.example", dns.TypeA, "cd")
	want := []Asked{{numbered(2), dns.TypeA, 9}, {"a.example.", dns.TypeMX, 7}, {numbered(1), dns.TypeA, 4}}
	for n := range 5 {
		if got := c.Hottest(n); !slices.Equal(got, want[:min(n, 3)]) {
			t.Errorf("the %d hottest: %v", n, got)
		}
	}
	fill(t, c, 2, 3, epoch)
	if got := c.Hottest(3); !slices.Contains(got, Asked{numbered(2), dns.TypeA, 4}) {
		t.Errorf("after a fetch: %v", got)
	}
}

// TestDump tells people what is known of a domain.
func TestDump(t *testing.T) {
	c := New(Options{}, epoch)
	store(t, c, mxOfA, epoch)
	store(t, c, "b.a.example A nx", epoch)
	fail(c, "c.a.example.", epoch)
	store(t, c, "xa.example A ad\n xa.example. 60 IN A 192.0.2.1", epoch)
	tell := func(domain string, most int, age time.Duration) string {
		var lines []string
		for _, k := range c.Dump(domain, most, epoch.Add(age)) {
			lines = append(lines, strings.TrimSpace(fmt.Sprintf("%s %s %s %s %s %d/%d", k.Name, k.Type, k.Rank, k.Rcode, k.State, k.TTL, k.Age)))
		}
		return strings.Join(lines, "\n")
	}
	for _, x := range []struct {
		domain string
		most   int
		age    time.Duration
		want   []string
	}{
		{"A.example", 9, 4 * time.Second, []string{
			"a.example. MX answer NOERROR live 596/4", "b.a.example. A answer NXDOMAIN live 1/4", "c.a.example. A failure SERVFAIL live 1/4",
			"mx.a.example. A glue NOERROR live 296/4", "mx.a.example. AAAA glue NOERROR live 196/4"}},
		{"a.example", 1, 600 * time.Second, []string{"a.example. MX answer NOERROR stale 0/600"}},
		{"b.a.example.", 9, 5 * time.Second, []string{"b.a.example. A answer NXDOMAIN expired 0/5"}},
		{".", 9, 48 * time.Hour, []string{
			"a.example. MX answer NOERROR expired 0/172800", "b.a.example. A answer NXDOMAIN expired 0/172800", "c.a.example. A failure SERVFAIL expired 0/172800",
			"mx.a.example. A glue NOERROR expired 0/172800", "mx.a.example. AAAA glue NOERROR expired 0/172800", "xa.example. A answer NOERROR expired 0/172800"}},
		{"nobody.example", 9, 0, nil},
		{".", 0, 0, nil},
	} {
		if got := tell(x.domain, x.most, x.age); got != strings.Join(x.want, "\n") {
			t.Errorf("%s after %v:\n%s", x.domain, x.age, got)
		}
	}
	if got := c.Dump("xa.example", 1, epoch)[0]; !got.AD || got.Client != mta || got.By != "client" || !slices.Equal(got.Records, []string{"xa.example.\t60\tIN\tA\t192.0.2.1"}) {
		t.Errorf("%+v", got)
	}
}

// TestFlushTakesItsOwn: a flush of a domain leaves its neighbours, and takes what is below it and its hosts' addresses and
// TLSA records wherever they are.
func TestFlushTakesItsOwn(t *testing.T) {
	c := New(Options{}, epoch)
	for _, text := range []string{
		mxOfA, "xa.example A\n xa.example. 60 IN A 192.0.2.1", "example A\n example. 60 IN A 192.0.2.1", "www.a.example A\n www.a.example. 60 IN A 192.0.2.1",
		"mail.b.example A\n mail.b.example. 60 IN A 192.0.2.1", "_25._tcp.mail.b.example TLSA\n _25._tcp.mail.b.example. 60 IN TLSA 3 1 1 00",
		"b.example A\n b.example. 60 IN A 192.0.2.1",
	} {
		store(t, c, text, epoch)
	}
	if n := c.Flush("A.example"); n != 6 {
		t.Errorf("%d flushed", n)
	}
	var left []string
	for _, k := range c.Dump(".", 99, epoch) {
		left = append(left, k.Name)
	}
	if want := []string{"b.example.", "example.", "xa.example."}; !slices.Equal(left, want) {
		t.Errorf("left: %q", left)
	}
	if st := c.Stats(); st.Entries != 3 || c.Flush(".") != 3 || c.Stats().Octets != 0 {
		t.Errorf("%+v", c.Stats())
	}
}

// What was asked before a flush answers who waits for it, and is not kept.
func TestFlushInFlight(t *testing.T) {
	c := New(Options{}, epoch)
	from := Origin{Client: mta, UDP: true, Size: 100, Flushes: c.Flushes()}
	c.Flush("a.example.")
	if e, err := c.Store(response(t, mxOfA), from, epoch); err != nil || e == nil {
		t.Fatal(e, err)
	}
	for name, qtype := range map[string]uint16{"a.example": dns.TypeMX, "mx.a.example": dns.TypeA} {
		want(t, answer(t, c, query(t, name, qtype), epoch), "miss")
	}
}
