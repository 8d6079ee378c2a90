package cache

import (
	"encoding/binary"
	"net/netip"
	"time"

	"github.com/miekg/dns"

	"github.com/mxglue/mxglue/cache/wire"
)

// maxPlain is the largest response that StorePlain looks at, octets: what comes over UDP.
const maxPlain = 1232

// apex is the owner name of most records: a pointer to the question (RFC 1035 §4.1.4).
const apex = "\xc0\x0c"

// StorePlain is Store for a packed response that need not be unpacked to be understood, which most are not: eight addresses
// that stand behind their question and nothing else, or no such data or name by the word of one SOA record. It returns
// nil for every other, and for what Store would not keep as it is: that is Store's. The message is a response to its own
// question, which is in lower case, complete, and NOERROR or NXDOMAIN.
func (c *Cache) StorePlain(msg []byte, from Origin, now time.Time) *Entry {
	p := plain{msg: msg, cache: c}
	o := c.options.Load()
	if len(msg) > maxPlain || o.MinTTL > 0 || o.MaxTTL > 0 || !p.read() {
		return nil
	}
	if p.ad {
		c.SawAD()
	}
	var room [maxPlain + 2*(maxAddresses+1)]byte
	full, f := newForm(p.pack(room[:0]), p.soa.End > 0), c.facts(RankAnswer, from, now)
	full.ttl = p.ttl
	if p.ad {
		f.traits |= authentic
	}
	if p.mayBeStale() {
		f.traits |= mayBeStale
	}
	if p.qtype == dns.TypeMX {
		f.more = new(more)
	}
	e, hash := c.keep(full, f, from, true)
	if p.isAddress() && !e.is(asDisabled) {
		c.settle(hash, e, c.setOf(p.addresses[:p.answers]))
	}
	return e
}

// plain is what StorePlain finds in a response.
type plain struct {
	msg       []byte
	cache     *Cache
	qtype     uint16
	question  int // its end
	end       int // of what is kept
	answers   int
	soa       wire.Record
	ttl       uint32
	ad        bool
	addresses [maxAddresses]netip.Addr // of the answers
}

func (p *plain) isAddress() bool { return p.qtype == dns.TypeA || p.qtype == dns.TypeAAAA }

// read looks at every record, and says whether all is plain.
func (p *plain) read() bool {
	p.ad = wire.Flags(p.msg)&wire.FlagAD != 0
	fits := true
	if !wire.Records(p.msg, func(r wire.Record) { fits = fits && p.take(r) }) || !fits || p.question == 0 {
		return false
	}
	if p.soa.End > 0 {
		return p.answers == 0 && p.negative()
	}
	return p.answers > 0 && p.ttl > 0
}

// take looks at one record.
func (p *plain) take(r wire.Record) bool {
	if p.question == 0 {
		p.question, p.end = r.Start, r.Start
		p.qtype = binary.BigEndian.Uint16(p.msg[r.Start-4:])
		p.ttl = maxTTL
	}
	ttl, data := binary.BigEndian.Uint32(p.msg[r.TTL:]), p.msg[r.TTL+6:r.End]
	if r.Section == 2 {
		return r.Type == dns.TypeOPT
	}
	if binary.BigEndian.Uint16(p.msg[r.TTL-2:]) != dns.ClassINET || ttl > maxTTL {
		return false
	}
	p.ttl, p.end = min(p.ttl, ttl), r.End
	if r.Section == 1 {
		first := p.soa.End == 0
		p.soa = r
		return first && r.Type == dns.TypeSOA
	}
	address, ok := netip.AddrFromSlice(data)
	if p.answers == len(p.addresses) {
		return false
	}
	p.addresses[p.answers] = address.Unmap()
	p.answers++
	return ok && r.Type == p.qtype && string(p.msg[r.Start:r.TTL-4]) == apex && (len(data) == 4) == (p.qtype == dns.TypeA) && p.isAddress() &&
		wire.Flags(p.msg)&0xf == dns.RcodeSuccess
}

// stamped stands for the octets that change from reply to reply: a name that leads there leads nowhere.
const stamped = "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"

// negative reads the SOA record: it must be of a zone that the question is in (RFC 2308 §5), and its names must lie in
// what is kept, where nothing is stamped on them and no TTL counts down.
func (p *plain) negative() bool {
	const numbers = 20 // octets of RDATA behind the names (RFC 1035 §3.3.13)
	if p.qtype == dns.TypeANY || p.qtype == dns.TypeSOA || isDNSSEC(p.qtype) || p.soa.End-numbers < p.soa.TTL+6 {
		return false
	}
	var room [maxPlain]byte
	names := append(room[:0], p.msg[:p.soa.End-numbers]...)
	copy(names[:wire.HeaderLen], stamped)
	copy(names[p.soa.TTL-4:p.soa.TTL+6], stamped)
	owner, _, err := dns.UnpackDomainName(names, p.soa.Start)
	if err != nil {
		return false
	}
	var packed [256]byte
	n, err := dns.PackDomainName(owner, packed[:], 0, nil, false)
	name := p.msg[wire.HeaderLen : p.question-4]
	if err != nil || !endsIn(name, packed[:n]) {
		return false
	}
	off := p.soa.TTL + 6
	for range 2 { // MNAME and RNAME
		if _, off, err = dns.UnpackDomainName(names, off); err != nil {
			return false
		}
	}
	if off != len(names) {
		return false
	}
	minimum := binary.BigEndian.Uint32(p.msg[p.soa.End-4:])
	p.ttl = min(p.ttl, minimum, uint32(p.cache.options.Load().NegativeMaxTTL/time.Second))
	return p.ttl > 0
}

// endsIn says whether a name in wire form is at or below another. Both are in lower case, or else it is not found out.
func endsIn(name, zone []byte) bool {
	for len(name) > len(zone) {
		name = name[1+int(name[0]):]
	}
	return string(name) == string(zone)
}

// pack appends what is kept of the response, with the header that the cache gives it.
func (p *plain) pack(dst []byte) []byte {
	dst = append(dst, p.msg[:p.end]...)
	binary.BigEndian.PutUint16(dst[0:], 0)
	binary.BigEndian.PutUint16(dst[2:], wire.FlagQR|wire.FlagRA|wire.Flags(p.msg)&0xf)
	binary.BigEndian.PutUint16(dst[10:], 0)
	if p.soa.End > 0 {
		binary.BigEndian.PutUint32(dst[p.soa.TTL:], p.ttl)
	}
	return dst
}

// mayBeStale is staleable for what is plain.
func (p *plain) mayBeStale() bool {
	if p.soa.End > 0 {
		return p.isAddress() && wire.Flags(p.msg)&0xf == dns.RcodeSuccess && !isListName(p.msg[wire.HeaderLen:p.question-4])
	}
	for _, a := range p.addresses[:p.answers] {
		if a.IsLoopback() {
			return false
		}
	}
	return !isListName(p.msg[wire.HeaderLen : p.question-4])
}
