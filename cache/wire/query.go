package wire

// HOT: every query passes here. No allocation.

import (
	"encoding/binary"
	"net/netip"
)

// Query is one question as a client put it. Its slices point into the datagram it was parsed from.
type Query struct {
	Client netip.Addr // who asked, without port and zone mapping; the zero Addr is mxglue itself
	Limit  int        // the most octets that the reply may have
	Lane   uint8      // which of the UDP sockets it came to, 0 for all else: each lane is counted apart

	ID       uint16
	Flags    uint16 // the header's second 16 bits as they came
	Question []byte // QNAME as spelled, QTYPE, QCLASS
	EDNS     bool   // an OPT came along
	DO       bool   // DNSSEC OK (RFC 3225)

	Hash uint64 // the cache's, of Key; 0 until it has been asked

	key    [MaxKey]byte
	keyLen int
}

// Name returns the question's name in wire form, as the client spelled it.
func (q *Query) Name() []byte { return q.Question[:len(q.Question)-4] }

// Type returns the question's QTYPE.
func (q *Query) Type() uint16 { return binary.BigEndian.Uint16(q.Question[len(q.Question)-4:]) }

// Key returns the question's cache key (AppendKey), folded once.
func (q *Query) Key() []byte {
	if q.keyLen == 0 {
		q.keyLen = len(AppendKey(q.key[:0], q.Question, q.CD()))
	}
	return q.key[:q.keyLen]
}

// AD says whether the client wants to see the AD bit (RFC 6840 §5.7).
func (q *Query) AD() bool { return q.Flags&FlagAD != 0 }

// CD says whether the client asked the upstream not to validate (RFC 4035 §3.2.2).
func (q *Query) CD() bool { return q.Flags&FlagCD != 0 }

// RD says whether the client asked for recursion.
func (q *Query) RD() bool { return q.Flags&FlagRD != 0 }

// Verdict says what is to be done with a message that came in.
type Verdict uint8

// The verdicts of Parse. All but Accept and Drop are answered by AppendError with the RCODE of the same name.
const (
	Accept  Verdict = iota
	Drop            // no query at all: never answered, so that two servers cannot talk each other to death
	FormErr         // malformed, or not exactly one question (RFC 9619)
	NotImp          // an opcode other than QUERY
	BadVers         // an EDNS version above 0 (RFC 6891 §6.1.3)
	Refused         // a class other than IN, zone transfers, types that are no question
)

// minUDP is what every client can take over UDP (RFC 1035 §4.2.1); smaller EDNS sizes count as this (RFC 6891 §6.2.3).
const minUDP = 512

// maxUDP is the most that goes out in one datagram whatever the client says it can take: larger ones travel in
// fragments, whose tails anybody can forge (RFC 9715 §3).
const maxUDP = 1232

// Parse reads a query out of a datagram, or out of a TCP message when tcp is set. q keeps slices of msg. Fields of q
// that were read before a fault was met are set, so that the reply can carry them.
func (q *Query) Parse(msg []byte, tcp bool) Verdict {
	q.Limit = minUDP
	if tcp {
		q.Limit = MaxMessage
	}
	q.Question, q.EDNS, q.DO, q.Hash, q.keyLen = nil, false, false, 0, 0
	if len(msg) < HeaderLen {
		return Drop
	}
	q.ID, q.Flags = ID(msg), Flags(msg)
	if q.Flags&FlagQR != 0 {
		return Drop
	}
	if q.Flags&opcodeMask != 0 {
		return NotImp
	}
	qd, an, ns, ar := counts(msg)
	if qd != 1 {
		return FormErr
	}
	end := skipPlainName(msg, HeaderLen)
	if end < 0 || end+4 > len(msg) {
		return FormErr
	}
	q.Question = msg[HeaderLen : end+4]
	qtype, class := q.Type(), binary.BigEndian.Uint16(msg[end+2:])
	if qtype == typeAXFR || qtype == typeIXFR {
		return Refused // before the sections: an IXFR query carries a SOA in authority
	}
	if an != 0 || ns != 0 {
		return FormErr
	}
	if v := q.additional(msg, end+4, ar, tcp); v != Accept {
		return v
	}
	if class != classIN || qtype == 0 || qtype == typeOPT || (qtype >= typeTKEY && qtype <= typeMAILA) {
		return Refused
	}
	return Accept
}

// additional reads the OPT record among the ar records at off; others (TSIG, which we share no key for) are passed over.
func (q *Query) additional(msg []byte, off, ar int, tcp bool) Verdict {
	for ; ar > 0; ar-- {
		r, next, ok := record(msg, off)
		if !ok {
			return FormErr
		}
		if r.Type != typeOPT {
			off = next
			continue
		}
		if q.EDNS || msg[off] != 0 { // a second OPT, or one not owned by the root (RFC 6891 §6.1.1-6.1.2)
			return FormErr
		}
		q.EDNS = true
		size, ttl := binary.BigEndian.Uint16(msg[r.TTL-2:]), binary.BigEndian.Uint32(msg[r.TTL:])
		q.DO = ttl&(1<<15) != 0
		if !tcp {
			q.Limit = min(max(int(size), minUDP), maxUDP)
		}
		if ttl>>16&0xff != 0 {
			return BadVers
		}
		if !optionsFit(msg[r.TTL+6 : next]) {
			return FormErr
		}
		off = next
	}
	if off != len(msg) {
		return FormErr
	}
	return Accept
}

// optionsFit says whether rdata is a whole number of EDNS options (RFC 6891 §6.1.2). What they say is passed over:
// none of them is ours to answer, and a client's subnet or cookie is never told to the upstream.
func optionsFit(rdata []byte) bool {
	for len(rdata) > 0 {
		if len(rdata) < 4 {
			return false
		}
		n := 4 + int(binary.BigEndian.Uint16(rdata[2:]))
		if n > len(rdata) {
			return false
		}
		rdata = rdata[n:]
	}
	return true
}

// MaxKey is the longest key: a name of 255 octets, type, class, CD.
const MaxKey = 255 + 2 + 2 + 1

// AppendKey appends the cache key of a packed question: the name in lower case (RFC 4343), type and class as they are,
// and CD. DO is no part of it: one reply serves both kinds of client, and a mail server mixes them.
func AppendKey(dst, question []byte, cd bool) []byte {
	n := len(dst)
	dst = append(dst, question...)
	Fold(dst[n : len(dst)-4])
	if cd {
		return append(dst, 1)
	}
	return append(dst, 0)
}

// Fold brings the ASCII letters of a name in wire form to lower case. Length octets are at most 63, below 'A'.
func Fold(name []byte) {
	for len(name) >= 8 {
		binary.LittleEndian.PutUint64(name, fold8(binary.LittleEndian.Uint64(name)))
		name = name[8:]
	}
	for i, b := range name {
		if 'A' <= b && b <= 'Z' {
			name[i] = b | 0x20
		}
	}
}

// fold8 folds eight octets at once: adding lifts the top bit of each that is 'A' or more, and of each that is more than
// 'Z'; where the two differ it is a letter, and gets bit 5. Octets with a top bit of their own are none.
func fold8(x uint64) uint64 {
	const each, top = 0x0101010101010101, 0x8080808080808080
	low := x &^ top
	upper := (low + each*(0x80-'A')) ^ (low + each*(0x7f-'Z'))
	return x | (upper&top&^x)>>2
}
