package wire

import "encoding/binary"

// HeaderLen is the length of a DNS header, octets (RFC 1035 §4.1.1).
const HeaderLen = 12

// MaxMessage is the largest DNS message, octets: what the two length octets of TCP can say (RFC 1035 §4.2.2).
const MaxMessage = 65535

// The flag bits of the header's second 16 bits (RFC 1035 §4.1.1, RFC 4035 §3.2).
const (
	FlagQR uint16 = 1 << 15
	FlagAA uint16 = 1 << 10
	FlagTC uint16 = 1 << 9
	FlagRD uint16 = 1 << 8
	FlagRA uint16 = 1 << 7
	FlagAD uint16 = 1 << 5
	FlagCD uint16 = 1 << 4

	opcodeMask uint16 = 0xf << 11
)

// Response codes this package itself makes (RFC 1035 §4.1.1; BADVERS is RFC 6891 §9, 12 bits wide).
const (
	RcodeFormErr  = 1
	RcodeServFail = 2
	RcodeNotImp   = 4
	RcodeRefused  = 5
	RcodeBadVers  = 16
)

// Types and classes that the hot path has to tell apart (RFC 1035 §3.2, RFC 6891 §6.1.2).
const (
	typeOPT   = 41
	typeTKEY  = 249
	typeIXFR  = 251
	typeAXFR  = 252
	typeMAILA = 254
	classIN   = 1
)

// ID returns the message's identifier. The message must hold a header.
func ID(msg []byte) uint16 { return binary.BigEndian.Uint16(msg) }

// Flags returns the header's second 16 bits. The message must hold a header.
func Flags(msg []byte) uint16 { return binary.BigEndian.Uint16(msg[2:]) }

// counts returns QDCOUNT, ANCOUNT, NSCOUNT and ARCOUNT.
func counts(msg []byte) (qd, an, ns, ar int) {
	return int(binary.BigEndian.Uint16(msg[4:])), int(binary.BigEndian.Uint16(msg[6:])),
		int(binary.BigEndian.Uint16(msg[8:])), int(binary.BigEndian.Uint16(msg[10:]))
}
