package cache

import (
	"math"
	"testing"

	"github.com/miekg/dns"
)

// TestLanesAddUp: whichever of the server's readers has read a query, it is counted.
func TestLanesAddUp(t *testing.T) {
	c := New(Options{}, epoch)
	store(t, c, mxOfA, epoch)
	for lane := range 256 {
		for _, name := range []string{"a.example", "b.example"} {
			q := query(t, name, dns.TypeMX)
			q.Lane = uint8(lane)
			c.Answer(nil, q, epoch)
		}
	}
	if st := c.Stats(); st.Hits != 256 || st.Misses != 256 {
		t.Errorf("%d hits, %d misses of 256 each", st.Hits, st.Misses)
	}
}

// TestHitsOfAnEntry: the first are counted exactly, and of many about all, as long as IDs are spread.
func TestHitsOfAnEntry(t *testing.T) {
	c := New(Options{}, epoch)
	e := store(t, c, mxOfA, epoch)
	q := query(t, "a.example", dns.TypeMX)
	for i := range 64_000 {
		q.ID = uint16(i * 40503)
		c.Answer(nil, q, epoch)
		if n := int(e.hits.Load()); i < exactHits && n != i+1 || n > i+1+16*16 || n < i+1-16*16 {
			t.Fatalf("%d hits, counted are %d", i+1, n)
		}
	}
}

// TestHitsStayAtTheMost: what is asked for more often than can be counted does not begin anew, as if it were asked seldom.
func TestHitsStayAtTheMost(t *testing.T) {
	c := New(Options{}, epoch)
	e := store(t, c, mxOfA, epoch)
	e.hits.Store(math.MaxUint32 - 20)
	q := query(t, "a.example", dns.TypeMX)
	q.ID = 16 // one by which many are counted
	for range 3 {
		c.Answer(nil, q, epoch)
	}
	if got := c.Hottest(1); len(got) != 1 || got[0].Hits < math.MaxUint32-20 {
		t.Errorf("%+v", got)
	}
}
