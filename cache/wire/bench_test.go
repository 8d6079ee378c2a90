package wire

import "testing"

// BenchmarkParse reads a query, with and without EDNS, and folds its question.
func BenchmarkParse(b *testing.B) {
	for name, text := range map[string]string{"plain": query(questA), "edns": query(questA, optDO)} {
		b.Run(name, func(b *testing.B) {
			msg, q := []byte(text), new(Query)
			b.ReportAllocs()
			for b.Loop() {
				if q.Parse(msg, false) != Accept || len(q.Key()) == 0 {
					b.Fatal("not accepted")
				}
			}
		})
	}
}
