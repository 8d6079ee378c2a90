//go:build e2e

package e2e

import "testing"

// An mtaDomain is a domain with one exchanger, and what becomes of mail to it.
type mtaDomain struct {
	name     string
	ip       string   // of the exchanger
	tlsa     []string // data of TLSA records
	unnamed  bool     // the certificate is not for the exchanger's name
	insecure bool     // it is in the zone that is not signed
	hostedBy string   // the exchanger is that of this domain, which is in the signed zone; "": its own
	broken   bool     // the TLSA question gets no answer
	dane     string   // what a DANE sender does
	secure   string   // what a sender does who wants a certificate of a public authority for the exchanger's name
	encrypt  string   // what a sender does who wants TLS with whomever; "": encrypted
}

// The names in the certificates of the exchangers; those of mtaDomains that are unnamed are elsewhere.
var mtaNames = []string{"*.mx.dnssec.example", "*.mx.insecure.dnssec.example"}

func (d mtaDomain) zone() string {
	if d.insecure {
		return "insecure.dnssec.example"
	}
	return "dnssec.example"
}

func (d mtaDomain) domain() string { return d.name + "." + d.zone() }

func (d mtaDomain) exchanger() string {
	if d.hostedBy != "" {
		return d.hostedBy + ".mx.dnssec.example"
	}
	if d.unnamed {
		return d.name + ".elsewhere." + d.zone()
	}
	return d.name + ".mx." + d.zone()
}

// everywhere are the domains that every server is tried with. good is its certificate, other one that it does not have.
func everywhere(t *testing.T, ip string, ca authority, good, other identity) []mtaDomain {
	t.Helper()
	ee, wrong, ta := tlsa(t, 3, 1, good.leaf), tlsa(t, 3, 1, other.leaf), tlsa(t, 2, 1, ca.middle)
	domains := []mtaDomain{
		{name: "none", dane: "encrypted", secure: "authenticated"},
		{name: "ee", tlsa: []string{ee}, dane: "authenticated", secure: "authenticated"},
		{name: "ee-certificate", tlsa: []string{tlsa(t, 3, 0, good.leaf)}, dane: "authenticated", secure: "authenticated"},
		{name: "ta", tlsa: []string{ta}, dane: "authenticated", secure: "authenticated"},
		{name: "rollover", tlsa: []string{wrong, ee}, dane: "authenticated", secure: "authenticated"},
		{name: "wrong", tlsa: []string{wrong}, dane: "defer", secure: "authenticated"},
		{name: "unusable", tlsa: []string{tlsa(t, 1, 1, good.leaf)}, dane: "encrypted", secure: "authenticated"},
		{name: "broken", broken: true, dane: "defer", secure: "authenticated"},
		{name: "insecure", insecure: true, tlsa: []string{wrong}, dane: "encrypted", secure: "authenticated"},
		{name: "hosted", insecure: true, hostedBy: "ee", dane: "encrypted", secure: "authenticated"},
		{name: "hosted-badly", insecure: true, hostedBy: "wrong", dane: "defer", secure: "authenticated"},
		{name: "unnamed", unnamed: true, dane: "encrypted", secure: "defer"},
		{name: "unnamed-ee", unnamed: true, tlsa: []string{ee}, dane: "authenticated", secure: "defer"},
		{name: "unnamed-ta", unnamed: true, tlsa: []string{ta}, dane: "defer", secure: "defer"},
	}
	for i := range domains {
		domains[i].ip = ip
	}
	return domains
}

// serveDomains serves the domains' records: NSD with signed zones, Unbound that validates, mxglue on 127.0.0.1:53.
func serveDomains(t *testing.T, domains []mtaDomain) {
	t.Helper()
	z := newMailZones(t)
	for _, d := range domains {
		zone := z.secure
		if d.insecure {
			zone = z.insecure
		}
		zone.add(t, "%s. MX 10 %s.", d.domain(), d.exchanger())
		if d.hostedBy != "" {
			continue
		}
		zone.add(t, "%s. A %s", d.exchanger(), d.ip)
		for _, data := range d.tlsa {
			zone.add(t, "_25._tcp.%s. TLSA %s", d.exchanger(), data)
		}
		if d.broken {
			z.breakName(t, "_tcp."+d.exchanger()+".")
		}
	}
	z.serve(t)
	serveBefore(t, []string{"udp://" + unboundAddress})
}

// want is what a Postfix of each level does with mail to the domain.
func (d mtaDomain) want() map[string]string {
	want := map[string]string{"none": "clear", "encrypt": "encrypted", "secure": d.secure, "dane": d.dane, "dane-only": d.dane}
	if d.encrypt != "" {
		want["encrypt"] = d.encrypt
	}
	if d.dane != "authenticated" { // no TLSA record to go by
		want["dane-only"] = "defer"
	}
	return want
}
