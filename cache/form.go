package cache

import (
	"encoding/binary"
	"fmt"
	"hash/maphash"
	"math"

	"github.com/miekg/dns"

	"github.com/mxglue/mxglue/cache/wire"
)

// form is a packed reply without OPT. ID, RD, CD, AD, TC, the question's spelling and the TTLs are stamped on copies of it. packed is
// one piece of memory with three parts: the message; the offset of each record's TTL in it (two octets each); and the cuts
// (cutLen octets each), which are the places before the message's end where a reply may end, too.
type form struct {
	packed   []byte
	end      uint16 // of the message
	question uint16 // the end of the question, where the shortest reply ends
	needed   uint16 // what was asked for ends here: a reply that ends before is partial, TC (RFC 2181 §9)
	cuts     uint16 // how many there are before the end
	life     uint32 // of the whole message, as of a cut
	ttl      uint32 // seconds: how long an entry answers with it
}

// cut is a place behind the question at which a reply may end: between two RRsets of the answer, or after a section. An authority or
// additional section is given back only while all its records live: when the first has ended, the section is left out.
type cut struct {
	end    uint16
	counts [3]uint16 // answer, authority, additional
	life   uint32    // seconds: at this age one of the records before it has ended
}

// cutLen is what a cut takes up, octets: its fields in their order, big endian.
const cutLen = 12

// forever is the life of a cut that lives as long as its entry.
const forever = math.MaxUint32

func (f *form) msg() []byte { return f.packed[:f.end] }

// asked returns the packed question.
func (f *form) asked() []byte { return f.packed[wire.HeaderLen:f.question] }

// hash returns the hash of the question's key.
func (f *form) hash(seed maphash.Seed, cd bool) uint64 {
	var buf [wire.MaxKey]byte
	return maphash.Bytes(seed, wire.AppendKey(buf[:0], f.asked(), cd))
}

// on returns f with packed, a copy of its octets, in their place: f's own may be on the stack.
func (f *form) on(packed []byte) form {
	return form{packed, f.end, f.question, f.needed, f.cuts, f.life, f.ttl}
}

// cutAt returns the packed cut i of f.
func (f *form) cutAt(i int) []byte {
	off := len(f.packed) - (int(f.cuts)-i)*cutLen
	return f.packed[off : off+cutLen]
}

// ttlAt returns where the TTL of record i lies in the message.
func (f *form) ttlAt(i int) int {
	return int(binary.BigEndian.Uint16(f.packed[int(f.end)+2*i:]))
}

// records returns how many records the message has.
func (f *form) records() int { return (len(f.packed) - int(f.end) - int(f.cuts)*cutLen) / 2 }

// packForm packs m as a form.
func packForm(m *dns.Msg, negative bool) (form, error) {
	p := dns.Msg{Question: m.Question, Answer: m.Answer, Ns: m.Ns, Extra: m.Extra, Compress: true}
	p.Response, p.RecursionAvailable, p.Rcode = true, true, m.Rcode
	msg, err := p.Pack()
	if err != nil {
		return form{}, fmt.Errorf("pack %s: %w", m.Question[0].Name, err)
	}
	if len(msg) > wire.MaxMessage {
		return form{}, fmt.Errorf("pack %s: %w", m.Question[0].Name, errTooLong)
	}
	if err := new(dns.Msg).Unpack(msg); err != nil { // RDATA that came empty packs as what is no RDATA of its type
		return form{}, fmt.Errorf("pack %s: malformed: %w", m.Question[0].Name, err)
	}
	return newForm(msg, negative), nil
}

// newForm finds the TTLs and cuts of a message and appends them to it. negative says that the authority section is part
// of what was asked for.
func newForm(msg []byte, negative bool) form {
	f := form{packed: msg, end: uint16(len(msg)), question: uint16(len(msg))}
	var table [8]cut // room for most
	cuts := table[:0]
	var ends [3]int // of the last record seen, by section
	var prev wire.Record
	wire.Records(msg, func(r wire.Record) {
		first := len(cuts) == 0
		switch {
		case first:
			f.question = uint16(r.Start)
			cuts = append(cuts, cut{life: forever})
		case r.Section != prev.Section, r.Section == 0 && !sameRRset(msg, prev, r):
			cuts = append(cuts, cuts[len(cuts)-1])
		}
		last := &cuts[len(cuts)-1]
		last.end = uint16(r.End)
		last.counts[r.Section]++
		if r.Section > 0 {
			last.life = min(last.life, lifeOf(msg, r))
		}
		ends[r.Section] = r.End
		f.packed = binary.BigEndian.AppendUint16(f.packed, uint16(r.TTL))
		prev = r
	})
	f.needed = uint16(ends[0])
	if negative {
		f.needed = uint16(max(ends[0], ends[1]))
	}
	for i := range cuts {
		if negative && cuts[i].counts[2] == 0 { // its authority section lives as long as the entry, which is as long as the SOA says
			cuts[i].life = forever
		}
	}
	if len(cuts) == 0 {
		f.life = forever
		return f
	}
	last := len(cuts) - 1
	f.life, f.cuts = cuts[last].life, uint16(last) // its end and counts are the message's
	for _, c := range cuts[:last] {
		f.packed = binary.BigEndian.AppendUint16(f.packed, c.end)
		for _, n := range c.counts {
			f.packed = binary.BigEndian.AppendUint16(f.packed, n)
		}
		f.packed = binary.BigEndian.AppendUint32(f.packed, c.life)
	}
	return f
}

// lifeOf returns the age in seconds up to which a record of the authority or additional section is given back. One that
// came with TTL 0 is for the clients that wait for it now.
func lifeOf(msg []byte, r wire.Record) uint32 {
	return max(binary.BigEndian.Uint32(msg[r.TTL:]), 1)
}

// sameRRset says whether b goes on with a's RRset. The packed owner names are compared as they lie: equal owners of
// neighbours compress to equal octets, and where they do not, a cut too many does no harm but a shorter reply.
func sameRRset(msg []byte, a, b wire.Record) bool {
	return a.Type == b.Type && string(msg[a.Start:a.TTL-4]) == string(msg[b.Start:b.TTL-4])
}
