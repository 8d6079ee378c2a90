package cache

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/miekg/dns"

	"github.com/mxglue/mxglue/cache/wire"
)

// form is a packed reply without OPT. ID, RD, CD, AD, TC, the question's spelling and the TTLs are stamped on copies of it.
type form struct {
	msg  []byte
	ttls []uint16 // the offsets of the TTL fields
	cuts []cut    // where a reply may end, shortest first; the first is header and question alone
}

// cut is a border at which a reply may end: between two RRsets of the answer, or after a section. A section of authority or
// additional records is given back while all of it lives: what lies behind its first record to end lives on unseen.
type cut struct {
	end     uint16
	counts  [3]uint16     // answer, authority, additional
	partial bool          // part of what the question asked for lies behind the border: TC (RFC 2181 §9)
	life    time.Duration // the age at which a record before the border is too old
}

const forever = time.Duration(math.MaxInt64)

// errTooLong is what a response is called that cannot be packed into one message.
var errTooLong = errors.New("does not fit in 65535 octets")

// pack makes the forms of m, whose question must be its own. OPT and TSIG belong to the hop they came over and stay
// behind. m is changed: the question and the owners equal to it get one spelling, lower case, so that they compress to
// the question, and every client reads its own spelling back. negative says that the chain ends without data, so that
// the authority section is part of what was asked for; for clients with DO it is that, too, where it proves a wildcard.
func (e *Entry) pack(m *dns.Msg, negative bool) error {
	qname := strings.ToLower(m.Question[0].Name)
	m.Question[0].Name = qname
	stripped := &dns.Msg{MsgHdr: m.MsgHdr, Question: m.Question}
	qtype := m.Question[0].Qtype
	asked := func(t uint16) bool { return !isDNSSEC(t) || t == qtype || qtype == dns.TypeANY }
	for _, s := range []struct{ from, to *[]dns.RR }{
		{&m.Answer, &stripped.Answer}, {&m.Ns, &stripped.Ns}, {&m.Extra, &stripped.Extra},
	} {
		*s.from = keep(*s.from, func(t uint16) bool { return t != dns.TypeOPT && t != dns.TypeTSIG })
		for _, rr := range *s.from {
			if strings.EqualFold(rr.Header().Name, qname) {
				rr.Header().Name = qname
			}
		}
		*s.to = keep(*s.from, asked)
	}
	var err error
	if e.full, err = packForm(m, negative || proves(m)); err != nil {
		return err
	}
	if count(stripped) == count(m) {
		return nil
	}
	plain, err := packForm(stripped, negative)
	e.plain = &plain
	return err
}

// isDNSSEC names the types that only clients with DO get, unless they ask for them (RFC 4035 §3.2.1).
func isDNSSEC(t uint16) bool { return t == dns.TypeRRSIG || t == dns.TypeNSEC || t == dns.TypeNSEC3 }

func count(m *dns.Msg) int { return len(m.Answer) + len(m.Ns) + len(m.Extra) }

// keep returns the records whose type f wants, in a slice of their own.
func keep(rrs []dns.RR, f func(uint16) bool) []dns.RR {
	var out []dns.RR
	for _, rr := range rrs {
		if f(rr.Header().Rrtype) {
			out = append(out, rr)
		}
	}
	return out
}

func packForm(m *dns.Msg, negative bool) (form, error) {
	p := dns.Msg{Question: m.Question, Answer: m.Answer, Ns: m.Ns, Extra: m.Extra, Compress: true}
	p.Response, p.RecursionAvailable, p.Rcode = true, true, m.Rcode
	msg, err := p.Pack()
	if err != nil {
		return form{}, fmt.Errorf("pack %s: %w", m.Question[0].Name, err)
	}
	if len(msg) > wire.MaxMessage {
		return form{}, fmt.Errorf("pack %s: %w", m.Question[0].Name, errTooLong)
	}
	if err := new(dns.Msg).Unpack(msg); err != nil { // RDATA that came empty packs as what is no RDATA of its type
		return form{}, fmt.Errorf("pack %s: malformed: %w", m.Question[0].Name, err)
	}
	f := form{msg: append(make([]byte, 0, len(msg)), msg...)}
	f.note(negative)
	return f, nil
}

// note finds the TTLs and cuts of f.msg.
func (f *form) note(negative bool) {
	question := len(f.msg)
	var ends [3]int // of the last record seen, by section
	f.cuts = []cut{{life: forever}}
	var prev wire.Record
	wire.Records(f.msg, func(r wire.Record) {
		f.ttls = append(f.ttls, uint16(r.TTL))
		last := &f.cuts[len(f.cuts)-1]
		switch {
		case len(f.ttls) == 1:
			question = r.Start
			f.cuts = append(f.cuts, *last)
		case r.Section != prev.Section, r.Section == 0 && !f.sameRRset(prev, r):
			f.cuts = append(f.cuts, *last)
		}
		last = &f.cuts[len(f.cuts)-1]
		last.end = uint16(r.End)
		last.counts[r.Section]++
		if r.Section > 0 {
			last.life = min(last.life, f.life(r))
		}
		ends[r.Section] = r.End
		prev = r
	})
	f.cuts[0].end = uint16(question)
	needed := ends[0]
	if negative {
		needed = max(needed, ends[1])
	}
	for i := range f.cuts {
		f.cuts[i].partial = int(f.cuts[i].end) < needed
	}
	if negative { // its authority section lives as long as the entry, which is as long as the SOA says
		for i := range f.cuts {
			if f.cuts[i].counts[2] == 0 {
				f.cuts[i].life = forever
			}
		}
	}
}

// life returns the age up to which a record of the authority or additional section is given back. One that came with
// TTL 0 is for the clients that wait for it now.
func (f *form) life(r wire.Record) time.Duration {
	return max(time.Duration(binary.BigEndian.Uint32(f.msg[r.TTL:]))*time.Second, time.Second)
}

// sameRRset says whether b goes on with a's RRset. The packed owner names are compared as they lie: equal owners of
// neighbours compress to equal octets, and where they do not, a border too many does no harm but a shorter reply.
func (f *form) sameRRset(a, b wire.Record) bool {
	return a.Type == b.Type && string(f.msg[a.Start:a.TTL-4]) == string(f.msg[b.Start:b.TTL-4])
}
