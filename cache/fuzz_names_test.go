package cache

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/mxglue/mxglue/cache/wire"
)

// FuzzNames asks for any name there can be, and lets it be a mail host: what is packed, unpacked and hashed on the way stays
// one name, and so an entry is found again, by clients, by people and by the fence.
func FuzzNames(f *testing.F) {
	f.Add([]byte("\x04mail\x07Example"))
	for _, label := range []string{"\x01a", "\x01.", "\x01\\", "\x01\x00", "\x01\xff", "\x02\\1", "\x04\\065", "\x3f" + strings.Repeat("Z", 63), "\x05 \";$@"} {
		f.Add([]byte(label))
		f.Add([]byte(strings.Repeat(label, 254/len(label)))) // 127 labels
		for length := 252; length <= 254; length++ {         // 253 to 255 octets with the root
			names := strings.Repeat(label, length/len(label))
			if rest := length - len(names); rest > 1 {
				names += string(rune(rest-1)) + strings.Repeat("B", rest-1)
			}
			f.Add([]byte(names))
		}
	}
	f.Fuzz(func(t *testing.T, labels []byte) {
		packed := append([]byte("\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00"), labels...)
		packed = append(packed, 0, 0, byte(dns.TypeA), 0, dns.ClassINET)
		q := &wire.Query{Client: mta}
		if q.Parse(packed, true) != wire.Accept {
			return
		}
		name, _, err := dns.UnpackDomainName(q.Key(), 0)
		if err != nil {
			t.Fatalf("%q: %v", q.Name(), err)
		}
		c := New(Options{Log: slog.New(slog.DiscardHandler)}, epoch)
		asked := dns.Question{Name: name, Qtype: dns.TypeA, Qclass: dns.ClassINET}
		failure := c.Failure(asked, Origin{Client: mta}, nil, epoch)
		if c.Find(q, epoch) != failure || failure.Name() != name {
			t.Fatalf("the failure of %q is not found", name)
		}
		sound(t, c.Append(nil, failure, q, epoch), q)

		if name == "." {
			return // null MX (RFC 7505 §3)
		}
		glue := dns.RR_Header{Name: name, Rrtype: dns.TypeA, Class: dns.ClassINET, Ttl: 60}
		m := response(t, "a.example MX")
		m.Answer = []dns.RR{&dns.MX{Hdr: dns.RR_Header{Name: "a.example.", Rrtype: dns.TypeMX, Class: dns.ClassINET, Ttl: 60}, Mx: name}}
		m.Extra = []dns.RR{&dns.A{Hdr: glue, A: []byte{192, 0, 2, 1}}}
		mx, err := c.Store(m, Origin{Client: mta, UDP: true, Size: 512}, epoch)
		if err != nil {
			t.Fatalf("MX %q: %v", name, err)
		}
		if hosts, _ := mx.Targets(); fmt.Sprint(hosts) != fmt.Sprint([]string{name}) {
			t.Errorf("the MX is %q, want %q", hosts, name)
		}
		if e := c.Find(q, epoch); e == nil || e.Rank() != RankGlue || e.Name() != name {
			t.Fatalf("the glue of %q is not found", name)
		}
		if claim, ok := c.Claim(q, epoch); !ok || claim.Owner != "a.example." {
			t.Errorf("%q is claimed by %+v", name, claim)
		}
		if n := len(c.All(q)); n != 2 {
			t.Errorf("%d entries of %q, want glue and failure", n, name)
		}
		if known := c.Dump(name, 10, epoch); len(known) < 2 {
			t.Errorf("%q: %v is known", name, known)
		}
		if n := c.Flush("a.example."); n != 3 || c.Find(q, epoch.Add(time.Second)) != nil {
			t.Errorf("flushed %d of %q, want 3", n, name)
		}
	})
}
