package cache

import (
	"strings"
	"testing"

	"github.com/miekg/dns"
)

// TestScrub: what is kept of an answer section is the chain that starts at QNAME, in the class and of the type that were
// asked for, with its signatures.
func TestScrub(t *testing.T) {
	sig := func(owner, covered string) string {
		return owner + " 60 IN RRSIG " + covered + " 13 2 60 20300101000000 20260101000000 1 a.example. AAAA"
	}
	for _, x := range []struct {
		what string
		text string
		keep []string // the lines that stay, by what they contain; all others must go
	}{
		{"a stranger", "a.example A\n a.example. 60 IN A 192.0.2.1\n b.example. 60 IN A 192.0.2.2", []string{"192.0.2.1"}},
		{"another type", "a.example A\n a.example. 60 IN A 192.0.2.1\n a.example. 60 IN TXT \"x\"", []string{"192.0.2.1"}},
		{"another class", "a.example A\n a.example. 60 CH A 192.0.2.2\n a.example. 60 IN A 192.0.2.1", []string{"192.0.2.1"}},
		{"a CNAME of another class leads nowhere", "a.example A\n a.example. 60 CH CNAME b.example.\n b.example. 60 IN A 192.0.2.2", nil},
		{"an ancestor's address", "x.a.example A\n a.example. 60 IN A 192.0.2.2\n x.a.example. 60 IN A 192.0.2.1", []string{"192.0.2.1"}},
		{"an ancestor's DNAME", "x.a.example A\n a.example. 60 IN DNAME b.example.\n x.a.example. 60 IN CNAME x.b.example.\n x.b.example. 60 IN A 192.0.2.1\n " + sig("a.example.", "DNAME"),
			[]string{"DNAME b.example.", "CNAME x.b.example.", "192.0.2.1", "RRSIG DNAME"}},
		{"a stranger's DNAME", "x.a.example A\n c.example. 60 IN DNAME b.example.\n x.a.example. 60 IN A 192.0.2.1\n " + sig("c.example.", "DNAME"), []string{"192.0.2.1"}},
		{"a descendant's DNAME", "a.example A\n x.a.example. 60 IN DNAME b.example.\n a.example. 60 IN A 192.0.2.1", []string{"192.0.2.1"}},
		{"QNAME's own DNAME redirects what is below it", "a.example A\n a.example. 60 IN DNAME b.example.\n a.example. 60 IN A 192.0.2.1", []string{"192.0.2.1"}},
		{"signatures", "a.example A\n a.example. 60 IN CNAME b.example.\n b.example. 60 IN A 192.0.2.1\n " + sig("a.example.", "CNAME") + "\n " + sig("b.example.", "A") +
			"\n " + sig("b.example.", "TXT") + "\n " + sig("c.example.", "A"), []string{"CNAME b.example.", "192.0.2.1", "a.example. 60 IN RRSIG CNAME", "b.example. 60 IN RRSIG A"}},
		{"ANY", "a.example ANY\n a.example. 60 IN MX 1 b.example.\n a.example. 60 IN TXT \"x\"\n a.example. 60 IN CNAME b.example.\n b.example. 60 IN A 192.0.2.2",
			[]string{"MX 1", "TXT", "CNAME"}},
		{"two CNAMEs asked for by ANY do not loop", "a.example ANY\n a.example. 60 IN CNAME a.example.", []string{"CNAME a.example."}},
		{"a CNAME asked for is not followed", "a.example CNAME\n a.example. 60 IN CNAME a.example.", []string{"CNAME a.example."}},
		{"a chain in capitals, end first", "a.example A\n B.EXAMPLE. 60 IN A 192.0.2.1\n A.EXAMPLE. 60 IN CNAME b.Example.", []string{"192.0.2.1", "CNAME b.Example."}},
	} {
		c := New(Options{}, epoch)
		e := store(t, c, x.text, epoch)
		m := answer(t, c, query(t, e.Name(), e.Type(), "do", "tcp"), epoch)
		if m == nil {
			if x.keep != nil {
				t.Errorf("%s: not cached", x.what)
			}
			m, _ = e.Msg()
		}
		got := zone(&dns.Msg{Answer: m.Answer})
		for _, line := range x.keep {
			if !strings.Contains(got, line) {
				t.Errorf("%s: %s is missing", x.what, line)
			}
		}
		if len(m.Answer) != len(x.keep) {
			t.Errorf("%s: got\n%s", x.what, got)
		}
	}
}
