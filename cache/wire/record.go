package wire

import "encoding/binary"

// Record says where one record of a packed message lies.
type Record struct {
	Section int // 0 answer, 1 authority, 2 additional
	Start   int // offset of the owner name
	TTL     int // offset of the TTL field; RDLENGTH follows four octets on
	End     int // offset behind the RDATA
	Type    uint16
}

// Records calls f for each record of a packed message in order. It returns false when the message does not hold what
// its counts promise.
func Records(msg []byte, f func(Record)) bool {
	if len(msg) < HeaderLen {
		return false
	}
	qd, an, ns, ar := counts(msg)
	off := HeaderLen
	for ; qd > 0; qd-- {
		if off = skipName(msg, off); off < 0 || off+4 > len(msg) {
			return false
		}
		off += 4
	}
	for section, n := range [3]int{an, ns, ar} {
		for ; n > 0; n-- {
			r, next, ok := record(msg, off)
			if !ok {
				return false
			}
			r.Section = section
			f(r)
			off = next
		}
	}
	return true
}

// record reads the frame of the record at off.
func record(msg []byte, off int) (r Record, next int, ok bool) {
	r.Start = off
	if off = skipName(msg, off); off < 0 || off+10 > len(msg) {
		return r, 0, false
	}
	r.Type = binary.BigEndian.Uint16(msg[off:])
	r.TTL = off + 4
	next = off + 10 + int(binary.BigEndian.Uint16(msg[off+8:]))
	r.End = next
	return r, next, next <= len(msg)
}

// skipName returns the offset behind the name at off, or -1. A compression pointer ends a name (RFC 1035 §4.1.4), so
// no pointer is followed and none can loop.
func skipName(msg []byte, off int) int {
	for off < len(msg) {
		switch n := int(msg[off]); {
		case n == 0:
			return off + 1
		case n < 64:
			off += 1 + n
		case n >= 192:
			if off+2 > len(msg) {
				return -1
			}
			return off + 2
		default: // 0b01 and 0b10 are no label types (RFC 6891 §5)
			return -1
		}
	}
	return -1
}

// skipPlainName is skipName for a question: nothing stands before it that a pointer could lead to, so none is allowed,
// and a name has at most 255 octets (RFC 1035 §2.3.4).
func skipPlainName(msg []byte, off int) int {
	start := off
	for off < len(msg) {
		n := int(msg[off])
		if n == 0 {
			if off+1-start > 255 {
				return -1
			}
			return off + 1
		}
		if n >= 64 {
			return -1
		}
		off += 1 + n
	}
	return -1
}
