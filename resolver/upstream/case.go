package upstream

import (
	"bytes"
	"crypto/rand"

	"github.com/miekg/dns"
)

// mixCase returns a name with its letters in random case: one more bit each for a forger to guess
// (draft-vixie-dnsext-dns0x20). Escapes in the text form hold no letters, so each letter is one of the name.
func mixCase(name string) string {
	mixed := []byte(name)
	coins := make([]byte, len(mixed))
	rand.Read(coins)
	for i, b := range mixed {
		if isLetter(b) && coins[i]&1 != 0 {
			mixed[i] = b ^ 0x20
		}
	}
	return string(mixed)
}

// unmixCase says whether a packed response spells the question as query does, and if so brings that to lower case.
// It works on the packed form because names further down are pointers to the question, and so follow.
func unmixCase(query *dns.Msg, packed []byte) bool {
	const header = 12
	var name [256]byte
	n, err := dns.PackDomainName(query.Question[0].Name, name[:], 0, nil, false)
	if err != nil || len(packed) < header+n || !bytes.Equal(packed[header:header+n], name[:n]) {
		return false
	}
	for i, b := range packed[header : header+n] { // length octets are at most 63, below 'A'
		if isLetter(b) {
			packed[header+i] = b | 0x20
		}
	}
	return true
}

func isLetter(b byte) bool { return 'a' <= b|0x20 && b|0x20 <= 'z' }
