package cache

import (
	"fmt"
	"log/slog"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// hosts are the names that FuzzPromote's responses are made of.
var hosts = []string{"a.example.", "MX.a.example.", "b.example.", "mx.b.example.", "mail.bank.example.", "bank.example.", "example.", "."}

// mxResponse is one response of FuzzPromote, and the way it came.
type mxResponse struct {
	*dns.Msg
	from Origin
}

// mxResponseOf makes a response to an MX question out of octets, as many as it needs; where they end there are zeros.
func mxResponseOf(data *[]byte) mxResponse {
	next := func(n int) int {
		if len(*data) == 0 {
			return 0
		}
		b := (*data)[0]
		*data = (*data)[1:]
		return int(b) % n
	}
	m := new(dns.Msg).SetQuestion(hosts[next(len(hosts))], dns.TypeMX)
	flags := next(256)
	m.Response, m.RecursionAvailable, m.Truncated, m.Authoritative = true, flags&1 == 0, flags&2 != 0, flags&4 != 0
	from := Origin{CD: flags&8 != 0, UDP: flags&16 != 0, Size: 100 * next(16), Client: mta}
	if flags&32 != 0 {
		from.Client = netip.MustParseAddr("192.0.2.201")
	}
	if flags&64 != 0 {
		m.Rcode = dns.RcodeNameError
	}
	for _, section := range []*[]dns.RR{&m.Answer, &m.Ns, &m.Extra} {
		for range next(14) {
			h := dns.RR_Header{Name: hosts[next(len(hosts))], Class: dns.ClassINET, Ttl: []uint32{60, 600, 1, 0, 1 << 31}[next(5)]}
			switch next(8) {
			case 0, 1, 2:
				h.Rrtype = dns.TypeMX
				*section = append(*section, &dns.MX{Hdr: h, Preference: uint16(next(256)), Mx: hosts[next(len(hosts))]})
			case 3:
				h.Rrtype = dns.TypeCNAME
				*section = append(*section, &dns.CNAME{Hdr: h, Target: hosts[next(len(hosts))]})
			case 4:
				h.Rrtype, h.Class = dns.TypeA, dns.ClassCHAOS
				*section = append(*section, &dns.A{Hdr: h, A: []byte{192, 0, 2, 1}})
			case 5:
				h.Rrtype = dns.TypeAAAA
				*section = append(*section, &dns.AAAA{Hdr: h, AAAA: []byte{0x20, 1, 0xd, 0xb8, 15: byte(next(4))}})
			default:
				h.Rrtype = dns.TypeA
				first := []byte{192, 198, 127, 10, 224, 0, 169}[next(7)]
				*section = append(*section, &dns.A{Hdr: h, A: []byte{first, 254 * byte(b2i(first == 169)), 2, byte(next(4))}})
			}
		}
	}
	return mxResponse{m, from}
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// addresses returns what the response says beside the answer of a host's address, and the least of the TTLs.
func (r mxResponse) addresses(name string, qtype uint16) (all map[string]int, ttl uint32) {
	all, ttl = map[string]int{}, 300
	for _, rr := range r.Extra {
		if h := rr.Header(); h.Class == dns.ClassINET && h.Rrtype == qtype && strings.EqualFold(h.Name, name) {
			all[strings.Fields(rr.String())[4]] = 1 // an RRset has no record twice (RFC 2181 §5)
			ttl = min(ttl, h.Ttl)
		}
	}
	return all, ttl
}

// names says whether an MX record in the answer section names the host, whose owner is QNAME or a CNAME leads to.
func (r mxResponse) names(host string) bool {
	owners := map[string]bool{strings.ToLower(r.Question[0].Name): true}
	for range r.Answer {
		for _, rr := range r.Answer {
			if c, ok := rr.(*dns.CNAME); ok && owners[strings.ToLower(c.Hdr.Name)] {
				owners[strings.ToLower(c.Target)] = true
			}
		}
	}
	return slices.ContainsFunc(r.Answer, func(rr dns.RR) bool {
		mx, ok := rr.(*dns.MX)
		return ok && strings.EqualFold(mx.Mx, host) && owners[strings.ToLower(mx.Hdr.Name)]
	})
}

// vouches says whether the response alone, as glue-policy's guards 1 to 5, 7 and 8 go, may make m an answer to a client.
func (r mxResponse) vouches(m *dns.Msg, client netip.Addr) bool {
	name, qtype := m.Question[0].Name, m.Question[0].Qtype
	all, ttl := r.addresses(name, qtype)
	told := map[string]int{}
	for _, rr := range m.Answer {
		a := strings.Fields(rr.String())[4]
		if told[a]++; told[a] > 1 || rr.Header().Ttl > ttl || rr.Header().Ttl == 0 { // an RRset has no record twice (RFC 2181 §5)
			return false
		}
	}
	for a := range all {
		if ip := netip.MustParseAddr(a); ip.IsPrivate() || !ip.IsGlobalUnicast() {
			return false
		}
	}
	inDomain := dns.IsSubDomain(r.Question[0].Name, name)
	size := 512
	if inDomain {
		size = 1232
	}
	sameSet := slices.Equal(slices.Sorted(maps.Keys(told)), slices.Sorted(maps.Keys(all)))
	return r.names(name) && sameSet && len(all) > 0 && r.RecursionAvailable && !r.Truncated && r.Rcode == 0 &&
		(!r.Authoritative || inDomain) && (!r.from.UDP || r.from.Size <= size) && !r.from.CD && r.from.Client == client
}

// disagrees says whether two owners name a host and differ about its address: guard 6.
func (r mxResponse) disagrees(other mxResponse, name string, qtype uint16) bool {
	for _, x := range []mxResponse{r, other} {
		direct := !slices.ContainsFunc(x.Answer, func(rr dns.RR) bool { return rr.Header().Rrtype == dns.TypeCNAME })
		if !direct || !x.names(name) || x.Rcode != 0 {
			return false
		}
	}
	a, _ := r.addresses(name, qtype)
	b, _ := other.addresses(name, qtype)
	return !strings.EqualFold(r.Question[0].Name, other.Question[0].Name) &&
		!slices.Equal(slices.Sorted(maps.Keys(a)), slices.Sorted(maps.Keys(b)))
}

// FuzzPromote tells the cache two responses to MX questions, and then asks for every address there is. Whatever is
// answered must be vouched for by one of them, and not be disputed by the other.
func FuzzPromote(f *testing.F) {
	mx, a := "\x00\x00\x02", "\x07\x00" // of preference 0 for host 2; 192.0.0.0
	f.Add([]byte("\x00\x00\x00\x01" + "\x00\x00\x00\x00\x01" + "\x00" + "\x01" + "\x01\x00" + a + "\x03"))
	f.Add([]byte("\x00\x00\x00\x01" + "\x00\x00\x00\x00\x04" + "\x00" + "\x01" + "\x04\x00" + a + "\x03" +
		"\x02\x00\x00\x01" + "\x02\x00\x00\x00\x04" + "\x00" + "\x01" + "\x04\x00" + a + "\x02"))
	f.Add([]byte("\x00\x14\x06\x02" + "\x00\x00\x03\x02" + mx + "\x00\x01\x00" + "\x01" + mx + "\x00\x04" + "\x01" + "\x04\x01" + a + "\x01"))
	f.Add([]byte("00000000%00000000000000000000000000000000000000000000000000000000000000000000000000000%2%1%2%1" + // an address twice
		"00000000000000000000000000000000"))
	f.Fuzz(func(t *testing.T, data []byte) {
		c := New(Options{Log: slog.New(slog.DiscardHandler)}, epoch)
		told := []mxResponse{mxResponseOf(&data), mxResponseOf(&data)}
		for i, r := range told {
			told[i].Msg = r.Copy() // Store uses its message up
			if _, err := c.Store(r.Msg, r.from, epoch); err != nil {
				told[i].Answer = nil
			}
		}
		for _, name := range hosts {
			for _, qtype := range []uint16{dns.TypeA, dns.TypeAAAA} {
				for _, who := range []string{"edns", "other", "do", "cd"} {
					q := query(t, name, qtype, who)
					m := answer(t, c, q, epoch.Add(time.Second/2))
					if m == nil {
						continue
					}
					if q.DO || q.CD() || m.AuthenticatedData || !told[0].vouches(m, q.Client) && !told[1].vouches(m, q.Client) {
						t.Errorf("%s asks, and is told\n%v\nafter\n%v\nand\n%v", who, m, told[0], told[1])
					}
					if told[0].disagrees(told[1], name, qtype) {
						t.Errorf("told\n%v\nalthough these differ:\n%v\n%v", m, told[0], told[1])
					}
				}
			}
		}
		if st := c.Stats(); st.Entries > 2+int(st.GlueStored) {
			t.Error(fmt.Sprint("glue that was not counted: ", st))
		}
	})
}
