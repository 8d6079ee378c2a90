package resolver

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/miekg/dns"

	"github.com/mxglue/mxglue/cache"
)

// Memory is what is known of one question.
type Memory struct {
	Name   string        `json:"name"`
	Type   string        `json:"type"`
	State  State         `json:"state"`
	Source string        `json:"source"` // glue, bundle, cache, upstream (it was asked just now), configured; "" is none
	Rcode  string        `json:"rcode"`  // NOERROR, NXDOMAIN, SERVFAIL; "" if nothing is known
	Data   []string      `json:"data"`   // the data of the records of that type, in zone file form, wherever a CNAME leads
	Known  []cache.Known `json:"known"`  // all of it; the first is what counts, and what State and Data are about
	Claim  *cache.Claim  `json:"claim,omitempty"`
	Zone   string        `json:"zone,omitempty"` // of the route by which upstream would be asked

	rrs []dns.RR // whose data is Data
}

// State says how a question stands.
type State string

// The states. What is stale, expired or unknown would have to be asked upstream.
const (
	Live       State = "live"       // answered from memory: with an answer, glue or a remembered failure
	Stale      State = "stale"      // ended: it is given again only if upstream fails (RFC 8767)
	Expired    State = "expired"    // ended
	Unknown    State = "unknown"    // nobody has asked, or it is forgotten
	NotKept    State = "not kept"   // asked just now, and not to be remembered: TTL 0, or too large
	Needless   State = "needless"   // TLSA of a host whose addresses are not authentic: nobody asks (RFC 7672 §2.2.2)
	Configured State = "configured" // resolver.records or resolver.hosts: upstream is never asked
)

// Missing says whether upstream would have to be asked.
func (m Memory) Missing() bool { return m.State == Stale || m.State == Expired || m.State == Unknown }

// Best is what counts: what answers now, or else the nearest to it. It is empty if nothing is known, or only what answers
// queries with CD.
func (m Memory) Best() cache.Known {
	if len(m.Known) == 0 || m.Known[0].CD {
		return cache.Known{}
	}
	return m.Known[0]
}

func (m Memory) authentic() bool { return m.State == Live && m.Best().AD }

// insecure says whether nobody will find the answer authentic: one is there, and says so.
func (m Memory) insecure() bool {
	return m.State == Configured || m.State == Live && m.Best().Rank == "answer" && !m.Best().AD
}

// remember looks at what is known of a question.
func (x explainer) remember(name string, qtype uint16) Memory {
	m := Memory{Name: name, Type: dns.Type(qtype).String(), State: Unknown, Data: []string{}, Known: []cache.Known{}}
	if response := x.settings.Records.answer(dns.Question{Name: name, Qtype: qtype, Qclass: dns.ClassINET}); response != nil {
		m.State, m.Source, m.Rcode = Configured, "configured", "NOERROR"
		m.tell(response.Answer)
		return m
	}
	m.Zone = x.settings.routeOf(name).Zone
	q, ok := newQuery(name, qtype, false)
	if !ok { // _25._tcp. makes a name too long
		m.State = Needless
		return m
	}
	now := time.Now()
	if claim, ok := x.cache.Claim(q, now); ok {
		m.Claim = &claim
	}
	known := func(e *cache.Entry) cache.Known { return x.cache.Known(e, now) }
	entries := x.cache.All(q)
	failing := slices.ContainsFunc(entries, func(e *cache.Entry) bool {
		k := known(e)
		return !k.CD && k.Rank == "failure" && k.State == "live"
	})
	slices.SortStableFunc(entries, func(a, b *cache.Entry) int {
		return cmp.Compare(worth(known(b), failing), worth(known(a), failing))
	})
	for _, e := range entries {
		m.Known = append(m.Known, known(e))
	}
	if best := m.Best(); best.State != "" {
		m.State, m.Rcode, m.Source = State(best.State), best.Rcode, cmp.Or(sourceOf(entries[0]), "cache")
		if msg, err := entries[0].Msg(); err == nil {
			m.tell(msg.Answer)
		}
	}
	return m
}

// worth orders what is remembered of a question: first what the cache would answer with, which is what is stale if upstream
// is known to be failing, then what it might, then the rest. What answers queries with CD only stays last.
func worth(k cache.Known, failing bool) int {
	switch {
	case k.CD:
		return 0
	case k.State == "live":
		return map[string]int{"answer": 6, "glue": 4, "failure": 3}[k.Rank]
	case k.State == "stale" && failing:
		return 5
	case k.State == "stale":
		return 2
	}
	return 1
}

// tell takes in the records of the question's own type.
func (m *Memory) tell(rrs []dns.RR) {
	for _, rr := range rrs {
		if dns.Type(rr.Header().Rrtype).String() == m.Type {
			m.rrs = append(m.rrs, rr)
			m.Data = append(m.Data, strings.TrimPrefix(rr.String(), rr.Header().String()))
		}
	}
}
