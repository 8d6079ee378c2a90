package main

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/miekg/dns"

	"github.com/mxglue/mxglue/cache"
)

func TestOnlyRegularFilesAreHotlists(t *testing.T) {
	dir := t.TempDir()
	pipe := filepath.Join(dir, "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{dir, pipe, os.DevNull} {
		if _, err := readHotlist(file); err == nil || err.Error() != file+" is no regular file" {
			t.Errorf("error %v, want %s to be no regular file", err, file)
		}
	}
}

// The old file stays until the new one is whole, and nothing else is left behind.
func TestHotlistIsReplacedWhole(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "hot")
	for _, hits := range []uint32{1, 2} {
		if err := writeHotlist(file, []cache.Asked{{Name: "a.example.", Type: dns.TypeMX, Hits: hits}}); err != nil {
			t.Fatal(err)
		}
	}
	if got, want := read(t, file), hotHeader+"2 a.example. MX\n"; got != want {
		t.Errorf("the file is\n%s\nwant\n%s", got, want)
	}
	occupied := filepath.Join(dir, "occupied")
	if err := os.MkdirAll(filepath.Join(occupied, "x"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := writeHotlist(occupied, nil); err == nil {
		t.Error("a directory was replaced")
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 2 {
		t.Errorf("%v is left (%v), want hot and occupied", entries, err)
	}
}

func TestHotlistErrorsNameTheLine(t *testing.T) {
	many := strings.Repeat("1 a.example. MX\n", maxHot+1)
	for text, want := range map[string]string{
		"1 a.example. MX\n2 b.example.":   `line 2: "2 b.example." is not a count, a name and a type, as in "42 example.com. MX"`,
		"-1 a.example. MX":                `line 1: "-1" is not a count from 1 to 4294967295`,
		"0 a.example. MX":                 `line 1: "0" is not a count`,
		"4294967296 a.example. MX":        `line 1: "4294967296" is not a count`,
		"1 a..example. MX":                `line 1: "a..example." is not a domain name`,
		"1 \x1bexample. MX":               `line 1: "\x1bexample." is not a domain name`,
		"1 a.example. ANY":                `line 1: "ANY" is not the type of a record`,
		"1 a.example. OPT":                `line 1: "OPT" is not the type of a record`,
		"1 a.example. TYPE252":            `line 1: "TYPE252" is not the type of a record`,
		"1 a.example. TYPE65536":          `line 1: "TYPE65536" is not the type of a record`,
		"1 a.example. FOO":                `line 1: "FOO" is not the type of a record`,
		many:                              `line 1001: it has more than 1000 questions`,
		strings.Repeat("#", maxHotFile+1): `it has more than 1048576 octets`,
	} {
		_, err := parseHotlist(strings.NewReader(text))
		if err == nil || !strings.HasPrefix(err.Error(), "is no hot list: "+want) {
			t.Errorf("%.40q: error %v, want %s", text, err, want)
		}
	}
	all, err := parseHotlist(strings.NewReader("# two\n\n 7 A.Example MX \r\n1 b.example. TYPE65280\n"))
	if want := []cache.Asked{{Name: "a.example.", Type: dns.TypeMX, Hits: 7}, {Name: "b.example.", Type: 65280, Hits: 1}}; err != nil || !slices.Equal(all, want) {
		t.Errorf("read %v (%v), want %v", all, err, want)
	}
}

func FuzzHotlist(f *testing.F) {
	for _, seed := range []string{"", hotHeader + "42 example.com. MX\n", "1 . NS", "1 a\\.b\\032c. A", "1 \\097. TYPE1", "9 x A\n8 X. A\r\n", "1 a A 2", "1 a. TYPE00001"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		all, err := parseHotlist(strings.NewReader(text))
		if err != nil {
			if all != nil || strings.ContainsAny(err.Error(), "\r\n") {
				t.Errorf("error %q with %v", err, all)
			}
			return
		}
		again, err := parseHotlist(bytes.NewReader(formatHotlist(all)))
		if err != nil || !slices.Equal(all, again) {
			t.Errorf("read %v, written and read again %v (%v)", all, again, err)
		}
	})
}
