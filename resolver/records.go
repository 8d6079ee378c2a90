package resolver

import (
	"bufio"
	"fmt"
	"io"
	"net/netip"
	"strings"

	"github.com/miekg/dns"
)

// Records are answers that are configured: upstream is never asked about their names.
type Records map[string][]dns.RR // by owner in lower case

// ParseRecords reads zone-file lines such as "mail.example.com. 3600 IN A 192.0.2.1". Errors name the line and say what
// would be right. CNAME is refused: its target would have to be looked up, and a mail host must be no alias.
func ParseRecords(lines []string) (Records, error) {
	rs := make(Records)
	for _, line := range lines {
		rr, err := dns.NewRR(line)
		switch {
		case err != nil:
			return nil, fmt.Errorf("%q is no zone-file line such as \"mail.example.com. 3600 IN A 192.0.2.1\": %w", line, err)
		case rr == nil:
			return nil, fmt.Errorf("%q has no record; a line is like \"mail.example.com. 3600 IN A 192.0.2.1\"", line)
		case rr.Header().Class != dns.ClassINET:
			return nil, fmt.Errorf("%q: only class IN is answered", line)
		case rr.Header().Rrtype == dns.TypeCNAME || rr.Header().Rrtype == dns.TypeDNAME:
			return nil, fmt.Errorf("%q: an alias cannot be configured; give the name its addresses", line)
		}
		rs.add(rr)
	}
	return rs, nil
}

func (rs Records) add(rr dns.RR) {
	name := dns.CanonicalName(rr.Header().Name)
	rr.Header().Name = name
	rs[name] = append(rs[name], rr)
}

// hostsTTL is the TTL of what comes from /etc/hosts, seconds.
const hostsTTL = 60

// AddHosts adds the lines of a hosts file (hosts(5)): an address, and names that have it. The first name is the
// address's PTR. Lines that are none are passed over, as the C library does; names without a dot are, too.
func (rs Records) AddHosts(r io.Reader) error {
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		line, _, _ := strings.Cut(lines.Text(), "#")
		fields := strings.Fields(line)
		if len(fields) < 2 {
			continue
		}
		addr, err := netip.ParseAddr(fields[0])
		if err != nil {
			continue
		}
		rs.addHost(addr.Unmap().WithZone(""), fields[1:])
	}
	return lines.Err()
}

func (rs Records) addHost(addr netip.Addr, names []string) {
	header := func(name string, t uint16) dns.RR_Header {
		return dns.RR_Header{Name: dns.Fqdn(name), Rrtype: t, Class: dns.ClassINET, Ttl: hostsTTL}
	}
	for i, name := range names {
		if _, ok := dns.IsDomainName(name); !ok || !strings.Contains(strings.TrimSuffix(name, "."), ".") {
			continue
		}
		if addr.Is4() {
			rs.add(&dns.A{Hdr: header(name, dns.TypeA), A: addr.AsSlice()})
		} else {
			rs.add(&dns.AAAA{Hdr: header(name, dns.TypeAAAA), AAAA: addr.AsSlice()})
		}
		if reverse, err := dns.ReverseAddr(addr.String()); i == 0 && err == nil {
			rs.add(&dns.PTR{Hdr: header(reverse, dns.TypePTR), Ptr: dns.Fqdn(name)})
		}
	}
}

// anyTTL is the TTL of the answer to ANY, seconds.
const anyTTL = 3600

// answer returns the configured response to a question, nil if it is upstream's to answer. ANY is answered with the one
// record that RFC 8482 §4.2 has for it, whatever the name: nobody who delivers mail needs it, and reflectors do.
func (rs Records) answer(q dns.Question) *dns.Msg {
	m := &dns.Msg{Question: []dns.Question{q}}
	if q.Qtype == dns.TypeANY {
		h := dns.RR_Header{Name: q.Name, Rrtype: dns.TypeHINFO, Class: dns.ClassINET, Ttl: anyTTL}
		m.Answer = []dns.RR{&dns.HINFO{Hdr: h, Cpu: "RFC8482"}}
		return m
	}
	all, ok := rs[dns.CanonicalName(q.Name)]
	if !ok {
		return nil
	}
	for _, rr := range all {
		if rr.Header().Rrtype == q.Qtype {
			m.Answer = append(m.Answer, dns.Copy(rr))
		}
	}
	return m
}

// Has says whether a name's answers are configured.
func (rs Records) Has(name string) bool { return len(rs[dns.CanonicalName(name)]) > 0 }
