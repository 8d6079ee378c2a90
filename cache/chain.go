package cache

import (
	"strings"

	"github.com/miekg/dns"
)

// maxChain bounds the CNAME links that are followed in one response.
const maxChain = 12

// scrub drops the answer records that are not on the chain that starts at QNAME: another owner, another class, or a type
// that nobody asked for. It returns the chain's last owner, and false for a chain that loops or does not end. What is
// dropped is what Kashpureff's records were (1997): unrelated, and believed.
func scrub(m *dns.Msg) (end string, ok bool) {
	q := m.Question[0]
	owners, ok := chain(m)
	if !ok {
		return "", false
	}
	wanted := func(rr dns.RR) bool {
		h := rr.Header()
		if h.Class != q.Qclass {
			return false
		}
		if !owners[strings.ToLower(h.Name)] { // a DNAME is owned by an ancestor (RFC 6672 §3.1)
			return (h.Rrtype == dns.TypeDNAME || signs(rr, dns.TypeDNAME)) && above(h.Name, owners)
		}
		return h.Rrtype == q.Qtype || q.Qtype == dns.TypeANY || h.Rrtype == dns.TypeCNAME ||
			signs(rr, q.Qtype) || signs(rr, dns.TypeCNAME)
	}
	kept := m.Answer[:0:0]
	for _, rr := range m.Answer {
		if wanted(rr) {
			kept = append(kept, rr)
		}
	}
	m.Answer = kept
	return lastOf(m), true
}

// chain returns the owners from QNAME along the CNAMEs of the answer section.
func chain(m *dns.Msg) (owners map[string]bool, ok bool) {
	name := strings.ToLower(m.Question[0].Name)
	owners = map[string]bool{name: true}
	if t := m.Question[0].Qtype; t == dns.TypeCNAME || t == dns.TypeANY {
		return owners, true
	}
	for {
		next := cnameOf(m, name)
		if next == "" {
			return owners, true
		}
		if owners[next] || len(owners) > maxChain {
			return nil, false
		}
		owners[next] = true
		name = next
	}
}

// lastOf returns the last owner of a chain that chain has found sound.
func lastOf(m *dns.Msg) string {
	name := strings.ToLower(m.Question[0].Name)
	if t := m.Question[0].Qtype; t == dns.TypeCNAME || t == dns.TypeANY {
		return name
	}
	for next := name; next != ""; next = cnameOf(m, name) {
		name = next
	}
	return name
}

// cnameOf returns the target of name's CNAME in the answer section, in lower case, or "".
func cnameOf(m *dns.Msg, name string) string {
	for _, rr := range m.Answer {
		if c, ok := rr.(*dns.CNAME); ok && strings.EqualFold(c.Hdr.Name, name) && c.Hdr.Class == m.Question[0].Qclass {
			return strings.ToLower(c.Target)
		}
	}
	return ""
}

func signs(rr dns.RR, t uint16) bool {
	sig, ok := rr.(*dns.RRSIG)
	return ok && sig.TypeCovered == t
}

// above says whether owner is a proper ancestor of one of the names.
func above(owner string, names map[string]bool) bool {
	owner = strings.ToLower(owner)
	for name := range names {
		if name != owner && dns.IsSubDomain(owner, name) {
			return true
		}
	}
	return false
}
