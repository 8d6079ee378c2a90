//go:build e2e

package e2e

import (
	"cmp"
	"crypto"
	"encoding/base64"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// zoneTTL is the TTL of every record of the zones, seconds.
const zoneTTL = 3600

// A zone is what a primary name server loads.
type zone struct {
	name string
	rrs  []dns.RR
}

// newZone returns a zone of a SOA and one name server.
func newZone(t *testing.T, name, nameServer string) *zone {
	t.Helper()
	z := &zone{name: name}
	z.add(t, "%s SOA %s hostmaster.%s 1 3600 600 86400 %d", name, nameServer, name, zoneTTL)
	z.add(t, "%s NS %s", name, nameServer)
	return z
}

// add adds a record in zone file form, without its TTL.
func (z *zone) add(t *testing.T, format string, args ...any) {
	t.Helper()
	rr, err := dns.NewRR(fmt.Sprintf("$TTL %d\n", zoneTTL) + fmt.Sprintf(format, args...))
	if err != nil {
		t.Fatal(err)
	}
	z.rrs = append(z.rrs, rr)
}

// file is the zone in zone file form.
func (z *zone) file() string {
	var b strings.Builder
	for _, rr := range z.rrs {
		fmt.Fprintln(&b, rr)
	}
	return b.String()
}

// sign adds DNSKEY, NSEC and RRSIG records (RFC 4034), and returns the KSK. spoil breaks every signature but those of the
// DNSKEY records: the way to the zone is secure, and all that is in it is bogus.
func (z *zone) sign(t *testing.T, spoil bool) *dns.DNSKEY {
	t.Helper()
	ksk, zsk := newKey(t, z.name, 257), newKey(t, z.name, 256)
	z.rrs = append(z.rrs, ksk.DNSKEY, zsk.DNSKEY)
	z.chain()
	for _, set := range z.sets() {
		owner, rtype := set[0].Header().Name, set[0].Header().Rrtype
		switch {
		case rtype == dns.TypeDNSKEY:
			z.rrs = append(z.rrs, ksk.sign(t, z.name, set))
		case rtype != dns.TypeNS || owner == z.name: // the NS records of a delegation belong to the child (RFC 4035 section 2.2)
			s := zsk.sign(t, z.name, set)
			if spoil {
				s.Signature = spoiled(t, s.Signature)
			}
			z.rrs = append(z.rrs, s)
		}
	}
	return ksk.DNSKEY
}

// sets are the RRsets of the zone in canonical order (RFC 4034 section 6.1).
func (z *zone) sets() [][]dns.RR {
	type of struct {
		owner string // its labels, last one first
		rtype uint16
	}
	byKey := map[of][]dns.RR{}
	for _, rr := range z.rrs {
		labels := dns.SplitDomainName(rr.Header().Name)
		slices.Reverse(labels)
		key := of{strings.Join(labels, "\x00"), rr.Header().Rrtype}
		byKey[key] = append(byKey[key], rr)
	}
	var sets [][]dns.RR
	for _, key := range slices.SortedFunc(maps.Keys(byKey), func(a, b of) int {
		return cmp.Or(cmp.Compare(a.owner, b.owner), cmp.Compare(a.rtype, b.rtype))
	}) {
		sets = append(sets, byKey[key])
	}
	return sets
}

// chain adds the NSEC records. A delegation without DS gets one that proves it: that is what makes the child insecure.
func (z *zone) chain() {
	var chain []*dns.NSEC
	for _, set := range z.sets() {
		h := set[0].Header()
		if n := len(chain); n == 0 || chain[n-1].Hdr.Name != h.Name {
			chain = append(chain, &dns.NSEC{Hdr: dns.RR_Header{Name: h.Name, Rrtype: dns.TypeNSEC, Class: dns.ClassINET, Ttl: zoneTTL},
				TypeBitMap: []uint16{dns.TypeRRSIG, dns.TypeNSEC}})
		}
		last := chain[len(chain)-1]
		last.TypeBitMap = append(last.TypeBitMap, h.Rrtype)
	}
	for i, nsec := range chain {
		nsec.NextDomain = chain[(i+1)%len(chain)].Hdr.Name
		slices.Sort(nsec.TypeBitMap)
		z.rrs = append(z.rrs, nsec)
	}
}

// A zoneKey is a DNSKEY with its private half.
type zoneKey struct {
	*dns.DNSKEY
	private crypto.Signer
}

// newKey makes a key; flags 257 is a KSK, 256 a ZSK (RFC 4034 section 2.1.1).
func newKey(t *testing.T, name string, flags uint16) zoneKey {
	t.Helper()
	key := &dns.DNSKEY{Hdr: dns.RR_Header{Name: name, Rrtype: dns.TypeDNSKEY, Class: dns.ClassINET, Ttl: zoneTTL},
		Flags: flags, Protocol: 3, Algorithm: dns.ECDSAP256SHA256}
	private, err := key.Generate(256)
	if err != nil {
		t.Fatal(err)
	}
	return zoneKey{key, private.(crypto.Signer)}
}

// sign signs one RRset, from an hour ago until tomorrow.
func (k zoneKey) sign(t *testing.T, zone string, set []dns.RR) *dns.RRSIG {
	t.Helper()
	now := time.Now()
	s := &dns.RRSIG{Hdr: dns.RR_Header{Ttl: zoneTTL}, Algorithm: k.Algorithm, KeyTag: k.KeyTag(), SignerName: zone,
		Inception: uint32(now.Add(-time.Hour).Unix()), Expiration: uint32(now.Add(24 * time.Hour).Unix())}
	if err := s.Sign(k.private, set); err != nil {
		t.Fatal(err)
	}
	return s
}

// spoiled turns over one bit of a signature.
func spoiled(t *testing.T, signature string) string {
	t.Helper()
	octets, err := base64.StdEncoding.DecodeString(signature)
	if err != nil {
		t.Fatal(err)
	}
	octets[len(octets)/2] ^= 1
	return base64.StdEncoding.EncodeToString(octets)
}
