package upstream

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"github.com/miekg/dns"

	"github.com/mxglue/mxglue/cache/wire"
)

// errMismatch is what a response is called that does not answer the query: forged, late, or an upstream out of its mind.
var errMismatch = errors.New("response does not match the query")

// newID returns an ID from the system's randomness (RFC 5452 §9.2).
func newID() uint16 {
	var b [2]byte
	rand.Read(b[:]) // never fails: crypto/rand ends the program instead
	return binary.BigEndian.Uint16(b[:])
}

// parse unpacks a response to query and checks that it is one: ID, QR, opcode, cookie, and the question, which some
// servers leave out of an error (RFC 5452 §9.1). Errors: errMismatch, or one that says why it does not unpack.
func parse(query *dns.Msg, packed []byte) (*dns.Msg, error) {
	if len(packed) < wire.HeaderLen || binary.BigEndian.Uint16(packed) != query.Id {
		return nil, errMismatch
	}
	if n := records(packed); n > maxRecords && wire.Flags(packed)&wire.FlagTC == 0 { // else the whole comes over TCP, or never
		return nil, fmt.Errorf("response of %d records, more than %d", n, maxRecords)
	}
	m := new(dns.Msg)
	if err := m.Unpack(packed); err != nil {
		if m.Truncated { // cut in the middle of a record: the whole comes over TCP
			m.Answer, m.Ns, m.Extra = nil, nil, nil
		} else {
			return nil, fmt.Errorf("malformed response: %w", err)
		}
	}
	if !m.Response || m.Opcode != dns.OpcodeQuery {
		return nil, errMismatch
	}
	if len(m.Question) == 0 && !Usable(m) {
		m.Question = query.Question
	}
	if len(m.Question) != 1 || !sameQuestion(m.Question[0], query.Question[0]) || !sameCookie(query, m) {
		return nil, errMismatch
	}
	if Usable(m) && !m.Truncated && !whole(m, packed) {
		return nil, errors.New("malformed response: it ends before the last record that its header promises")
	}
	return m, nil
}

// maxRecords bounds what a response costs. Compressed names make 30 MiB of 64 KiB once they are written out, and a
// stranger's domain could have that done again and again. No name that mail needs has nearly as many records.
const maxRecords = 1024

// records returns how many records a header promises.
func records(packed []byte) (n int) {
	for at := 6; at < wire.HeaderLen; at += 2 {
		n += int(binary.BigEndian.Uint16(packed[at:]))
	}
	return n
}

// whole says whether m has as many records as the header promises. Unpack does not ask: it takes a message that ends
// between two records, or before the first, and half an MX RRset sends mail to the wrong host.
func whole(m *dns.Msg, packed []byte) bool {
	count := func(at int) int { return int(binary.BigEndian.Uint16(packed[at:])) }
	return len(m.Answer) == count(6) && len(m.Ns) == count(8) && len(m.Extra) == count(10)
}

func sameQuestion(a, b dns.Question) bool {
	return a.Qtype == b.Qtype && a.Qclass == b.Qclass && strings.EqualFold(a.Name, b.Name)
}
