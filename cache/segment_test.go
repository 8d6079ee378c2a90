package cache

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// sum goes over everything in a shard, fails the test if the book, the segments and the sums do not agree, and returns how
// many octets of memory the segments are.
func sum(t *testing.T, s *shard) (held int) {
	t.Helper()
	var live, octets, left int
	for n, g := range s.segments {
		number, size := s.first+uint32(n), 0
		for i := range g.entries {
			e := &g.entries[i]
			size += e.size()
			if e.marked(gone) {
				if n > 0 || i >= s.hand {
					left += e.size()
				}
				continue
			}
			live++
			octets += e.size()
			if p := s.book[s.slotOf(e)]; p != (place{number, uint32(i)}) || n == 0 && i < s.hand {
				t.Fatalf("entry %d of segment %d is not gone, and the book has %v, the hand is at %d", i, number, p, s.hand)
			}
		}
		if size != g.size || len(g.entries) > cap(g.entries) {
			t.Fatalf("segment %d is of %d octets, its entries of %d", number, g.size, size)
		}
		held += g.size + (cap(g.entries)-len(g.entries))*entryOverhead
	}
	if live != len(s.book) || octets != s.octets || left != s.gone {
		t.Fatalf("%d entries of %d octets, %d gone; the shard says %d, %d, %d", live, octets, left, len(s.book), s.octets, s.gone)
	}
	return held
}

// TestShardModel stores, asks, takes away and makes smaller at random, sizes of messages included. What is there is what was
// stored last, the sums are right, and the memory is bounded by what lives.
func TestShardModel(t *testing.T) {
	for _, x := range []struct{ entries, names int }{{1, 2}, {7, 14}, {64, 128}, {300, 600}, {300, 20}} {
		entries := x.entries
		t.Run(fmt.Sprint(x), func(t *testing.T) {
			random := rand.New(rand.NewPCG(5, uint64(entries)))
			c := New(Options{Entries: entries, Memory: 400 * 300}, epoch)
			s := &c.shards[0]
			stored := map[string]string{} // by name: what was stored last
			for step := range 20_000 {
				name := numbered(random.IntN(x.names))
				switch random.IntN(20) {
				case 0:
					c.Flush(name)
					delete(stored, name)
				case 1:
					s.resize(1+random.IntN(entries), 100_000+random.IntN(100_000))
				case 2, 3, 4, 5, 6, 7, 8, 9:
					if m := answer(t, c, query(t, name, dns.TypeTXT, "tcp"), epoch); m != nil && m.Answer[0].(*dns.TXT).Txt[0] != stored[name] {
						t.Fatalf("%s is %s, stored was %.20s", name, m.Answer[0], stored[name])
					}
				default:
					size := 1 + random.IntN(20)
					if random.IntN(20) == 0 {
						size = 200
					}
					stored[name] = fmt.Sprint(step) + strings.Repeat("x", size)
					store(t, c, fmt.Sprintf("%s TXT\n %[1]s 60 IN TXT %q", name, stored[name]), epoch)
					if c.Peek(query(t, name, dns.TypeTXT), epoch) == nil {
						t.Fatalf("%s was stored, and is not there", name)
					}
				}
				held, most := sum(t, s), 2*s.octets+2*leastInSegment*400
				if held > most {
					t.Fatalf("step %d: %d octets of memory for %d entries of %d octets", step, held, len(s.book), s.octets)
				}
			}
		})
	}
}

// TestAnotherTurn: what is put behind the youngest is counted on, and what the resolver has written down beside it stays.
func TestAnotherTurn(t *testing.T) {
	c := New(Options{Entries: 2}, epoch)
	fill(t, c, 0, 2, epoch)
	q := query(t, numbered(0), dns.TypeA)
	for range 3 {
		answer(t, c, q, epoch)
	}
	c.Renew(c.Peek(q, epoch))
	fill(t, c, 2, 3, epoch) // in the place of name 1
	answer(t, c, q, epoch)
	if hot := c.Hottest(1); len(hot) != 1 || hot[0] != (Asked{numbered(0), dns.TypeA, 4}) {
		t.Errorf("%v", hot)
	}
	if answer(t, c, q, epoch.Add(3601*time.Second)) == nil {
		t.Error("it is being refreshed, and not given in the grace any more")
	}
}

// TestAnotherTurnInFront: what clients go on asking for is read without the lock after it was put behind the youngest, too.
func TestAnotherTurnInFront(t *testing.T) {
	const asked = 40
	c := New(Options{Entries: 100}, epoch)
	fill(t, c, 0, 100, epoch)
	s, moved, found := &c.shards[0], 0, 0
	before := map[int]*Entry{}
	for i := range asked {
		answer(t, c, query(t, numbered(i), dns.TypeA), epoch)
		before[i] = c.Peek(query(t, numbered(i), dns.TypeA), epoch)
	}
	fill(t, c, 100, 110, epoch)
	for i := range asked {
		q := query(t, numbered(i), dns.TypeA)
		_, hash := c.key(nil, q.Question, false)
		now := s.at(slot(hash, RankAnswer))
		moved += b2i(now != before[i])
		found += b2i(s.front.find(hash, q.Key()) == now)
	}
	if moved != asked || found < asked/2 { // a few may have made way for others of their tag
		t.Errorf("%d of %d were moved, and %d of them are in front", moved, asked, found)
	}
}
