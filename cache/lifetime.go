package cache

import (
	"bytes"
	"slices"
	"time"

	"github.com/miekg/dns"
)

// maxTTL is the longest TTL, seconds: seven days (RFC 8767 §4).
const maxTTL = 7 * 24 * 60 * 60

// failureTTL is how long SERVFAIL is remembered (RFC 9520 §3.2 asks for at least 1 s and allows 5 min). It is not
// doubled: a mail server repeats within seconds and then defers for many minutes, so a short memory costs little and a
// long one delays mail.
const failureTTL = 5 * time.Second

// noSOATTL is how long a negative answer without a usable SOA lives (RFC 2308 §5 would not cache it at all; a mail
// server repeats at once, and those repeats are what this saves).
const noSOATTL = 5 * time.Second

// staleFor is how long after its end an answer may be given while upstream fails (RFC 8767 §5 recommends 1 to 3 days).
const staleFor = 24 * time.Hour

// refreshPart is the part of an answer's life, at its end, in which a hit shows that it is asked for still.
const refreshPart = 10

// staleable says whether an old answer is better than none: the mail servers of a domain and their addresses seldom move.
// Never what decides over mail in itself: TLSA records, and the lists that answer with loopback addresses (RFC 5782);
// an NXDOMAIN is neither, since on a list it means "not listed".
func staleable(m *dns.Msg) bool {
	q := m.Question[0]
	if m.Rcode != dns.RcodeSuccess || (q.Qtype != dns.TypeA && q.Qtype != dns.TypeAAAA && q.Qtype != dns.TypeMX) {
		return false
	}
	if q.Qtype == dns.TypeMX && len(m.Answer) == 0 { // "no MX" sends mail to the domain's own address
		return false
	}
	for _, rr := range m.Answer {
		if a := addressOf(rr); a.IsLoopback() {
			return false
		}
	}
	var name [256]byte
	n, err := dns.PackDomainName(q.Name, name[:], 0, nil, false)
	return err == nil && !isListName(name[:n])
}

// isListName says whether a name in wire form asks a list about an address: four numbers or thirty-two nibbles first
// (RFC 5782 §2.1).
func isListName(name []byte) bool {
	return below(name, 4, "0123456789", 3) || below(name, 32, "0123456789abcdefABCDEF", 1)
}

// below says whether a name has more than so many labels, of which the first so many have at most most octets, all of them
// among the given ones.
func below(name []byte, labels int, octets string, most int) bool {
	for range labels {
		n := int(name[0])
		if n == 0 || n > most || len(bytes.Trim(name[1:1+n], octets)) > 0 {
			return false
		}
		name = name[1+n:]
	}
	return name[0] != 0
}

// lifetime returns how long a scrubbed response may answer: the least TTL of its answer section and, where the chain
// ends without data, the SOA's word (RFC 2308 §5). Negative SOAs get that as their TTL.
func (c *Cache) lifetime(m *dns.Msg, end string) time.Duration {
	life := time.Duration(-1)
	least := func(ttl uint32) {
		if d := time.Duration(ttl) * time.Second; life < 0 || d < life {
			life = d
		}
	}
	c.clamp(m)
	for _, rr := range m.Answer {
		least(rr.Header().Ttl)
	}
	if positive(m, end) {
		if proves(m) {
			for _, rr := range m.Ns {
				least(rr.Header().Ttl)
			}
		}
		return life
	}
	negative := c.negativeTTL(m, end)
	if life < 0 || negative < life {
		life = negative
	}
	return life
}

// boundTTLs takes what is longer than maxTTL for that. A TTL with the top bit set is a long one, too: RFC 8767 §4 amends
// RFC 2181 §8, which has it for 0.
func boundTTLs(m *dns.Msg) {
	for _, rrs := range [][]dns.RR{m.Answer, m.Ns, m.Extra} {
		for _, rr := range rrs {
			h := rr.Header()
			h.Ttl = min(h.Ttl, maxTTL)
		}
	}
}

// proves says whether the authority section denies something: beside data, that there is a closer match than the
// wildcard. Whoever validates needs it as much as the data (RFC 4035 §3.1.3.3, RFC 5155 §7.2.6).
func proves(m *dns.Msg) bool {
	return slices.ContainsFunc(m.Ns, func(rr dns.RR) bool {
		return rr.Header().Rrtype == dns.TypeNSEC || rr.Header().Rrtype == dns.TypeNSEC3
	})
}

// positive says whether the chain's end has data of the type asked for.
func positive(m *dns.Msg, end string) bool {
	if m.Rcode != dns.RcodeSuccess {
		return false
	}
	qtype := m.Question[0].Qtype
	for _, rr := range m.Answer {
		h := rr.Header()
		if dns.CanonicalName(h.Name) == dns.CanonicalName(end) && (h.Rrtype == qtype || qtype == dns.TypeANY) {
			return true
		}
	}
	return false
}

// negativeTTL returns the life of NXDOMAIN or NODATA at end: the least of the SOA's TTL, its MINIMUM, what else proves
// the absence (RFC 9077 §3), and the configured cap. The SOA must be of a zone that end is in.
func (c *Cache) negativeTTL(m *dns.Msg, end string) time.Duration {
	most := c.options.Load().NegativeMaxTTL
	ttl := uint32(most / time.Second)
	var soa *dns.SOA
	for _, rr := range m.Ns {
		if s, ok := rr.(*dns.SOA); ok && dns.IsSubDomain(s.Hdr.Name, end) && soa == nil {
			soa = s
			ttl = min(ttl, s.Minttl)
		}
		ttl = min(ttl, rr.Header().Ttl)
	}
	if soa == nil {
		return min(noSOATTL, most)
	}
	soa.Hdr.Ttl = ttl
	return time.Duration(ttl) * time.Second
}

// clamp brings the TTLs of the answer section into the configured bounds. None is raised of what must not outlive its
// publisher's word: TTL 0 (RFC 1035 §3.2.1), and whatever may not be given stale.
func (c *Cache) clamp(m *dns.Msg) {
	o := c.options.Load()
	raise := o.MinTTL > 0 && staleable(m)
	for _, rr := range m.Answer {
		ttl := &rr.Header().Ttl
		if raise && *ttl > 0 {
			*ttl = max(*ttl, uint32(o.MinTTL/time.Second))
		}
		if o.MaxTTL > 0 {
			*ttl = min(*ttl, uint32(o.MaxTTL/time.Second))
		}
	}
}
