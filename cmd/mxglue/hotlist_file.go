package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/miekg/dns"

	"github.com/mxglue/mxglue/cache"
)

const hotHeader = "# mxglue: the questions asked most, to be asked again at a start: how often of late, name, type.\n"

// readHotlist reads a hot list. Errors name the file: what is no regular file is not opened, as that could wait or destroy.
func readHotlist(file string) ([]cache.Asked, error) {
	info, err := os.Stat(file)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is no regular file", file)
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	all, err := parseHotlist(f)
	if err != nil {
		return nil, fmt.Errorf("%s %w", file, err)
	}
	return all, nil
}

// parseHotlist reads lines "count name type", comments and empty lines. Its error continues a sentence about the file.
func parseHotlist(r io.Reader) (all []cache.Asked, err error) {
	text, err := io.ReadAll(io.LimitReader(r, maxHotFile+1))
	if err != nil {
		return nil, err
	}
	if len(text) > maxHotFile {
		return nil, fmt.Errorf("is no hot list: it has more than %d octets", maxHotFile)
	}
	n := 0
	for line := range strings.Lines(string(text)) {
		n++
		if line = strings.TrimSpace(line); line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		asked, err := parseAsked(line)
		if err != nil {
			return nil, fmt.Errorf("is no hot list: line %d: %w", n, err)
		}
		if all = append(all, asked); len(all) > maxHot {
			return nil, fmt.Errorf("is no hot list: line %d: it has more than %d questions", n, maxHot)
		}
	}
	return all, nil
}

func parseAsked(line string) (cache.Asked, error) {
	fields := strings.Fields(line)
	if len(fields) != 3 {
		return cache.Asked{}, fmt.Errorf(`%.80q is not a count, a name and a type, as in "42 example.com. MX"`, line)
	}
	count, err := strconv.ParseUint(fields[0], 10, 32)
	if err != nil || count == 0 {
		return cache.Asked{}, fmt.Errorf("%.80q is not a count from 1 to 4294967295", fields[0])
	}
	name, ok := parseName(fields[1])
	if !ok {
		return cache.Asked{}, fmt.Errorf("%.80q is not a domain name", fields[1])
	}
	qtype, ok := parseType(fields[2])
	if !ok {
		return cache.Asked{}, fmt.Errorf("%.80q is not the type of a record, such as MX or TYPE65", fields[2])
	}
	return cache.Asked{Name: name, Type: qtype, Hits: uint32(count)}, nil
}

// parseName reads a name as the cache spells it. One with a blank in it, which no mail server asks for, is none.
func parseName(text string) (string, bool) {
	if strings.ContainsFunc(text, func(r rune) bool { return r < '!' || r > '~' }) {
		return "", false
	}
	var packed [255]byte // RFC 1035 §2.3.4
	n, err := dns.PackDomainName(dns.Fqdn(text), packed[:], 0, nil, false)
	if err != nil {
		return "", false
	}
	name, _, err := dns.UnpackDomainName(packed[:n], 0)
	return dns.CanonicalName(name), err == nil && !strings.Contains(name, " ")
}

// parseType reads a type's name, or TYPE and its number (RFC 3597 §5). What is for questions only is none (RFC 6895 §3.1).
func parseType(text string) (uint16, bool) {
	t, ok := dns.StringToType[text]
	if digits, numbered := strings.CutPrefix(text, "TYPE"); !ok && numbered {
		n, err := strconv.ParseUint(digits, 10, 16)
		t, ok = uint16(n), err == nil
	}
	return t, ok && t != dns.TypeNone && t != dns.TypeOPT && (t < 128 || t > 255)
}

// formatHotlist writes what parseHotlist reads, and leaves out the rest.
func formatHotlist(all []cache.Asked) []byte {
	var text bytes.Buffer
	text.WriteString(hotHeader)
	for _, a := range all {
		line := fmt.Sprintf("%d %s %s", a.Hits, a.Name, dns.Type(a.Type))
		if _, err := parseAsked(line); err == nil {
			text.WriteString(line + "\n")
		}
	}
	return text.Bytes()
}

// tryHotlist says why writeHotlist could not make a file now.
func tryHotlist(file string) error {
	temp, err := newHotlistFile(file)
	if err != nil {
		return err
	}
	return errors.Join(temp.Close(), os.Remove(temp.Name()))
}

// newHotlistFile makes the file that is to take the place of the old one. Nobody else may read it: it tells who writes to whom.
func newHotlistFile(file string) (*os.File, error) {
	return os.CreateTemp(filepath.Dir(file), "."+filepath.Base(file)+".*") // mode 0600
}

// writeHotlist puts a new file in the place of the old one, at once and whole: who reads it finds the one or the other,
// after a power failure too.
func writeHotlist(file string, all []cache.Asked) (err error) {
	temp, err := newHotlistFile(file)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			os.Remove(temp.Name())
		}
	}()
	_, err = temp.Write(formatHotlist(all))
	if err = errors.Join(err, temp.Sync(), temp.Close()); err != nil {
		return err
	}
	return os.Rename(temp.Name(), file)
}
