package wire

import (
	"encoding/binary"
	"strings"
)

// OPTLen is the length of the OPT record that replies carry, octets.
const OPTLen = 11

// AppendOPT appends the OPT record of a reply to q: our own UDP size, version 0, the client's DO bit (RFC 6891 §6.1.3,
// RFC 3225 §3), and the packed options. ARCOUNT is the caller's to count up. extended is the upper eight bits of the
// RCODE.
func AppendOPT(dst []byte, q *Query, extended byte, options []byte) []byte {
	var do byte
	if q.DO {
		do = 0x80
	}
	dst = append(dst, 0, 0, typeOPT, maxUDP>>8, maxUDP&0xff, extended, 0, do, 0, byte(len(options)>>8), byte(len(options)))
	return append(dst, options...)
}

// Info codes of extended DNS errors (RFC 8914 §4).
const (
	EDEStaleAnswer   = 3
	EDENetworkError  = 23
	maxEDEText       = 200 // octets of what an upstream says that are passed on
	optionEDE        = 15
	ednsOptionHeader = 4
)

// EDE packs an extended DNS error as an EDNS option (RFC 8914 §2). Of the text at most 200 octets are kept,
// and what is no UTF-8 is left out.
func EDE(code uint16, text string) []byte {
	text = strings.ToValidUTF8(text[:min(len(text), maxEDEText)], "")
	option := make([]byte, 0, ednsOptionHeader+2+len(text))
	option = binary.BigEndian.AppendUint16(option, optionEDE)
	option = binary.BigEndian.AppendUint16(option, uint16(2+len(text)))
	option = binary.BigEndian.AppendUint16(option, code)
	return append(option, text...)
}

// ReplyFlags returns the header flags of a reply to q: QR, RA, the client's opcode, RD and CD, and the RCODE. AA is
// never set: this is a cache, and the word is not ours (RFC 1034 §6.2.1).
func (q *Query) ReplyFlags(rcode int) uint16 {
	return FlagQR | FlagRA | q.Flags&(opcodeMask|FlagRD|FlagCD) | uint16(rcode&0xf)
}

// AppendError appends a reply of no records to q: the header, the question where one was read, an OPT where one came. dst
// may be the memory that q was parsed from, if q's message began there.
func AppendError(dst []byte, q *Query, rcode int) []byte {
	var h [HeaderLen]byte
	binary.BigEndian.PutUint16(h[0:], q.ID)
	binary.BigEndian.PutUint16(h[2:], q.ReplyFlags(rcode))
	if q.Question != nil {
		h[5] = 1
	}
	if q.EDNS {
		h[11] = 1
	}
	dst = append(dst, h[:]...)
	dst = append(dst, q.Question...)
	if q.EDNS {
		dst = AppendOPT(dst, q, byte(rcode>>4), nil)
	}
	return dst
}

// Rcode returns the RCODE that answers a query with this verdict; Accept and Drop have none.
func (v Verdict) Rcode() int {
	return [...]int{FormErr: RcodeFormErr, NotImp: RcodeNotImp, BadVers: RcodeBadVers, Refused: RcodeRefused}[v]
}
