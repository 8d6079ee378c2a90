package main

import (
	"bytes"
	"cmp"
	"encoding/csv"
	"io"
	"maps"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/mxglue/mxglue/smtpprobe"
)

// csvColumns are the columns of --format csv. New ones come at the end; none changes its place or meaning.
var csvColumns = []string{
	"domain", "status", "verdict", "exchanger", "preference", "address", "port", "address_verdict", "code", "greeting",
	"source", "ttl", "ad", "connect_ms", "greeting_ms", "tls_version", "tls_verdict", "cert_not_after",
	"dane", "mta_sts", "plain_sender", "dane_sender", "mta_sts_sender", "detail",
}

// csvWriter prints one line for each address, for each exchanger without one, and for each domain without any of those.
type csvWriter struct {
	out   io.Writer
	begun bool // the header is there
}

func (w *csvWriter) write(o outcome) error {
	var b bytes.Buffer
	table := csv.NewWriter(&b)
	if !w.begun {
		w.begun = true
		table.Write(csvColumns)
	}
	for _, cells := range csvLines(o.Report) {
		line := make([]string, len(csvColumns))
		for i, column := range csvColumns {
			line[i] = harmless(cells[column])
		}
		table.Write(line)
	}
	table.Flush() // a bytes.Buffer takes all
	_, err := w.out.Write(b.Bytes())
	return err
}

func (w *csvWriter) end() error { return nil }

// formula is where a spreadsheet begins to read one: at the begin of a cell, and behind a semicolon, which separates cells where
// the comma separates decimals. The wide forms count in some of them too.
var formula = regexp.MustCompile(`(^|;[\s"]*)([-=+@＝＋－＠])`)

// harmless keeps a spreadsheet from taking a stranger's words for a formula.
func harmless(cell string) string { return formula.ReplaceAllString(cell, "$1'$2") }

// csvLines are the lines of one report, cells by column.
func csvLines(r smtpprobe.Report) (lines []map[string]string) {
	domain := map[string]string{"domain": r.Domain, "status": string(r.Status), "verdict": string(r.Verdict)}
	if r.STS != nil {
		domain["mta_sts"] = cmp.Or(r.STS.Mode, string(r.STS.Status))
	}
	if len(r.MX) == 0 {
		return append(lines, with(domain, senderCells(r.Senders), map[string]string{"detail": r.Reason}))
	}
	for _, e := range r.MX {
		exchanger := map[string]string{"exchanger": e.Name, "preference": strconv.Itoa(int(e.Preference))}
		if e.DANE != nil {
			exchanger["dane"] = string(e.DANE.Status)
		}
		if len(e.Attempts) == 0 {
			lines = append(lines, with(domain, exchanger, senderCells(e.Senders), map[string]string{"address_verdict": string(e.Verdict), "detail": e.Detail}))
		}
		for _, a := range e.Attempts {
			lines = append(lines, with(domain, exchanger, senderCells(a.Senders), attemptCells(a)))
		}
	}
	return lines
}

// attemptCells are those of one address.
func attemptCells(a smtpprobe.Attempt) map[string]string {
	cells := map[string]string{
		"address": a.Address.String(), "port": number0(int(a.Port)), "address_verdict": string(a.Verdict), "detail": a.Detail,
		"code": number0(a.Code), "greeting": strings.ReplaceAll(a.Greeting, "\n", " / "),
		"source": a.Source, "ttl": number0(int(a.TTL)), "ad": strconv.FormatBool(a.AD),
		"connect_ms": number0(a.MS.Connect), "greeting_ms": number0(a.MS.Greeting),
	}
	if t := a.TLS; t != nil {
		cells["tls_version"], cells["tls_verdict"], cells["cert_not_after"] = t.Version, t.Verdict, instant(t.NotAfter)
	}
	return cells
}

func senderCells(s smtpprobe.Senders) map[string]string {
	return map[string]string{"plain_sender": string(s.Plain), "dane_sender": string(s.DANE), "mta_sts_sender": string(s.STS)}
}

// with puts groups of cells into one line.
func with(groups ...map[string]string) map[string]string {
	line := make(map[string]string, len(csvColumns))
	for _, cells := range groups {
		maps.Copy(line, cells)
	}
	return line
}

// number0 writes a number; 0, which says that there is none, as nothing.
func number0[T int | float64](n T) string {
	if n == 0 {
		return ""
	}
	return strconv.FormatFloat(float64(n), 'f', -1, 64)
}

// instant writes an instant as RFC 3339 has it; the zero one as nothing.
func instant(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}
