package querylog

import (
	"fmt"
	"time"

	dnstap "github.com/dnstap/golang-dnstap"
	"github.com/miekg/dns"

	"github.com/mxglue/mxglue/cache/wire"
)

// line is what JSON lines have of a query.
type line struct {
	Time      time.Time `json:"time"` // when it came, UTC
	Client    string    `json:"client"`
	Name      string    `json:"name"` // in lower case and with a final dot; what is not printable as \DDD (RFC 1035 §5.1)
	Type      string    `json:"type"` // or TYPE123 (RFC 3597 §5)
	Rcode     string    `json:"rcode"`
	Source    string    `json:"source"`
	TookMS    float64   `json:"took_ms"` // until the reply was ready, milliseconds
	Size      int       `json:"size"`    // of the reply, octets
	Transport string    `json:"transport"`
}

// encode appends a query to what is kept.
func (s *stream) encode(q *Query) error {
	if s.lines != nil {
		return s.lines.Encode(lineOf(q))
	}
	s.tap.Message, s.tap.Extra = messageOf(q), []byte(q.Source)
	return dnstap.NewEncoder(s.frames).Encode(s.tap)
}

func lineOf(q *Query) line {
	end := len(q.Question) - 4
	name, _, _ := dns.UnpackDomainName(q.Question, 0) // it has been parsed already
	qtype := dns.Type(q.Question[end])<<8 | dns.Type(q.Question[end+1])
	l := line{
		Time: q.Asked.UTC(), Client: q.Client.String(), Name: dns.CanonicalName(name), Type: qtype.String(),
		Rcode: rcode(q.Reply), Source: q.Source, Size: q.size,
		TookMS: float64(q.Answered.Sub(q.Asked).Microseconds()) / 1000, Transport: "udp",
	}
	if q.TCP {
		l.Transport = "tcp"
	}
	return l
}

// rcode names the RCODE in a packed reply's header; what EDNS adds to it, no reply of ours needs.
func rcode(reply []byte) string {
	code := int(wire.Flags(reply) & 0xf)
	if name, ok := dns.RcodeToString[code]; ok {
		return name
	}
	return fmt.Sprintf("RCODE%d", code)
}

// messageOf returns the dnstap message of a query. It has no ports and no address of ours, which mxglue does not keep for as
// long. Where the answer came from is told in the field extra beside it.
func messageOf(q *Query) *dnstap.Message {
	answered := q.Asked.Add(q.Answered.Sub(q.Asked)) // by one clock
	m := &dnstap.Message{
		Type:            dnstap.Message_CLIENT_RESPONSE.Enum(),
		SocketFamily:    dnstap.SocketFamily_INET.Enum(),
		SocketProtocol:  dnstap.SocketProtocol_UDP.Enum(),
		QueryAddress:    q.Client.AsSlice(),
		QueryTimeSec:    new(uint64(q.Asked.Unix())),
		QueryTimeNsec:   new(uint32(q.Asked.Nanosecond())),
		ResponseTimeSec: new(uint64(answered.Unix())), ResponseTimeNsec: new(uint32(answered.Nanosecond())),
		ResponseMessage: q.Reply,
	}
	if q.Client.Is6() {
		m.SocketFamily = dnstap.SocketFamily_INET6.Enum()
	}
	if q.TCP {
		m.SocketProtocol = dnstap.SocketProtocol_TCP.Enum()
	}
	return m
}
