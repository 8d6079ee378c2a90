package wire

import (
	"bytes"
	"testing"
)

// FuzzFold compares Fold with going from octet to octet, wherever in memory the name begins.
func FuzzFold(f *testing.F) {
	f.Add([]byte("\x03WWW\x07eXaMpLe\x00"), 0)
	f.Add([]byte("@AZ[`az{\x40\x41\x5a\x5b\xc1\xda\xff\x00\x80ABCDEFGHIJ"), 3)
	f.Add([]byte(nameOf(255)), 1)
	f.Fuzz(func(t *testing.T, name []byte, shift int) {
		room := append(make([]byte, uint(shift)%8), name...)
		folded := room[uint(shift)%8:]
		want := bytes.Clone(name)
		for i, b := range want {
			if 'A' <= b && b <= 'Z' {
				want[i] = b + 'a' - 'A'
			}
		}
		if Fold(folded); !bytes.Equal(folded, want) {
			t.Errorf("%q\nfolds to %q,\nwant     %q", name, folded, want)
		}
	})
}

// TestFoldEveryOctet sees each octet in each of eight places, between neighbours that carry.
func TestFoldEveryOctet(t *testing.T) {
	for _, beside := range []byte{0, 'A' - 1, 'A', 'Z', 'Z' + 1, 0x7f, 0x80, 0xff} {
		for place := range 9 {
			for b := range 256 {
				name := bytes.Repeat([]byte{beside}, 9)
				name[place] = byte(b)
				want := byte(b)
				if 'A' <= b && b <= 'Z' {
					want += 'a' - 'A'
				}
				if Fold(name); name[place] != want {
					t.Fatalf("%#x in place %d between %#x folds to %#x", b, place, beside, name[place])
				}
			}
		}
	}
}
