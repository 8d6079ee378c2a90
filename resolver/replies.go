package resolver

import (
	"sync/atomic"
	"time"

	"github.com/miekg/dns"

	"github.com/mxglue/mxglue/cache/wire"
	"github.com/mxglue/mxglue/resolver/upstream"
)

// countedTypes are the question types that are counted one by one: those that mail servers ask. A stranger can send any of
// 65,536.
var countedTypes = [...]uint16{dns.TypeA, dns.TypeAAAA, dns.TypeMX, dns.TypeTLSA, dns.TypeTXT, dns.TypePTR, dns.TypeNS, dns.TypeSOA,
	dns.TypeCNAME, dns.TypeSRV, dns.TypeDS, dns.TypeDNSKEY}

// countedRcodes are the rcodes that are counted one by one.
var countedRcodes = [...]int{dns.RcodeSuccess, dns.RcodeNameError, dns.RcodeServerFailure, dns.RcodeRefused}

// other is what is not counted one by one.
const other = "other"

// Replies is a snapshot of the replies to queries that the cache could not answer. Hits are not in it: telling them apart
// would cost more than answering them.
type Replies struct {
	ByType  map[string]uint64 `json:"by_type"`  // of the question: "MX"; "other" for what mail servers do not ask
	ByRcode map[string]uint64 `json:"by_rcode"` // "NXDOMAIN"; "other" for what mxglue does not say itself
	Times   upstream.Times    `json:"-"`        // from the miss to the reply
}

// replies counts them.
type replies struct {
	types  [len(countedTypes) + 1]atomic.Uint64 // the last is "other"
	rcodes [len(countedRcodes) + 1]atomic.Uint64
	times  upstream.Histogram
}

// count counts a packed reply, which begins at an offset, to a query of a type that has waited for it so long. There is none
// if the client had no more time.
func (p *replies) count(qtype uint16, reply []byte, offset int, took time.Duration) {
	if len(reply) < offset+wire.HeaderLen {
		return
	}
	p.times.Observe(took)
	p.types[indexOf(countedTypes[:], qtype)].Add(1)
	p.rcodes[indexOf(countedRcodes[:], int(wire.Flags(reply[offset:])&0xf))].Add(1)
}

// of returns how many replies had an rcode that is counted by itself.
func (p *replies) of(rcode int) uint64 { return p.rcodes[indexOf(countedRcodes[:], rcode)].Load() }

// indexOf is where x stands in all, or the place behind the last.
func indexOf[T comparable](all []T, x T) int {
	for i := range all {
		if all[i] == x {
			return i
		}
	}
	return len(all)
}

// snapshot returns what has been counted so far, zeros included.
func (p *replies) snapshot() Replies {
	s := Replies{ByType: make(map[string]uint64), ByRcode: make(map[string]uint64), Times: p.times.Times()}
	for i, qtype := range countedTypes {
		s.ByType[dns.TypeToString[qtype]] = p.types[i].Load()
	}
	for i, rcode := range countedRcodes {
		s.ByRcode[dns.RcodeToString[rcode]] = p.rcodes[i].Load()
	}
	s.ByType[other], s.ByRcode[other] = p.types[len(countedTypes)].Load(), p.rcodes[len(countedRcodes)].Load()
	return s
}
