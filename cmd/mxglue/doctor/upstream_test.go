package doctor

import (
	"context"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/mxglue/mxglue/resolver/upstream"
)

// startUpstream is a resolver on loopback, UDP and TCP, until the test ends. nil stays silent.
func startUpstream(t *testing.T, answer func(q *dns.Msg, tcp bool) *dns.Msg) *upstream.Upstream {
	t.Helper()
	var err error
	for range 50 { // the TCP port of that number may be taken
		packets := listenUDP(t)
		var listener net.Listener
		if listener, err = net.Listen("tcp", packets.LocalAddr().String()); err != nil {
			packets.Close()
			continue
		}
		serveDNS(t, &dns.Server{PacketConn: packets}, answer, false)
		serveDNS(t, &dns.Server{Listener: listener}, answer, true)
		return newUpstream(t, "udp://"+packets.LocalAddr().String())
	}
	t.Fatal(err)
	return nil
}

func listenUDP(t *testing.T) net.PacketConn {
	t.Helper()
	packets, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return packets
}

func serveDNS(t *testing.T, s *dns.Server, answer func(*dns.Msg, bool) *dns.Msg, tcp bool) {
	t.Helper()
	up := make(chan struct{})
	s.NotifyStartedFunc = func() { close(up) }
	s.Handler = dns.HandlerFunc(func(w dns.ResponseWriter, q *dns.Msg) {
		if r := answer(q, tcp); r != nil {
			_ = w.WriteMsg(r) // the client may have given up
		}
	})
	go func() { _ = s.ActivateAndServe() }() // ends with Shutdown
	<-up
	t.Cleanup(func() { _ = s.Shutdown() })
}

func newUpstream(t *testing.T, address string) *upstream.Upstream {
	t.Helper()
	u, err := upstream.New(address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(u.Close)
	return u
}

// closedPort is an address on loopback where nobody listens.
func closedPort(t *testing.T) string {
	t.Helper()
	conn := listenUDP(t)
	defer conn.Close()
	return conn.LocalAddr().String()
}

var trials = Trials{Signed: "signed.example", Bogus: "bogus.example", Large: "large.example", Zones: []string{"com", "invalid"}, Domains: []string{"mail.example"}}

// good answers as a validating resolver without fault does.
func good(q *dns.Msg, tcp bool) *dns.Msg {
	r := new(dns.Msg).SetReply(q)
	r.RecursionAvailable = true
	r.SetEdns0(1232, true)
	switch name := strings.ToLower(q.Question[0].Name); name {
	case ".":
		r.Answer = records(". 60 IN NS a.root-servers.net.")
	case "signed.example.":
		r.AuthenticatedData = true
		r.Answer = append(records("signed.example. 60 IN A 192.0.2.1"), signature(name))
	case "bogus.example.":
		r.Answer = append(records("bogus.example. 60 IN A 192.0.2.2"), signature(name))
		if !q.CheckingDisabled {
			r.Answer, r.Rcode = nil, dns.RcodeServerFailure
		}
	case "large.example.":
		if r.Truncated = !tcp; tcp {
			for i := range 10 {
				r.Answer = append(r.Answer, records(`large.example. 60 IN TXT "`+strings.Repeat(string(rune('a'+i)), 200)+`"`)...)
			}
		}
	case "mail.example.":
		r.Answer = records("mail.example. 60 IN MX 10 mx.mail.example.")
		r.Extra = append(r.Extra, records("mx.mail.example. 60 IN A 192.0.2.25", "other.example. 60 IN A 192.0.2.26")...)
	default:
		r.Rcode = dns.RcodeNameError
	}
	return r
}

// signature is an RRSIG that is good from an hour ago for two hours, as to its time.
func signature(name string) *dns.RRSIG {
	now := time.Now()
	return &dns.RRSIG{Hdr: dns.RR_Header{Name: name, Rrtype: dns.TypeRRSIG, Class: dns.ClassINET, Ttl: 60}, TypeCovered: dns.TypeA,
		SignerName: name, Signature: "AAAA", Inception: uint32(now.Add(-time.Hour).Unix()), Expiration: uint32(now.Add(time.Hour).Unix())}
}

// records reads zone file lines.
func records(lines ...string) (rrs []dns.RR) {
	for _, line := range lines {
		rr, err := dns.NewRR(line)
		if err != nil {
			panic(err)
		}
		rrs = append(rrs, rr)
	}
	return rrs
}

// but is good with one fault for the questions of a name ("" is every one).
func but(name string, fault func(q, r *dns.Msg, tcp bool)) func(*dns.Msg, bool) *dns.Msg {
	return func(q *dns.Msg, tcp bool) *dns.Msg {
		r := good(q, tcp)
		if name == "" || strings.EqualFold(q.Question[0].Name, name) {
			fault(q, r, tcp)
		}
		return r
	}
}

// Each fault of an upstream shows in its own check and in no other.
func TestUpstream(t *testing.T) {
	all := []string{"upstream", "large", "case", "dnssec", "clock", "additional", "nxdomain"}
	for name, c := range map[string]struct {
		answer func(*dns.Msg, bool) *dns.Msg
		check  string
		status Status
		words  []string
	}{
		"no fault": {good, "additional", OK, []string{"addresses along with the MX of mail.example: 1"}},
		"no additional section": {but("mail.example.", func(_, r *dns.Msg, _ bool) { r.Extra = r.Extra[:1] }), "additional", OK,
			[]string{"no addresses along", "resolver.bundle"}},
		"refuses": {but("", func(_, r *dns.Msg, _ bool) { r.Rcode, r.Answer = dns.RcodeRefused, nil }), "upstream", Fail, []string{"REFUSED"}},
		"hands out what is bogus": {but("bogus.example.", func(_, r *dns.Msg, _ bool) {
			r.Rcode, r.Answer = dns.RcodeSuccess, append(records("bogus.example. 60 IN A 192.0.2.2"), signature("bogus.example."))
		}), "dnssec", Fail, []string{"does not check"}},
		"trial name unsigned by now": {but("bogus.example.", func(_, r *dns.Msg, _ bool) {
			r.Rcode, r.Answer = dns.RcodeSuccess, records("bogus.example. 60 IN A 192.0.2.2")
		}), "dnssec", Warn, []string{"could not find out", "no signatures"}},
		"trial name right by now": {but("bogus.example.", func(_, r *dns.Msg, _ bool) {
			r.Rcode, r.Answer, r.AuthenticatedData = dns.RcodeSuccess, append(records("bogus.example. 60 IN A 192.0.2.2"), signature("bogus.example.")), true
		}), "dnssec", Warn, []string{"could not find out", "sets AD on bogus.example"}},
		"validates and does not say": {but("signed.example.", func(_, r *dns.Msg, _ bool) { r.AuthenticatedData = false }), "dnssec", Warn, []string{"no AD"}},
		"trial name gone":            {but("bogus.example.", func(_, r *dns.Msg, _ bool) { r.Rcode, r.Answer = dns.RcodeNameError, nil }), "dnssec", Warn, []string{"could not find out", "--bogus"}},
		"rewrites": {but("", func(q, r *dns.Msg, _ bool) {
			if r.Rcode == dns.RcodeNameError {
				r.Rcode, r.Answer = dns.RcodeSuccess, records(q.Question[0].Name+" 60 IN A 198.51.100.80")
			}
		}), "nxdomain", Fail, []string{"198.51.100.80"}},
		"another spelling": {but("", func(_, r *dns.Msg, tcp bool) {
			if !tcp {
				r.Question[0].Name = strings.ToLower(r.Question[0].Name)
			}
		}), "case", OK, []string{"leave resolver.case_0x20 false"}},
		"no EDNS": {but("large.example.", func(_, r *dns.Msg, _ bool) { r.Extra = nil }), "large", Warn, []string{"without EDNS"}},
		"too much for UDP": {func(q *dns.Msg, tcp bool) *dns.Msg {
			if strings.EqualFold(q.Question[0].Name, "large.example.") {
				tcp = true
			}
			return good(q, tcp)
		}, "large", Warn, []string{"fragments"}},
		"lost behind the cut": {but("large.example.", func(_, r *dns.Msg, _ bool) { r.Truncated, r.Answer = true, nil }), "large", Warn, []string{"does not arrive"}},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDoctor(t, nil)
			d.Trials = trials
			findings := d.checkUpstream(t.Context(), startUpstream(t, c.answer))
			want(t, only(t, findings, c.check), c.status, c.words...)
			if findings[0].Status == Fail {
				return
			}
			for _, check := range all {
				if f := only(t, findings, check); check != c.check && f.Status != OK {
					t.Errorf("%+v: want ok", f)
				}
			}
		})
	}
}

func TestUpstreamUnreached(t *testing.T) {
	d := newDoctor(t, nil)
	findings := d.checkUpstream(t.Context(), newUpstream(t, "udp://"+closedPort(t)))
	if len(findings) != 1 {
		t.Errorf("one that does not answer is asked on:\n%+v", findings)
	}
	want(t, findings[0], Fail, "does not answer", "refused")

	silent := startUpstream(t, func(*dns.Msg, bool) *dns.Msg { return nil })
	d.System.Egress = egress("203.0.113.9", "") // there is a network
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	want(t, d.checkReach(ctx, silent), Fail, "no answer in time")
	d.System.Egress = egress("", "") // and none, which a resolver on loopback does not need to say something
	want(t, d.checkReach(ctx, silent), Fail, "no answer in time", "start the resolver")
	want(t, d.judgeSilence(newUpstream(t, "udp://192.0.2.53:53"), context.DeadlineExceeded), Warn, "there is no network")

	packets := listenUDP(t)
	serveDNS(t, &dns.Server{PacketConn: packets}, good, false)
	want(t, d.checkReach(t.Context(), newUpstream(t, "udp://"+packets.LocalAddr().String())), Warn, "not over TCP", "let TCP port")

	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	serveDNS(t, &dns.Server{Listener: listener}, good, true)
	want(t, d.checkReach(t.Context(), newUpstream(t, "tcp://"+listener.Addr().String())), OK)
}

func TestNotValidating(t *testing.T) {
	d := newDoctor(t, nil)
	d.Trials = trials
	plain := func(q *dns.Msg, tcp bool) *dns.Msg {
		q.CheckingDisabled = true
		r := good(q, tcp)
		r.AuthenticatedData, r.CheckingDisabled = false, false
		return r
	}
	want(t, only(t, d.checkDNSSEC(t.Context(), startUpstream(t, plain)), "dnssec"), Warn, "does not validate", "Unbound")
}

// What an upstream beyond loopback says of DNSSEC is not passed on, and the operator who counts on DANE has to know.
func TestStripped(t *testing.T) {
	far, err := upstream.New("udp://192.0.2.53:53") // not asked
	if err != nil {
		t.Fatal(err)
	}
	reply := func(name string, cd bool) *dns.Msg {
		q := new(dns.Msg).SetQuestion(name, dns.TypeA)
		q.CheckingDisabled = cd
		return good(q, true)
	}
	v := verdicts{reply("signed.example.", false), reply("bogus.example.", false), reply("bogus.example.", true)}
	d := newDoctor(t, nil)
	d.Trials = trials
	want(t, d.judgeDNSSEC(far, v), OK)
	d.StripAD = true
	want(t, d.judgeDNSSEC(far, v), Warn, "not passed on", "tls://")
}

func TestClock(t *testing.T) {
	d := newDoctor(t, nil)
	m := good(new(dns.Msg).SetQuestion("signed.example.", dns.TypeA), true)
	f, _ := d.checkClock(m)
	want(t, f, OK)
	d.Now = d.Now.Add(-48 * time.Hour)
	f, _ = d.checkClock(m)
	want(t, f, Fail, "timedatectl")
	if _, told := d.checkClock(new(dns.Msg)); told {
		t.Error("a verdict without signatures")
	}
}

func TestCaseIsNeeded(t *testing.T) {
	lower := but("", func(_, r *dns.Msg, _ bool) { r.Question[0].Name = strings.ToLower(r.Question[0].Name) })
	d := newDoctor(t, nil)
	d.Case0x20 = true
	address := strings.TrimPrefix(startUpstream(t, lower).String(), "udp://")
	want(t, d.checkCase(t.Context(), address), Warn, "resolver.case_0x20 to false")
	address = strings.TrimPrefix(startUpstream(t, good).String(), "udp://")
	want(t, d.checkCase(t.Context(), address), OK)
}

func TestDNSBL(t *testing.T) {
	for name, c := range map[string]struct {
		listed, unlisted []string // addresses at the test points
		rcode            int
		status           Status
		words            string
	}{
		"truthful":       {[]string{"127.0.0.2", "127.0.0.10"}, nil, 0, OK, "bl.example"},
		"blocked":        {[]string{"127.255.255.254"}, []string{"127.255.255.254"}, 0, Fail, "zone: bl.example"},
		"dead":           {nil, nil, 0, Fail, "does not list its test point"},
		"lists all":      {[]string{"127.0.0.2"}, []string{"127.0.0.2"}, 0, Fail, "whole world"},
		"parked":         {[]string{"198.51.100.7"}, []string{"198.51.100.7"}, 0, Fail, "no listing"},
		"does not serve": {nil, nil, dns.RcodeServerFailure, Warn, "could not find out: bl.example: SERVFAIL"},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDoctor(t, nil)
			d.Trials.DNSBLs = []string{"bl.example"}
			d.Exchange = names(map[string][]string{"2.0.0.127.bl.example. A": c.listed, "1.0.0.127.bl.example. A": c.unlisted}, c.rcode)
			want(t, only(t, d.checkDNSBLs(t.Context()), "dnsbl"), c.status, c.words)
		})
	}
}

// names answers from a table of record data by name and type; what it does not have is NXDOMAIN. Another RCODE is for all.
func names(table map[string][]string, rcode int) func(context.Context, *dns.Msg) (*dns.Msg, string, error) {
	return func(_ context.Context, q *dns.Msg) (*dns.Msg, string, error) {
		r := new(dns.Msg).SetRcode(q, rcode)
		qtype := dns.TypeToString[q.Question[0].Qtype]
		for _, data := range table[q.Question[0].Name+" "+qtype] {
			r.Answer = append(r.Answer, records(q.Question[0].Name+" 60 IN "+qtype+" "+data)...)
		}
		if rcode == 0 && r.Answer == nil {
			r.Rcode = dns.RcodeNameError
		}
		return r, "upstream", nil
	}
}
