//go:build linux

package main

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"strings"
)

// The types that are asked for. TypeCount is of the range for private use (RFC 6895 §3.1): how many queries the upstream
// has had.
const (
	typeA     = 1
	typeMX    = 15
	typeTXT   = 16
	typeAAAA  = 28
	typeOPT   = 41
	typeCount = 65280
)

// question is one packed query, its ID to be set.
type question struct {
	msg    []byte
	nodata bool // no record is the right answer
	miss   bool // nobody knows it
}

// pack returns a query (RFC 1035 §4.1), with RD, and with an OPT record that sets DO if do (RFC 6891 §6.1.2).
func pack(name string, qtype uint16, do bool) question {
	msg := []byte{0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0}
	for label := range strings.SplitSeq(name, ".") {
		msg = append(append(msg, byte(len(label))), label...)
	}
	msg = binary.BigEndian.AppendUint16(append(msg, 0), qtype)
	msg = append(msg, 0, 1)
	if do {
		msg[11] = 1
		msg = append(msg, opt(1<<7)...)
	}
	return question{msg: msg, nodata: qtype == typeTXT}
}

// opt returns an OPT record of size 1232 with these flags.
func opt(flags byte) []byte {
	return []byte{0, 0, typeOPT, 1232 >> 8, 1232 & 0xff, 0, 0, flags, 0, 0, 0}
}

// hosts returns a question for each of so many names.
func hosts(names int, do bool) []question {
	all := make([]question, names)
	for i := range all {
		all[i] = pack(fmt.Sprintf("host%07d.bench.example", i), typeA, do)
	}
	return all
}

// mail returns what a mail server asks about so many domains, as often each: A, AAAA, MX, a TXT record that is not there,
// and the address of the first MX host, which mxglue has from the additional section of the MX answer.
func mail(domains int) []question {
	var all []question
	for _, kind := range []struct {
		host  string
		qtype uint16
	}{{"", typeA}, {"", typeAAAA}, {"", typeMX}, {"", typeTXT}, {"mx1.", typeA}} {
		for i := range domains {
			all = append(all, pack(fmt.Sprintf("%smail%07d.bench.example", kind.host, i), kind.qtype, false))
		}
	}
	return all
}

// source gives one question after the other. What it gives holds until the next.
type source func() question

// inOrder gives each once, and then from the first again.
func inOrder(all []question) source {
	next := 0
	return func() question {
		q := all[next%len(all)]
		next++
		return q
	}
}

// shuffled gives them again and again in an order that no memory prefetches, the same in every run.
func shuffled(all []question) source {
	order := rand.New(rand.NewPCG(1, 2)).Perm(len(all))
	next := 0
	return func() question {
		q := all[order[next]]
		if next++; next == len(order) {
			next = 0
		}
		return q
	}
}

// fresh gives names that nobody has asked for. They begin with four letters: "miss", or "slow" for those that the upstream
// takes its time for.
func fresh(letters string) source {
	q := pack(letters+"0000000.bench.example", typeA, false)
	q.miss = true
	digits := q.msg[17:24] // behind the header, the label's length and the letters
	return func() question {
		for i := len(digits) - 1; i >= 0; i-- {
			if digits[i]++; digits[i] <= '9' {
				break
			}
			digits[i] = '0'
		}
		return q
	}
}

// sprinkled gives one of some in every n, the rest of most.
func sprinkled(most, some source, n int) source {
	count := 0
	return func() question {
		if count++; count%n == 0 {
			return some()
		}
		return most()
	}
}

// fits says whether a reply answers q: a response without error that has records, or has none if that is right.
func fits(reply []byte, nodata bool) bool {
	return len(reply) >= 12 && reply[2]&0x80 != 0 && reply[2]&0x02 == 0 && reply[3]&0xf == 0 &&
		(binary.BigEndian.Uint16(reply[6:]) == 0) == nodata
}
