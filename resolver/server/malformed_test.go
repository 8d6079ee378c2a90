package server

import (
	"bytes"
	"encoding/hex"
	"strings"
	"testing"
)

// strange is what comes in, in hex, and what is to become of it.
var strange = []struct {
	name      string
	msg       string
	reply     string // in hex too; "" for none
	malformed bool   // or else a query, counted as such
}{
	{"nothing", "", "", true},
	{"one octet", "00", "", true},
	{"eleven octets", "abcd 0100 0001 0000 0000 00", "", true},
	{"text", hex.EncodeToString([]byte("GET / HTTP/1.1\r\n\r\n")), "4745 d084 0000 0000 0000 0000", false}, // reads as opcode 10
	{"a response", "abcd 8180 0001 0000 0000 0000 0161 00 0001 0001", "", true},
	{"a response, opcode 5", "abcd a880 0001 0000 0000 0000 0161 00 0001 0001", "", true},
	{"header alone, no question", "abcd 0100 0000 0000 0000 0000", "abcd 8181 0000 0000 0000 0000", true},
	{"question missing", "abcd 0100 0001 0000 0000 0000", "abcd 8181 0000 0000 0000 0000", true},
	{"two questions", "abcd 0100 0002 0000 0000 0000 0161 00 0001 0001 0162 00 0001 0001", "abcd 8181 0000 0000 0000 0000", true},
	{"name ends early", "abcd 0100 0001 0000 0000 0000 3f61", "abcd 8181 0000 0000 0000 0000", true},
	{"name points at itself", "abcd 0100 0001 0000 0000 0000 c00c 0001 0001", "abcd 8181 0000 0000 0000 0000", true},
	{"an answer in a query", "abcd 0100 0001 0001 0000 0000 0161 00 0001 0001 c00c 0001 0001 00000000 0004 7f000001",
		"abcd 8181 0001 0000 0000 0000 0161 00 0001 0001", true},
	{"octets left over", "abcd 0100 0001 0000 0000 0000 0161 00 0001 0001 ff", "abcd 8181 0001 0000 0000 0000 0161 00 0001 0001", true},
	{"NOTIFY", "abcd 2000 0001 0000 0000 0000 0161 00 0006 0001", "abcd a084 0000 0000 0000 0000", false},
	{"UPDATE", "abcd 2800 0001 0000 0000 0000 0161 00 0006 0001", "abcd a884 0000 0000 0000 0000", false},
	{"class CH", "abcd 0000 0001 0000 0000 0000 0161 00 0010 0003", "abcd 8085 0001 0000 0000 0000 0161 00 0010 0003", false},
	{"AXFR", "abcd 0000 0001 0000 0000 0000 0161 00 00fc 0001", "abcd 8085 0001 0000 0000 0000 0161 00 00fc 0001", false},
	{"EDNS version 1", "abcd 0100 0001 0000 0000 0001 0161 00 0001 0001 00 0029 1000 00 01 0000 0000",
		"abcd 8180 0001 0000 0000 0001 0161 00 0001 0001 00 0029 04d0 01 00 0000 0000", false},
}

func TestMalformed(t *testing.T) {
	for _, c := range strange {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			msg, want := unhex(t, c.msg), unhex(t, c.reply)
			s := wired(Options{})
			at, _ := start(t, s)

			udp, good := dialUDP(t, at), query(0xffff, hit)
			send(t, udp, msg)
			if c.reply != "" {
				checkSame(t, next(t, udp), want)
			}
			checkReply(t, ask(t, udp, good), good, 0) // nothing else was sent, and the server lives

			tcp := dialTCP(t, "", at)
			send(t, tcp, framed(msg))
			if c.reply == "" {
				checkClosed(t, tcp) // whoever speaks so has no claim on a connection
			} else {
				checkSame(t, nextTCP(t, tcp), want)
				send(t, tcp, framed(good))
				checkReply(t, nextTCP(t, tcp), good, 0)
			}
			bad := uint64(0)
			if c.malformed {
				bad = 2
			}
			if st := s.Stats(); st.Malformed != bad || st.UDPQueries+st.TCPQueries+bad != 3+uint64(b2i(c.reply != "")) {
				t.Errorf("stats: %+v", st)
			}
		})
	}
}

func checkSame(t *testing.T, got, want []byte) {
	t.Helper()
	if !bytes.Equal(got, want) {
		t.Errorf("got  %x\nwant %x", got, want)
	}
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}
