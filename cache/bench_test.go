package cache

import (
	"fmt"
	"testing"

	"github.com/mxglue/mxglue/cache/wire"
)

// BenchmarkBatch is what a batch of 32 queries for different names costs here: parsing, looking at what will answer, and
// answering. ns/query is one's share of it.
func BenchmarkBatch(b *testing.B) {
	for _, names := range []int{1, 10_000, 100_000, 1_000_000} {
		b.Run(fmt.Sprintf("names=%d", names), func(b *testing.B) {
			c := New(Options{Entries: 2 * names, Memory: 1 << 30}, epoch)
			numbers := newNumbers(b, c, names)
			var batch [near]wire.Query
			var out [512]byte
			sum, next := 0, uint32(1)
			b.ReportAllocs()
			for b.Loop() {
				for i := range batch {
					next = next*1664525 + 1013904223 // in no order that memory could foresee
					numbers.ask(&batch[i], i, int(uint64(next)*uint64(names)>>32))
				}
				sum += c.Near(batch[:])
				for i := range batch {
					if c.Answer(out[:0], &batch[i], epoch) == nil {
						b.Fatal("miss")
					}
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*near), "ns/query")
		})
	}
}

// numbers are questions for numbered names, packed.
type numbers [near][]byte

// newNumbers fills c with the addresses of so many numbered names, each of which has been asked for.
func newNumbers(b *testing.B, c *Cache, names int) *numbers {
	b.Helper()
	response := plainOf(b, "n0000000.example A\n n0000000.example. 3600 IN A 192.0.2.1")
	for i := range names {
		number(response, i)
		if c.StorePlain(response, Origin{Client: mta}, epoch) == nil {
			b.Fatal("not plain")
		}
	}
	all := new(numbers)
	for i := range all {
		all[i] = append([]byte("\x00\x00\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00"), query(b, "n0000000.example", 1).Question...)
	}
	for i := range names { // the first hit brings each to where the others find it
		var q wire.Query
		if all.ask(&q, 0, i); c.Answer(nil, &q, epoch) == nil {
			b.Fatalf("name %d is not kept", i)
		}
	}
	return all
}

// number writes a number into the name n0000000.example of a packed message.
func number(msg []byte, n int) {
	for i := wire.HeaderLen + 8; i > wire.HeaderLen+1; i-- {
		msg[i], n = '0'+byte(n%10), n/10
	}
}

// ask parses the question for a number.
func (all *numbers) ask(q *wire.Query, i, n int) {
	number(all[i], n)
	q.Parse(all[i], false)
	q.Client = mta
}

// BenchmarkStorePlain keeps an address that came as most do, and no such data by the word of an SOA record: packed.
func BenchmarkStorePlain(b *testing.B) {
	for name, text := range map[string]string{
		"address": "n0000000.example A\n n0000000.example. 3600 IN A 192.0.2.1",
		"nodata":  "n0000000.example MX\n authority:\n example. 3600 IN SOA ns.example. host.example. 1 2 3 4 3600",
	} {
		b.Run(name, func(b *testing.B) {
			c, msg := New(Options{}, epoch), plainOf(b, text)
			b.ReportAllocs()
			for n := 0; b.Loop(); n++ {
				number(msg, n)
				if c.StorePlain(msg, Origin{Client: mta}, epoch) == nil {
					b.Fatal("not plain")
				}
			}
		})
	}
}
