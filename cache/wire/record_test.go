package wire

import (
	"slices"
	"strings"
	"testing"
)

func recordsOf(msg string) (all []Record, ok bool) {
	ok = Records([]byte(msg), func(r Record) { all = append(all, r) })
	return all, ok
}

func TestRecords(t *testing.T) {
	a := "\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04\xc0\x00\x02\x01"
	msg := header(FlagQR, 1, 2, 1, 1) + questA + a + txtA + a + optDO
	q := HeaderLen + len(questA)
	want := []Record{
		{Section: 0, Start: q, TTL: q + 6, End: q + 16, Type: 1},
		{Section: 0, Start: q + 16, TTL: q + 16 + 7, End: q + 31, Type: 16},
		{Section: 1, Start: q + 31, TTL: q + 37, End: q + 47, Type: 1},
		{Section: 2, Start: q + 47, TTL: q + 52, End: q + 58, Type: 41},
	}
	got, ok := recordsOf(msg)
	if !ok || !slices.Equal(got, want) {
		t.Errorf("%v\n%v\nwant\n%v", ok, got, want)
	}
	for n := range len(msg) {
		got, ok := recordsOf(msg[:n])
		if ok || len(got) > len(want) || !slices.Equal(got, want[:len(got)]) {
			t.Errorf("the first %d of %d octets: %v %v", n, len(msg), ok, got)
		}
		if len(got) > 0 && got[len(got)-1].End > n {
			t.Errorf("the first %d of %d octets: a record ends at %d", n, len(msg), got[len(got)-1].End)
		}
	}
}

// TestRecordsBroken reads messages that lie about their length or point in circles. Each returns, and says so.
func TestRecordsBroken(t *testing.T) {
	rest := "\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x00"
	for _, c := range []struct {
		name string
		msg  string
		ok   bool
		n    int // records seen
	}{
		{"empty", "", false, 0},
		{"half a header", header(FlagQR, 0, 0, 0, 0)[:7], false, 0},
		{"nothing promised", header(FlagQR, 0, 0, 0, 0), true, 0},
		{"nothing but a promise", header(FlagQR, 65535, 65535, 65535, 65535), false, 0},
		{"65535 answers, one there", header(FlagQR, 0, 65535, 0, 0) + "\x00" + rest, false, 1},
		{"owner points at itself", header(FlagQR, 0, 1, 0, 0) + "\xc0\x0c" + rest, true, 1}, // never followed
		{"question points at itself", header(FlagQR, 1, 0, 0, 0) + "\xc0\x0c\x00\x01\x00\x01", true, 0},
		{"question without class", header(FlagQR, 1, 0, 0, 0) + questA[:len(questA)-2], false, 0},
		{"pointer cut in two", header(FlagQR, 0, 1, 0, 0) + "\xc0", false, 0},
		{"label type 01", header(FlagQR, 0, 1, 0, 0) + "\x40" + strings.Repeat("a", 64) + "\x00" + rest, false, 0},
		{"label type 10", header(FlagQR, 0, 1, 0, 0) + "\x80\x00" + rest, false, 0},
		{"label that overruns", header(FlagQR, 0, 1, 0, 0) + "\x3fabc", false, 0},
		{"RDLENGTH 65535", header(FlagQR, 0, 1, 0, 0) + "\x00" + rest[:8] + "\xff\xff", false, 0},
		{"RDLENGTH one too many", header(FlagQR, 0, 1, 0, 0) + "\x00" + rest[:8] + "\x00\x05abcd", false, 0},
		{"empty RDATA", header(FlagQR, 0, 0, 0, 2) + "\x00" + rest + "\x00" + rest, true, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got, ok := recordsOf(c.msg); ok != c.ok || len(got) != c.n {
				t.Errorf("%v %v", ok, got)
			}
		})
	}
}
