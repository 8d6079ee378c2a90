package cache

import (
	"encoding/binary"
	"testing"
	"time"
)

const (
	soaOfExample = "\n authority:\n example. 90 IN SOA ns.example. host.example. 1 2 3 4 60"
	oneAddress   = "\n a.example. 60 IN A 192.0.2.1"
)

// shapes are responses, and whether StorePlain takes them.
var shapes = []struct {
	name, text string
	taken      bool
}{
	{"one address", "a.example A" + oneAddress, true},
	{"several, each with a TTL of its own", "a.example A" + oneAddress + "\n a.example. 30 IN A 192.0.2.2\n a.example. 90 IN A 192.0.2.1", true},
	{"IPv6", "a.example AAAA\n a.example. 60 IN AAAA 2001:db8::1\n a.example. 60 IN AAAA ::ffff:192.0.2.1", true},
	{"authentic", "a.example A ad" + oneAddress, true},
	{"from an authority", "a.example A aa" + oneAddress, true},
	{"of a list", "2.0.0.127.bl.example A\n 2.0.0.127.bl.example. 60 IN A 127.0.0.2", true},
	{"loopback", "a.example A\n a.example. 60 IN A 127.0.0.1", true},
	{"no such data", "a.example A" + soaOfExample, true},
	{"no MX", "a.example MX" + soaOfExample, true},
	{"no such name", "a.example MX nx" + soaOfExample, true},
	{"not on the list", "2.0.0.127.bl.example A nx" + soaOfExample, true},
	{"no such data, authentic", "a.example TLSA ad" + soaOfExample, true},
	{"the zone itself", "example MX" + soaOfExample, true},
	{"the root's word", "a. AAAA nx\n authority:\n . 86400 IN SOA a.root. nstld. 1 2 3 4 86400", true},
	{"the longest TTL", "a.example A\n a.example. 604800 IN A 192.0.2.1", true},

	{"nothing", "a.example A", false},
	{"CNAME", "a.example A\n a.example. 60 IN CNAME b.example.\n b.example. 60 IN A 192.0.2.1", false},
	{"CNAME that leads nowhere", "a.example A\n a.example. 60 IN CNAME b.example." + soaOfExample, false},
	{"a foreign owner", "a.example A" + oneAddress + "\n b.example. 60 IN A 192.0.2.2", false},
	{"a foreign type", "a.example A" + oneAddress + "\n a.example. 60 IN AAAA 2001:db8::1", false},
	{"a foreign class", "a.example A\n a.example. 60 CH A 192.0.2.1", false},
	{"signed", "a.example A" + oneAddress + "\n a.example. 60 IN RRSIG A 13 2 60 20300101000000 20260101000000 1 example. AAAA", false},
	{"TTL 0", "a.example A\n a.example. 0 IN A 192.0.2.1", false},
	{"TTL above seven days", "a.example A\n a.example. 604801 IN A 192.0.2.1", false},
	{"TTL with the top bit", "a.example A\n a.example. 2147483648 IN A 192.0.2.1", false},
	{"name servers beside it", "a.example A" + oneAddress + "\n authority:\n example. 60 IN NS ns.example.", false},
	{"SOA beside it", "a.example A" + oneAddress + soaOfExample, false},
	{"something additional", "a.example A" + oneAddress + "\n additional:\n b.example. 60 IN A 192.0.2.2", false},
	{"no such name, and an address", "a.example A nx" + oneAddress, false},
	{"MX", "a.example MX\n a.example. 60 IN MX 5 mx.a.example.", false},
	{"a referral", "a.example A\n authority:\n example. 60 IN NS ns.example.", false},
	{"two SOAs", "a.example A" + soaOfExample + "\n example. 60 IN SOA ns. host. 1 2 3 4 5", false},
	{"SOA of a foreign zone", "a.example A\n authority:\n b.example. 90 IN SOA ns.example. host.example. 1 2 3 4 60", false},
	{"SOA of half a label", "xa.example A\n authority:\n a.example. 90 IN SOA ns.example. host.example. 1 2 3 4 60", false},
	{"SOA in class CH", "a.example A\n authority:\n example. 90 CH SOA ns.example. host.example. 1 2 3 4 60", false},
	{"SOA with TTL 0", "a.example A\n authority:\n example. 0 IN SOA ns.example. host.example. 1 2 3 4 60", false},
	{"SOA with MINIMUM 0", "a.example A\n authority:\n example. 60 IN SOA ns.example. host.example. 1 2 3 4 0", false},
	{"SOA with TTL above the top bit", "a.example A\n authority:\n example. 2147483648 IN SOA ns.example. host.example. 1 2 3 4 60", false},
	{"SOA asked for", "a.example SOA" + soaOfExample, false},
	{"anything asked for", "a.example ANY" + soaOfExample, false},
	{"no such signature", "a.example RRSIG" + soaOfExample, false},
	{"proof beside the SOA", "a.example A" + soaOfExample + "\n a.example. 60 IN NSEC c.example. MX", false},
}

// plainOf packs a response as servers do, with an OPT record.
func plainOf(t testing.TB, text string) []byte {
	t.Helper()
	m := response(t, text)
	m.Compress = true
	m.SetEdns0(1232, true)
	packed, err := m.Pack()
	if err != nil {
		t.Fatal(err)
	}
	return packed
}

// TestStorePlain takes what is plain, so that it is answered, and nothing else.
func TestStorePlain(t *testing.T) {
	for _, s := range shapes {
		t.Run(s.name, func(t *testing.T) {
			c, msg := New(Options{}, epoch), plainOf(t, s.text)
			e := c.StorePlain(msg, Origin{Client: mta}, epoch)
			if (e != nil) != s.taken || c.Stats().Entries != b2i(s.taken) {
				t.Errorf("taken: %v, %d entries; want %v", e != nil, c.Stats().Entries, s.taken)
			}
			differ(t, msg, Origin{Client: mta})
		})
	}
	for name, o := range map[string]Options{"min_ttl": {MinTTL: time.Second}, "max_ttl": {MaxTTL: time.Hour}} { // clamping is Store's
		if New(o, epoch).StorePlain(plainOf(t, shapes[0].text), Origin{}, epoch) != nil {
			t.Errorf("taken with %s", name)
		}
	}
}

// pointing is a negative response whose SOA record's names are as given, with four octets of OPT behind it that a name
// could point to. The record begins at 27.
func pointing(owner, mname, rname string, ttl uint32) []byte {
	msg := []byte("\x00\x00\x81\x80\x00\x01\x00\x00\x00\x01\x00\x01\x01a\x07example\x00\x00\x01\x00\x01" + owner + "\x00\x06\x00\x01")
	msg = binary.BigEndian.AppendUint32(msg, ttl)
	msg = binary.BigEndian.AppendUint16(msg, uint16(len(mname)+len(rname)+20))
	msg = append(msg, mname+rname+"\x00\x00\x00\x01\x00\x00\x00\x02\x00\x00\x00\x03\x00\x00\x00\x04\x00\x00\x00\x3c"...)
	return append(msg, "\x00\x00\x29\x04\xd0\x00\x00\x80\x00\x00\x00"...)
}

// strange are SOA records whose names lie where they should not.
var strange = map[string][]byte{
	"nothing strange":              pointing("\xc0\x0e", "\x02ns\xc0\x0e", "\xc0\x0e", 90),
	"owner behind the record":      pointing("\xc0\x3f", "\xc0\x0e", "\xc0\x0e", 90),
	"owner in MNAME":               pointing("\xc0\x27", "\x00", "\xc0\x0e", 90),
	"MNAME behind the record":      pointing("\xc0\x0e", "\xc0\x3f", "\xc0\x0e", 90),
	"RNAME in the numbers":         pointing("\xc0\x0e", "\xc0\x0e", "\xc0\x2c", 90),
	"RNAME behind the record":      pointing("\xc0\x0e", "\xc0\x0e", "\xc0\x3f", 90),
	"owner in the header":          pointing("\xc0\x00", "\xc0\x0e", "\xc0\x0e", 90),
	"MNAME in the header":          pointing("\xc0\x0e", "\xc0\x05", "\xc0\x0e", 90),
	"MNAME in the TTL":             pointing("\xc0\x0e", "\xc0\x21", "\xc0\x0e", 0x01610000),
	"RNAME in the end of the TTL":  pointing("\xc0\x0e", "\xc0\x0e", "\xc0\x24", 64),
	"MNAME points to itself":       pointing("\xc0\x0e", "\xc0\x27", "\xc0\x0e", 90),
	"owner in the question's type": pointing("\xc0\x17", "\xc0\x0e", "\xc0\x0e", 90),
}

// TestStorePlainStrange: whatever an SOA record points to, what is kept of it says what Store keeps.
func TestStorePlainStrange(t *testing.T) {
	for name, msg := range strange {
		t.Run(name, func(t *testing.T) { differ(t, msg, Origin{Client: mta}) })
	}
}
