package main

import (
	"encoding/xml"
	"io"
	"net/netip"
	"strconv"
	"strings"

	"github.com/mxglue/mxglue/smtpprobe"
)

// junitWriter prints a JUnit report: a suite for each domain, in it a case for each address of its exchangers, and, as
// the last one, the domain itself. An address that does not say 220 is a failure, one that could not be tested an error,
// one that was not tried skipped. The domain is a failure when critical, an error when unknown; what is only a warning
// stands in system-out, for a build that fails of it is soon ignored.
type junitWriter struct {
	out   io.Writer
	begun bool
}

type junitSuite struct {
	XMLName  xml.Name    `xml:"testsuite"`
	Name     string      `xml:"name,attr"`
	Tests    int         `xml:"tests,attr"`
	Failures int         `xml:"failures,attr"`
	Errors   int         `xml:"errors,attr"`
	Skipped  int         `xml:"skipped,attr"`
	Time     string      `xml:"time,attr"` // seconds
	Cases    []junitCase `xml:"testcase"`
	Output   string      `xml:"system-out,omitempty"`
}

type junitCase struct {
	Class   string       `xml:"classname,attr"`
	Name    string       `xml:"name,attr"`
	Time    string       `xml:"time,attr"`
	Failure *junitResult `xml:"failure"`
	Error   *junitResult `xml:"error"`
	Skipped *junitResult `xml:"skipped"`
}

type junitResult struct {
	Type    string `xml:"type,attr,omitempty"`
	Message string `xml:"message,attr"`
}

func (w *junitWriter) write(o outcome) error {
	if err := w.begin(); err != nil {
		return err
	}
	text, err := xml.MarshalIndent(suite(o), "  ", "  ")
	if err == nil {
		_, err = w.out.Write(append(text, '\n'))
	}
	return err
}

// begin prints what stands before the first suite.
func (w *junitWriter) begin() error {
	if w.begun {
		return nil
	}
	w.begun = true
	_, err := io.WriteString(w.out, xml.Header+"<testsuites name=\"mxglue check\">\n")
	return err
}

func (w *junitWriter) end() error {
	if err := w.begin(); err != nil {
		return err
	}
	_, err := io.WriteString(w.out, "</testsuites>\n")
	return err
}

// suite is one domain.
func suite(o outcome) junitSuite {
	s := junitSuite{Name: o.Domain, Output: strings.Join(o.Warnings, "\n")}
	total := 0.0
	for _, e := range o.MX {
		if len(e.Attempts) == 0 {
			s.add(junitCase{Name: e.Name, Time: seconds(0)}, e.Verdict, e.Detail)
		}
		for _, a := range e.Attempts {
			name := e.Name + " " + netip.AddrPortFrom(a.Address, a.Port).String()
			took := (a.MS.Connect + a.MS.Greeting + a.MS.Hello + a.MS.TLS + a.MS.Quit) / 1000
			total += took
			s.add(junitCase{Name: name, Time: seconds(took)}, a.Verdict, a.Detail)
		}
	}
	domain := smtpprobe.OK // a warning is about some address, and no failure of the domain
	switch o.Status {
	case smtpprobe.StatusCritical:
		domain = smtpprobe.Critical
	case smtpprobe.StatusUnknown:
		domain = smtpprobe.Unknown
	}
	s.add(junitCase{Name: o.Domain, Time: seconds(0)}, domain, o.Reason)
	s.Time = seconds(total)
	return s
}

// add counts a case by its verdict.
func (s *junitSuite) add(c junitCase, verdict smtpprobe.Verdict, detail string) {
	c.Class = s.Name
	result := &junitResult{Type: string(verdict), Message: detail}
	if detail == "" {
		result.Message = string(verdict)
	}
	switch verdict {
	case smtpprobe.OK, smtpprobe.Slow:
	case smtpprobe.Skipped:
		result.Type, c.Skipped = "", result
		s.Skipped++
	case smtpprobe.LocalError, smtpprobe.Unknown, smtpprobe.DNSFail, smtpprobe.BlockedAddress:
		c.Error = result
		s.Errors++
	default:
		c.Failure = result
		s.Failures++
	}
	s.Tests++
	s.Cases = append(s.Cases, c)
}

// seconds writes a duration in seconds, to the millisecond, in the C locale.
func seconds(s float64) string { return strconv.FormatFloat(s, 'f', 3, 64) }
